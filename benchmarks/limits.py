"""Bounds on R(D) of sources where it is known: ours against closed forms and published figures.

    python benchmarks/limits.py [-o benchmarks/results/limits.json] [--samples 20000] [--held-out 100000]

F = R + lambda D, in nats, of samples that fitted nothing, at the slope of the closed form; and, where the dual says
something, its lower bound on F. Rows that are in the result already are not reckoned again.
"""

import argparse
import json
import math
import time
from pathlib import Path

import numpy as np
from stamp import stamp

from taskcodec.theory.limits.blahut_arimoto import exact_point
from taskcodec.theory.limits.closed_forms import (
    bernoulli_bits,
    gaussian_bits,
    laplace_bits,
    noisy_sphere_bits,
    sphere_point,
)
from taskcodec.theory.limits.dual import MOST_DIMENSIONS, fit_dual, lower_point
from taskcodec.theory.limits.laws import BITS
from taskcodec.theory.limits.upper import UpperBound

SEED = 0
PLANE = np.array([2.0, 1.3137 / 2])
SPECTRUM = 1 / np.arange(1, 101)
LEVEL = 0.0103776
"""At which that spectrum takes 67.2 bits."""


def gaussian(variances):
    return lambda n, rng: rng.standard_normal((n, len(variances))) * np.sqrt(variances)


def sphere(dimension, noise=0.0):
    def draw(n, rng):
        x = rng.standard_normal((n, dimension))
        return x / np.linalg.norm(x, axis=1)[:, None] + math.sqrt(noise) * rng.standard_normal((n, dimension))

    return draw


def continuous(samples):
    """Name, samples to fit to, how to draw, D, R in bits, slope."""
    yield "gaussian, 2", samples, gaussian(PLANE), 2 / 3, gaussian_bits(PLANE, 2 / 3), 1.5
    for d in (2, 5, 10):
        yield f"sphere and noise, {d}", samples, sphere(d, 0.1), d * 0.1, noisy_sphere_bits(d, 0.1, d * 0.1), 5.0
    for d, k in ((2, 2), (2, 8), (3, 8), (8, 8)):
        distortion, bits = sphere_point(d, k)
        yield (
            f"sphere, {d}, concentration {k}",
            samples,
            sphere(d),
            distortion,
            bits,
            k / (2 * math.sqrt(1 - distortion)),
        )
    distortion = float(np.minimum(SPECTRUM, LEVEL).sum())
    for n in (1000, 4000, 16000):
        true = gaussian_bits(SPECTRUM, distortion)
        yield f"gaussian, 100, {n} samples", n, gaussian(SPECTRUM), distortion, true, 0.5 / LEVEL


def bounded(samples, held_out, draw, distortion, bits, slope):
    """The row of a source that samples are drawn of."""
    rng = np.random.default_rng(SEED)
    x, others = draw(samples, rng), draw(held_out, rng)
    bound = UpperBound(x)
    started = time.perf_counter()
    law, near = bound.law_for(distortion)
    scores = law.scores(others, slope)
    row = {
        "true_nats": bits / BITS + slope * distortion,
        "upper_nats": float(scores.nats.mean()),
        "upper_error_nats": float(scores.nats.std()) / math.sqrt(len(others)),
        "upper_distortion": float(scores.distortion.mean()),
        "method": law.method,
        "fitted_at_slope": near,
        "fit_seconds": round(time.perf_counter() - started, 1),
    }
    if x.shape[1] <= MOST_DIMENSIONS:
        bounded = others[:50_000]
        found = lower_point(fit_dual(x, law, slope, len(bounded)), bounded, 0.0)
        row |= {"lower_nats": found.rate_bits / BITS, "lower_error_nats": found.error_bits / BITS}
    return row


def finite():
    """Sources on grids, exactly: name, the point, and R in bits at its distortion."""
    grid = np.linspace(-14, 14, 561)
    p = np.exp(-np.abs(grid))
    p /= p.sum()
    for slope in (1.5, 3.0, 6.0):
        found = exact_point([0.3, 0.7], 1.0 - np.eye(2), slope)
        yield f"Bernoulli(.3), slope {slope:g}", found, bernoulli_bits(0.3, found.distortion)
        found = exact_point(p, np.abs(grid[:, None] - grid), slope)
        yield f"Laplace, absolute error, slope {slope:g}", found, laplace_bits(1.0, found.distortion)
    published = {0.49484: 0.62846, 0.24942: 0.96913, 0.09996: 1.42578}
    for distortion, nats in published.items():
        low, high = 0.2, 20.0
        while high / low > 1.001:
            slope = math.sqrt(low * high)
            found = exact_point(p, (grid[:, None] - grid) ** 2, slope)
            low, high = (slope, high) if found.distortion > distortion else (low, slope)
        yield f"Laplace, squared error, {distortion:g}", found, nats * BITS


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, default=Path("benchmarks/results/limits.json"))
    parser.add_argument("--samples", type=int, default=20_000)
    parser.add_argument("--held-out", type=int, default=100_000)
    arguments = parser.parse_args()
    known = json.loads(arguments.output.read_text())["rows"] if arguments.output.exists() else {}
    made_by = stamp("numpy", "scipy", seed=SEED)

    def keep(name, row):
        known[name] = row
        arguments.output.write_text(json.dumps({**made_by, "rows": known}, indent=1) + "\n")
        print(name, json.dumps(row), flush=True)

    for name, samples, *source in continuous(arguments.samples):
        if name not in known:
            keep(name, bounded(samples, arguments.held_out, *source))
    if "Bernoulli(.3), slope 1.5" not in known:
        for name, found, bits in finite():
            measured = {"distortion": found.distortion, "rate_nats": found.rate_bits / BITS}
            keep(name, {**measured, "gap_nats": found.gap_bits / BITS, "true_nats": bits / BITS})


if __name__ == "__main__":
    main()
