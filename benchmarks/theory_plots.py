"""The pictures of docs/theory.md and docs/certificate.md, from the code they speak of.

    python benchmarks/theory_plots.py [docs/images]

Draws theory-rate-invariance.svg, theory-tasks.svg, theory-banana.svg, theory-curve.svg and certificate-views.svg.
Everything is seeded: the same code draws the same files.
"""

import argparse
import math
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import numpy as np
from matplotlib import pyplot as plt

from taskcodec.data.toy import banana_source, disjoint_orbits, permuted_bits, shifted_strings
from taskcodec.evaluation.certificate.bound import bound_excess, draw_items
from taskcodec.evaluation.report.colours import COLOURS
from taskcodec.theory.rate_invariance import (
    CodedSource,
    code_table,
    erasure_code,
    place_in_orbit,
    quantization_point,
    random_task,
)

BLUE, RED, GREEN, PINK = COLOURS[:4]
GREY = "#666666"


def coded(source, code):
    return CodedSource(np.full(len(source.orbits), 1 / len(source.orbits)), code, source.orbits)


def rate_invariance(folder):
    source, rng = permuted_bits(8), np.random.default_rng(0)
    bits = source.invariant_entropy_bits
    figure, axes = plt.subplots(figsize=(6.4, 4.2), layout="constrained")
    axes.plot([0, bits, bits + 0.6], [bits, 0, 0], color=BLUE, linewidth=2.4, label="R(δ) = max(0, H[M] - δ)")
    kept = [coded(source, erasure_code(source.orbits, keep)) for keep in np.linspace(0, 1, 9)]
    axes.plot(
        [c.worst_excess_bits for c in kept],
        [c.rate_bits for c in kept],
        "o",
        color=BLUE,
        label="M, sent now and then",
    )
    merged = [coded(source, code_table(source.orbits // width)) for width in (1, 2, 3, 5)]
    axes.plot([c.worst_excess_bits for c in merged], [c.rate_bits for c in merged], "D", color=GREEN, label="M, merged")
    codes = [
        coded(source, rng.dirichlet(np.full(z, 0.03), size=len(source.orbits)))
        for z in np.repeat([2, 4, 8, 16, 32, 64], 12)
    ]
    codes += [coded(source, code_table(np.arange(256) >> drop)) for drop in range(8)]
    axes.plot(
        [c.worst_excess_bits for c in codes],
        [c.rate_bits for c in codes],
        ".",
        color=GREY,
        label="codes that know of no invariance",
    )
    axes.annotate("lossless: 8 bits", (0.0, 8.0), (0.35, 7.75), color=GREY)
    axes.annotate(f"H[M] = {bits:.2f} bits: nothing is lost", (0.0, bits), (0.3, bits + 0.35), color=BLUE)
    axes.set_xlabel("δ: largest excess log loss of any invariant task, bits")
    axes.set_ylabel("rate I(X;Z), bits a sample")
    axes.set_title("8 fair bits whose order does not matter")
    axes.legend(loc="upper right", fontsize=8, bbox_to_anchor=(1, 0.9))
    save(figure, folder / "theory-rate-invariance.svg")


def tasks(folder):
    source = shifted_strings(8)
    bits = source.invariant_entropy_bits
    figure, axes = plt.subplots(figsize=(6.4, 4.2), layout="constrained")
    control = place_in_orbit(source.orbits)
    drawn = [random_task(source.orbits, 2 + seed % 6, seed, 0.1) for seed in range(20)]
    saved, worst, lost, others = [], [], [], []
    for width in (1, 2, 3, 4, 6, 9, 12, 18, 36):
        code = coded(source, code_table(source.orbits // width))
        saved.append(bits - code.rate_bits)
        worst.append(code.worst_excess_bits)
        lost.append(code.excess_bits(control))
        others.append([code.excess_bits(task) for task in drawn])
    axes.plot(np.repeat(saved, len(drawn)), np.ravel(others), ".", color=GREY, label="random invariant tasks")
    axes.plot(saved, worst, "o-", color=BLUE, label="the worst invariant task, Y = M")
    axes.plot(saved, lost, "s--", color=RED, label="a task that is not invariant: which rotation?")
    axes.set_xlabel("bits saved below H[M] by merging orbits")
    axes.set_ylabel("excess log loss, bits")
    axes.set_title(f"8 fair bits on a ring, known up to rotation: H[M] = {bits:.2f} bits")
    axes.legend(loc="upper left", fontsize=8)
    save(figure, folder / "theory-tasks.svg")


def banana(folder):
    source = banana_source()
    x = source.sample(3000, 0)
    figure, panels = plt.subplots(1, 2, figsize=(9.6, 4.6), sharex=True, sharey=True, layout="constrained")
    reach = 9.0
    for panel, title in zip(panels, ("cells of a quantizer of x", "cells of a quantizer of |x|"), strict=True):
        panel.scatter(*x.T, s=2, color=BLUE, alpha=0.5, linewidths=0, rasterized=True)
        panel.set_aspect("equal")
        panel.set_xlim(-reach, reach)
        panel.set_ylim(-reach, reach)
        panel.set_title(title)
    for line in np.arange(-8.5, 9):
        panels[0].axhline(line, color=GREY, linewidth=0.5)
        panels[0].axvline(line, color=GREY, linewidth=0.5)
    for radius in np.arange(0.5, 13):
        panels[1].add_patch(plt.Circle((0, 0), radius, fill=False, color=GREY, linewidth=0.6))
    point = x[np.argmin(np.abs(source.invariant(x) - 4))]
    turned = source.views(np.repeat(point[None], 12, axis=0), 1)
    panels[1].scatter(*turned.T, s=28, color=RED, zorder=3, label="one orbit: one symbol")
    panels[1].legend(loc="lower left", fontsize=8)
    save(figure, folder / "theory-banana.svg")


def curve(folder):
    source = banana_source()
    fit, test = source.sample(40 * 4096, 0), source.sample(20 * 4096, 1)
    steps = (2.0, 1.6, 1.3, 1.0, 0.8, 0.7, 0.5, 0.35)
    figure, axes = plt.subplots(figsize=(6.4, 4.2), layout="constrained")
    lines = {}
    for name, view, colour, marker in (
        ("x, both coordinates", lambda points: points, RED, "s"),
        ("|x|, the maximal invariant", source.invariant, BLUE, "o"),
    ):
        found = [quantization_point(view(fit), view(test), step) for step in steps]
        lines[name] = found
        axes.plot(
            [point.bits_file for point in found],
            [point.mse for point in found],
            color=colour,
            marker=marker,
            label=f"{name}: {len(steps)} steps, real blocks of 4096",
        )
    bits = np.linspace(1.2, 4.5, 50)
    shannon = 2 ** (2 * (source.invariant_entropy_bits - bits)) / (2 * math.pi * math.e)
    axes.plot(bits, shannon, ":", color=BLUE, label="|x|: Shannon's lower bound")
    axes.set_yscale("log")
    axes.set_xlabel("bits a sample, from bytes")
    axes.set_ylabel("mean squared error of what is coded")
    axes.set_ylim(5e-4, 1)
    axes.set_title("The banana: what the angle costs")
    axes.grid(alpha=0.25)
    axes.legend(fontsize=8, loc="lower right")
    save(figure, folder / "theory-curve.svg")


def certificate(folder):
    """A code that confuses pairs among a part of its samples: the truth is known, the bound comes down to it."""
    samples, views = 256, 4
    source = disjoint_orbits(samples, views)
    orbits = source.orbits
    codes = np.where(orbits < 52, orbits // 2, orbits)
    truth = coded(source, code_table(codes)).worst_excess_bits
    joint = np.zeros((samples, samples))
    np.add.at(joint, (codes, orbits), 1)
    posterior = joint / np.maximum(joint.sum(axis=1, keepdims=True), 1)
    first = np.unique(orbits, return_index=True)[1]
    pairs = [256, 512, 1024, 2048, 4096, 8192, 16384, 32768, 65536, 131072]
    found = []
    for count in pairs:
        items = draw_items(samples, count)
        drawn = codes[source.views(first[items], 1)]
        found.append(bound_excess(lambda z: posterior[z], drawn, items, samples))
    figure, axes = plt.subplots(figsize=(6.4, 4.2), layout="constrained")
    axes.plot(pairs, [bound.bound_bits for bound in found], "o-", color=BLUE, label="certificate (95 % confidence)")
    axes.axhline(truth, color=GREY, linestyle="--", label=f"the truth, H[M|Z] = {truth:.3f} bits")
    named = coded(source, code_table(codes))
    worst = [named.excess_bits(random_task(orbits, 2 + seed % 5, seed)) for seed in range(50)]
    axes.plot(np.full(50, pairs[-1] * 1.25), worst, "_", color=GREEN, label="50 random invariant tasks")
    axes.set_xscale("log", base=2)
    axes.set_xlabel("fresh views tested")
    axes.set_ylabel("excess log loss, bits")
    axes.set_ylim(0, None)
    axes.set_title("256 samples, 52 of them confused in pairs")
    axes.legend(fontsize=8)
    save(figure, folder / "certificate-views.svg")


def save(figure, path):
    matplotlib.rcParams["svg.hashsalt"] = path.name
    figure.savefig(path, metadata={"Date": None, "Creator": None}, dpi=150)
    plt.close(figure)
    text = path.read_text(encoding="utf-8")
    path.write_text("\n".join(line.rstrip() for line in text.splitlines()) + "\n", encoding="utf-8")
    print(path)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", default=Path("docs/images"))
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    for draw in (rate_invariance, tasks, banana, curve, certificate):
        draw(folder)


if __name__ == "__main__":
    main()
