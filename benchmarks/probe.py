"""What `fit --probe` buys: accuracy at equal bits, of the probe's own task and of one that it knows nothing of.

    python benchmarks/probe.py FEATURES.npz ... [-o benchmarks/results/probe.json]

Each file holds `x` (n, d) and labels `y` (n,) of a set (what `folder_features.py` writes). Half of the classes are the
probe's task; the other half stands for tasks that come later. Three folds: codecs are fitted to the training side
without labels, the probe (a ridge) to its classes there; ridges are then trained anew on decoded features of the
training side, for either half, and tested on decoded features of the other side, on which nothing was fitted. Ways:

    usual      the default codec, effort 1 and 3
    coarser    effort 3 from a codec that was fitted at twice the rate: more axes, a coarser step
    kept       the same with `keeping`: its encoder keeps what the probe says
    searched   symbols alone are chosen under the probe's metric, along the trellis of effort 3: half of the weight is
               on what the probe says, axes that are dropped included, half on all axes alike

Bits are those of an ideal coder of the tested samples. What is in the result already is not measured again.
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
from default_sizes import FOLDS, folds_of
from stamp import stamp

from taskcodec import fit
from taskcodec.entropy_models.empirical import freeze_dependent
from taskcodec.evaluation.predictors.linear import RidgePath
from taskcodec.evaluation.predictors.probing import probe_accuracy
from taskcodec.fitting.effort import SLOPE, with_effort
from taskcodec.fitting.probe import keeping
from taskcodec.quantization.dependent import DependentQuantizer
from taskcodec.transforms.companding import compand

SEED = 0
RATES = (32.0, 64.0, 128.0, 256.0)
EFFORTS = (("usual", 1), ("usual", 3), ("coarser", 3), ("kept", 1), ("kept", 3), ("searched", 3))
WAYS = {"raw", *(way for way, _ in EFFORTS)}
SHARE, WIDER = 0.5, 2.0
"""Of the search: the weight of what the probe says, and its step in those of effort 3."""


def probe_of(x, y):
    """(d, m) weights of a ridge, one against all."""
    names, classes = np.unique(y, return_inverse=True)
    targets = 2.0 * (classes[:, None] == np.arange(len(names))) - 1
    away = x - x.mean(axis=0, dtype=np.float64)
    unit = np.sqrt((away**2).sum(axis=1).mean())
    path = RidgePath(away / unit)
    return path.predict(targets, np.eye(x.shape[1]), path.best_strength(targets)) - targets.mean(axis=0)


def searched(codec, x, weights, train):
    """Symbols of (n, d) features by a search along paths that each know how far the probe is off, and their codec."""
    base = codec.base
    affine, trellis, step = base.transform.affine, base.quantizer.trellis, WIDER * base.quantizer.step
    companded, latent = compand(x, affine.companding), base.transform.of_features.analyse(x)
    synthesis = affine.axes.synthesis
    slopes = 2 * companded[train].mean(axis=0)[:, None] if affine.companding == "sqrt" else 1.0
    seen = (affine.scale[:, None] * synthesis) @ (slopes * weights)
    unit = np.sqrt(len(seen) / (seen**2).sum())
    off = ((latent * affine.scale) @ synthesis + affine.centre - companded) @ (slopes * weights) * unit / step
    z, seen, model = latent / step, unit * seen, base.model
    for _ in range(2):
        symbols = along(z[train], model, seen, off[train])
        model = freeze_dependent(symbols, trellis.along(symbols), trellis, base.model.sharing)
    quantizer = DependentQuantizer(step, SLOPE, trellis, z.shape[1])
    return along(z, model, seen, off), codec.with_base(replace(base, quantizer=quantizer, model=model))


def along(z, model, seen, off):
    """(n, k) latent in steps -> symbols: each state keeps one path, and how far off the probe is along it."""
    (n, k), states, rows = z.shape, model.trellis.states, np.arange(len(z))
    second, order = np.arange(states) & 1, np.argsort(model.trellis.following, kind="stable").reshape(-1, 2)
    least = np.where(np.arange(states) == 0, 0.0, np.inf) + np.zeros((n, 1))
    error = np.repeat(off[:, None], states, axis=1)
    chosen, before = np.empty((k, n, states), np.int32), np.empty((k, n, states), np.int8)
    for j in range(k):
        toward, power = error @ seen[j], float(seen[j] @ seen[j])
        target = np.abs(z[:, j : j + 1] - SHARE * toward / (1 - SHARE + SHARE * power))
        sign = np.where(z[:, j : j + 1] - SHARE * toward / (1 - SHARE + SHARE * power) < 0, -1, 1)
        candidates = []
        for parity in (0, 1):  # points 2 s - sign(s) second: the nearest symbol of this parity, or 0
            nearest = 2 * np.rint((target + second - 2 * parity) / 4).astype(np.int32) + parity
            candidates.append([sign * nearest] + [np.zeros_like(nearest)] * (parity == 0))
        costs, symbols, moves = (np.empty((n, 2 * states)) for _ in range(3))
        for parity, found in enumerate(candidates):
            priced = []
            for one in found:
                move = 2.0 * one - np.sign(one) * second - z[:, j : j + 1]
                probe = SHARE * (2 * move * toward + power * move * move)
                priced.append((1 - SHARE) * move * move + probe + SLOPE * bits_of(model, one, second, j))
            best = np.argmin(priced, axis=0)
            own = np.where(best == 0, found[0], found[-1])
            costs[:, parity::2] = least + np.min(priced, axis=0)
            symbols[:, parity::2], moves[:, parity::2] = own, 2.0 * own - np.sign(own) * second - z[:, j : j + 1]
        later = costs[:, order[:, 1]] < costs[:, order[:, 0]]
        taken = np.where(later, order[:, 1], order[:, 0])
        least, before[j] = costs[rows[:, None], taken], taken >> 1
        chosen[j] = symbols[rows[:, None], taken]
        error = error[rows[:, None], before[j]] + moves[rows[:, None], taken][:, :, None] * seen[j]
    found, state = np.empty((n, k), np.int32), least.argmin(axis=1)
    for j in range(k - 1, -1, -1):
        found[:, j], state = chosen[j][rows, state], before[j][rows, state]
    return found


def bits_of(model, symbols, second, column):
    """Bits of (n, states) symbols of a column, under the table of each state's quantizer."""
    bank, tables = model.choices, column + model.columns * second
    place = symbols - bank.first[tables]
    inside = (place >= 0) & (place < bank.sizes[tables] - 1)
    counts = bank.counts[bank.starts[tables] + np.where(inside, place, bank.sizes[tables] - 1)]
    return 16 - np.log2(counts) + np.where(inside, 0.0, 32.0)


def measure(x, y, rates, wanted):
    """Rows of a set: each way that is wanted at each rate, in the mean over folds."""
    generator = np.random.default_rng(SEED)
    folds, names = folds_of(y, generator), np.unique(y)
    own = np.isin(y, generator.permutation(names)[: len(names) // 2])
    found = {}

    def add(key, decoded, bits, train):
        row = {"bits": bits}
        for half, name in ((own, "own"), (~own, "other")):
            a, b = train & half, ~train & half
            row[name] = 100 * probe_accuracy(decoded[a], y[a], decoded[b], y[b]).value
        roots = [compand(part[~train], "sqrt") for part in (decoded, x)]
        row["error"] = float(np.square(roots[0] - roots[1]).sum(axis=1).mean())
        found.setdefault(key, []).append(row)

    for fold in range(FOLDS):
        train = folds != fold
        weights = probe_of(x[train & own], y[train & own])
        if "raw" in wanted:
            add(("raw", 0, 0), x, 32.0 * x.shape[1], train)
        for rate in rates:
            for way, effort in EFFORTS:
                if way not in wanted:
                    continue
                codec = fit(x[train], bits=2 * rate if way == "coarser" else rate)
                codec = keeping(codec, x[train], weights) if way == "kept" else codec
                codec = with_effort(codec, x[train], effort, rate)
                symbols = codec.encode(x)
                if way == "searched":
                    symbols, codec = searched(codec, x, weights, train)
                bits = float(codec.code_length(symbols[~train]).mean())
                add((way, effort, rate), codec.decode(symbols), bits, train)
    for (way, effort, rate), rows in found.items():
        means = {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}
        yield {"way": way, "effort": effort, "asked_bits": rate, **means}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("features", type=Path, nargs="+")
    parser.add_argument("-o", "--output", type=Path, default=Path("benchmarks/results/probe.json"))
    parser.add_argument("--rates", type=float, nargs="+", default=list(RATES))
    arguments = parser.parse_args()
    rows = json.loads(arguments.output.read_text())["rows"] if arguments.output.exists() else []
    made_by = stamp("numpy", "scipy", "scikit-learn", "constriction", seed=SEED)
    for file in arguments.features:
        known = {row["way"] for row in rows if row["set"] == file.stem}
        if not (wanted := WAYS - known):
            continue
        with np.load(file) as kept:
            x, y = kept["x"], kept["y"]
        for row in measure(x, y, arguments.rates, wanted):
            rows.append({"set": file.stem, "samples": len(x), **row})
            print(json.dumps(rows[-1]), flush=True)
        arguments.output.write_text(json.dumps({**made_by, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
