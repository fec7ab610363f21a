"""The banana under rotation: learned codecs against entropy-coded scalar quantization, in real bytes.

    python benchmarks/banana/run.py [--quick] [--seed 0] [--out benchmarks/banana]

VC codes the plane; VIC and BINCE see points turned about the origin at random, so that only |x| can be kept. All are
measured alike: points the codecs never saw, real blocks of 4096, each code decoded to the mean of the fitted points
that have it. Uniform entropy-coded scalar quantization, measured the same way, is the curve to meet: of |x| for VIC and
BINCE, of both coordinates for VC. Writes results.json, curve.png and regions.png; about 25 minutes on one core.
"""

import argparse
import json
import platform
import time
from functools import partial
from importlib.metadata import version
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import numpy as np
import torch
from matplotlib import pyplot as plt

import taskcodec
from taskcodec.coding import encode_block
from taskcodec.data.augmentations.kinds import jittered, radius, rotations
from taskcodec.data.toy import banana_source
from taskcodec.evaluation.report.colours import COLOURS
from taskcodec.fitting import adapt
from taskcodec.fitting.gradient.recipe import NetworkChoice, Recipe, Schedule
from taskcodec.fitting.gradient.training import TrainingSet, train
from taskcodec.theory.rate_invariance import BLOCK, quantization_point

MLP = NetworkChoice("mlp", {"hidden": [64, 64]})
VIC_BETAS = (0.6, 0.3, 0.15, 0.08, 0.05, 0.03)
VC_BETAS = (2.0, 1.0, 0.5, 0.25, 0.1, 0.05)
BINCE_SETTINGS = ((1.0, 0.05), (0.8, 0.07), (0.6, 0.1), (0.4, 0.2), (0.3, 0.3), (0.2, 0.3), (0.15, 0.3))
"""Spread of the jitter, beta."""
PLAIN_BINCE = (0.7, 0.5)
"""Betas without jitter: what BINCE does of itself, kept to show why jitter is there."""
TASKS = {"plane": "x, mean squared error", "radius": "|x|, mean squared error"}


def settings(quick):
    """(name, objective, beta, jitter, columns) of every point."""
    found = [("VIC", "VIC", beta, 0.0, 2) for beta in VIC_BETAS]
    found += [("VC", "VC", beta, 0.0, 2) for beta in VC_BETAS]
    found += [("BINCE", "BINCE", beta, jitter, 1) for jitter, beta in BINCE_SETTINGS]
    found += [("BINCE without jitter", "BINCE", beta, 0.0, 1) for beta in PLAIN_BINCE]
    return [s for s in found if s[:3] == ("VIC", "VIC", 0.15)] if quick else found


def fitted(setting, points, seed, steps):
    """The trained codec of a setting, its tables refitted to the points as `encode` does."""
    _, objective, beta, jitter, columns = setting
    recipe = Recipe(objective, beta, columns, MLP, None if objective == "BINCE" else MLP)
    views = None if objective == "VC" else jittered(rotations, jitter) if jitter else rotations
    batch = 256 if objective == "BINCE" else 512
    schedule = Schedule(steps, batch, learning_rate=2e-3, accelerator="cpu", seed=seed)
    x = torch.from_numpy(points)
    codec = train(TrainingSet(x, views=views, target=radius), recipe, schedule).codec
    return adapt(codec, codec.analyse(list(points[:50_000])))


def block_bits(codec, symbols):
    """Bits a sample of blocks of BLOCK samples."""
    size = sum(len(encode_block(symbols[i : i + BLOCK], codec.base.model)) for i in range(0, len(symbols), BLOCK))
    return 8 * size / len(symbols)


def decoded_error(known, symbols, known_target, target):
    """Mean squared error where each code is decoded to the mean target of the known samples that have it."""
    codes, index = np.unique(known, axis=0, return_inverse=True)
    counts = np.bincount(index)
    means = np.stack([np.bincount(index, column) / counts for column in known_target.T], axis=1)
    place = {tuple(code): row for row, code in enumerate(codes)}
    rows = np.array([place.get(tuple(symbol), -1) for symbol in symbols])
    found = np.where(rows[:, None] >= 0, means[rows], known_target.mean(axis=0))
    return float(((found - target) ** 2).sum(axis=1).mean())


def reference(fit, test):
    """Points of uniform entropy-coded scalar quantization."""
    return [quantization_point(fit, test, step) for step in np.geomspace(0.15, 4.5, 28)]


def bits_at(curve, mse):
    """Bits that the curve takes for a mean squared error, interpolated in its logarithm."""
    return float(np.interp(np.log(mse), [np.log(p.mse) for p in curve], [p.bits_file for p in curve]))


def draw_curves(rows, curves, file):
    figure, panels = plt.subplots(1, 2, figsize=(10, 4.4), layout="constrained")
    for panel, (task, words) in zip(panels, TASKS.items(), strict=True):
        line = [p for p in curves[task] if p.step < 3.2 and p.bits_file < 8]
        label = "scalar quantization of " + ("|x|" if task == "radius" else "both coordinates")
        panel.plot([p.bits_file for p in line], [p.mse for p in line], color="#444444", linewidth=1.2, label=label)
        names = dict.fromkeys(row["codec"] for row in rows if row["task"] == words)
        for number, name in enumerate(names):
            own = sorted((r["bits_file"], r["mse"]) for r in rows if r["codec"] == name)
            marker = "osD^"[number]
            faint = {"alpha": 0.6, "markerfacecolor": "none"} if "without" in name else {}
            panel.plot(*zip(*own, strict=True), marker, color=COLOURS[number], label=name, **faint)
        panel.set(xlabel="bits a sample, in files", ylabel=f"error of {words.split(',')[0]}", yscale="log")
        panel.set_xlim(left=0)
        panel.grid(alpha=0.25)
        panel.legend(frameon=False)
    figure.suptitle("Banana: what is decoded from real bytes (loss = distortion + beta * rate_bits)")
    figure.savefig(file, dpi=110)


def draw_regions(codecs, test, file):
    """The plane by code: VC's cells follow the banana, those of the others are rings."""
    side = np.linspace(-8, 8, 400, dtype=np.float32)
    grid = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
    figure, panels = plt.subplots(1, len(codecs), figsize=(3.9 * len(codecs), 4.1), layout="constrained")
    shuffle = np.random.default_rng(3)
    for panel, (title, codec) in zip(np.atleast_1d(panels), codecs.items(), strict=True):
        symbols = codec.encode(list(grid))
        index = np.unique(symbols, axis=0, return_inverse=True)[1].reshape(len(side), len(side))
        colours = shuffle.permutation(np.linspace(0.1, 1, int(index.max()) + 1))
        panel.imshow(colours[index], origin="lower", extent=(-8, 8, -8, 8), cmap="Pastel1", interpolation="nearest")
        edges = (np.diff(index, axis=0)[:, 1:] != 0) | (np.diff(index, axis=1)[1:] != 0)
        lines = np.ma.masked_equal(edges.astype(float), 0)
        panel.imshow(lines, origin="lower", extent=(-8, 8, -8, 8), cmap="Greys", vmin=0, vmax=1.6)
        panel.plot(*test[:600].T, ".", color="#222222", markersize=1.6)
        panel.set(title=title, xlim=(-8, 8), ylim=(-8, 8), xticks=[], yticks=[], aspect="equal")
    figure.savefig(file, dpi=110)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one point, few steps: a test that it works")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    options = parser.parse_args()
    torch.set_num_threads(1)
    options.out.mkdir(parents=True, exist_ok=True)
    source, samples = banana_source(), 20_000 if options.quick else 200_000
    fit = source.sample(samples, options.seed).astype(np.float32)
    test = source.sample(BLOCK * (2 if options.quick else 16), options.seed + 1000).astype(np.float32)
    target = {"plane": partial(np.asarray, dtype=np.float64), "radius": lambda x: source.invariant(x)[:, None]}
    curves = {task: reference(of(fit), of(test)) for task, of in target.items()}
    versions = {name: version(name) for name in ("torch", "lightning", "numpy")}
    versions |= {"taskcodec": taskcodec.__version__, "python": platform.python_version()}
    rows, shown = [], {}
    for setting in settings(options.quick):
        name, objective, beta, jitter, _ = setting
        begun = time.monotonic()
        codec = fitted(setting, fit, options.seed, 200 if options.quick else 1500)
        task = "plane" if objective == "VC" else "radius"
        known, symbols = (codec.encode(list(part)) for part in (fit, test))
        mse = decoded_error(known, symbols, target[task](fit), target[task](test))
        bits, least = block_bits(codec, symbols), bits_at(curves[task], mse)
        rows.append(
            {
                "objective": objective,
                "codec": name,
                "entropy_model": "factorized",
                "beta": beta,
                "beta_multiplies": "rate_bits",
                "jitter": jitter,
                "seed": options.seed,
                "bits_file": bits,
                "bits_model": float(codec.code_length(symbols).mean()),
                "mse": mse,
                "task": TASKS[task],
                "bits_scalar_quantization": least,
                "excess_percent": 100 * (bits / least - 1),
                "samples": len(test),
                "command": f"python benchmarks/banana/run.py --seed {options.seed}",
                "versions": versions,
            }
        )
        print(f"{name} beta {beta:g} jitter {jitter:g}: {bits:.3f} bits, error {mse:.4f}; scalar {least:.3f} bits, "
              f"{100 * (bits / least - 1):+.1f} % ({time.monotonic() - begun:.0f} s)", flush=True)  # fmt: skip
        if (name, beta) in {("VC", 0.5), ("VIC", 0.15), ("BINCE", 0.1), ("BINCE without jitter", 0.7)}:
            shown.setdefault(f"{name}, {bits:.1f} bits", codec)
        (options.out / "results.json").write_text(json.dumps(rows, indent=1) + "\n")
    draw_curves(rows, curves, options.out / "curve.png")
    draw_regions(shown, test, options.out / "regions.png")


if __name__ == "__main__":
    main()
