"""Codec against codec on one run of `taskcodec benchmark`: paired differences of mean accuracy, with intervals.

    python benchmarks/duels.py OUT/points [--out benchmarks/results/benchmark/duels.json]

Both codecs of a duel were judged on the same test samples, so the difference is resampled by units (a house, a sample)
within each set, 2,000 times, and its 95 % interval is narrower than the two codecs' own. Each duel is one line of the
claims: zero-shot at equal bytes, fitted at half the bytes of the other, and against raw features.
"""

import argparse
import json
from pathlib import Path

import numpy as np

DRAWS = 2000
SEED = 0
EQUAL = (256, 512, 900, 1024)
QUANTIZERS = {256: "32x8", 512: "64x8", 1024: "128x8"}


def tasks_of(points, name):
    """{what identifies a task: (units, right)} of a codec's classification tasks; name: as in the files' names."""
    found = {}
    for file in sorted(points.glob(f"{name}-*.npz")):
        if len(file.stem) != len(name) + 25:  # name, "-", 24 digits of a hash
            continue
        with np.load(file, allow_pickle=False) as kept:
            for number in range(sum(key.startswith("units-") for key in kept)):
                units, targets, predicted = (kept[f"{k}-{number}"] for k in ("units", "targets", "predictions"))
                if np.array_equal(targets, targets.round()) and len(np.unique(targets)) < 100:
                    found[units.tobytes() + targets.tobytes()] = (units, predicted == targets)
    return found


def duel(points, ours, theirs):
    """Mean over tasks of the difference in accuracy, in points, and its interval; None where one was not run."""
    a, b = tasks_of(points, ours), tasks_of(points, theirs)
    if not a or a.keys() != b.keys():
        return None
    chance, draws, means = np.random.default_rng(SEED), np.zeros(DRAWS), []
    for key, (units, right) in a.items():
        _, group = np.unique(units, return_inverse=True)
        size = np.bincount(group)
        gain = np.bincount(group, right.astype(float) - b[key][1])
        means.append(gain.sum() / size.sum())
        rows = chance.integers(len(size), size=(DRAWS, len(size)))
        draws += gain[rows].sum(axis=1) / size[rows].sum(axis=1)
    low, high = np.percentile(draws / len(a), [2.5, 97.5])
    return {"tasks": len(a), "difference": 100 * float(np.mean(means)), "low": 100 * low, "high": 100 * high}


def peers(regime, bits):
    """File names of all feature codecs at so many bits."""
    names = [f"{regime}-{codec}-{bits}" for codec in ("KLT", "step", "step-tables-as-shipped")]
    if bits in QUANTIZERS:
        size = QUANTIZERS[bits]
        count = size.partition("x")[0]
        names += [f"{regime}-PQ-PQ{size}", f"{regime}-OPQ-OPQ{count}_256-PQ{size}", f"{regime}-RQ-PCA256-RQ{size}"]
    return names


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("points", type=Path)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "benchmark" / "duels.json")
    options = parser.parse_args()
    pairs = [(f"{regime}-taskcodec-{bits}", "as-is-float32") for regime in ("zero-shot", "fitted")
             for bits in (128, 256, 500, 512, 900, 1024, 1200)]  # fmt: skip
    pairs += [(f"zero-shot-taskcodec-{bits}", peer) for bits in EQUAL for peer in peers("zero-shot", bits)]
    pairs += [(f"fitted-taskcodec-{bits // 2}", peer) for bits in QUANTIZERS for peer in peers("fitted", bits)]
    made_by = {"command": "python benchmarks/duels.py OUT/points", "seed": SEED, "numpy": np.__version__}
    rows = []
    for ours, theirs in pairs:
        found = duel(options.points, ours, theirs)
        if found is None:
            print(f"{ours:28} {theirs:40} not run")
            continue
        rows.append({"ours": ours, "theirs": theirs, **found, **made_by})
        print(f"{ours:28} {theirs:40} {found['difference']:+6.2f} [{found['low']:+.2f}, {found['high']:+.2f}]")
    options.out.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
