"""Would mixtures of tables take bits off a fitted codec? Symbols under one table a column against K tables a column.

    python -m benchmarks.mixture_tables FEATURES.npy [...] [-o benchmarks/results/mixture_tables.json]

The codec is fitted to three quarters of the rows. A mixture of K laws, each of independent columns, is fitted to their
symbols by EM (from k-means; counts shrunk to the columns' own tables as if those were `PRIOR` samples more), and all
are scored on the last quarter. `bits` has the class coded before the symbols, `ideal` the mixture as bits-back would
have it. `tables_bytes`: what K tables a column weigh more in the store, at half a byte a slot. A mixture pays where
that is less than it takes off the codes: `pays_from` is the number of samples from which on it does.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from benchmarks.stamp import stamp
from scipy.sparse import csr_matrix
from scipy.special import logsumexp
from sklearn.cluster import KMeans

import taskcodec

SEED, ROUNDS, PRIOR, SLOT_BYTES = 0, 15, 40.0, 0.5
RATES, CLASSES = (128, 290, 512), (4, 16, 64)


def indicators(symbols, low, starts, total):
    """(n, c) symbols -> (n, total), a one for each at its column's start and its place in it."""
    places = (symbols - low + starts).ravel()
    return csr_matrix(
        (np.ones(symbols.size), places, np.arange(0, symbols.size + 1, symbols.shape[1])), (len(symbols), total)
    )


def mixture(train, test, own, classes):
    """Bits a test sample with its class coded, and those of the mixture itself."""
    guess = KMeans(classes, n_init=2, random_state=SEED).fit_predict(train.toarray())
    belongs = np.eye(classes)[guess]
    for _ in range(ROUNDS):
        size = belongs.sum(0)
        laws = ((train.T @ belongs).T + PRIOR * own) / (size[:, None] + PRIOR)
        weights = (size + 0.5) / (len(guess) + 0.5 * classes)
        joint = train @ np.log(laws).T + np.log(weights)
        belongs = np.exp(joint - logsumexp(joint, axis=1, keepdims=True))
    joint = (test @ np.log(laws).T + np.log(weights)) / np.log(2)
    return -joint.max(1).mean(), -logsumexp(joint * np.log(2), axis=1).mean() / np.log(2)


def measure(path):
    x = np.load(path)
    x = x[np.random.default_rng(SEED).permutation(len(x))]
    n = len(x) * 3 // 4
    for bits in RATES:
        codec = taskcodec.fit(x[:n], bits=bits)
        train, test = codec.encode(x[:n]), codec.encode(x[n:])
        used = train.std(0) > 0
        train, test = train[:, used], test[:, used]
        low = np.minimum(train.min(0), test.min(0))
        width = np.maximum(train.max(0), test.max(0)) - low + 1
        starts, total = np.cumsum(width) - width, int(width.sum())
        train, test = indicators(train, low, starts, total), indicators(test, low, starts, total)
        own = np.asarray(train.sum(0)).ravel() + 0.3 / np.repeat(width, width)
        own /= np.repeat(np.add.reduceat(own, starts), width)
        alone = -(test @ np.log2(own)).mean()
        for classes in CLASSES:
            coded, ideal = mixture(train, test, own, classes)
            tables = SLOT_BYTES * total * (classes - 1)
            yield {
                "set": Path(path).stem, "fitted_to": n, "bits_asked": bits, "columns": int(used.sum()),
                "classes": classes, "one_table_bits": alone, "bits": coded, "ideal": ideal,
                "saved_percent": 100 * (1 - coded / alone), "tables_bytes": tables,
                "pays_from": int(tables / ((alone - coded) / 8)) if coded < alone else None,
            }  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("features", nargs="+")
    parser.add_argument("-o", "--output", type=Path)
    arguments = parser.parse_args()
    rows = []
    for path in arguments.features:
        for row in measure(path):
            rows.append(row)
            print(
                "{set:<24}{bits_asked:>5} bits {classes:>3} laws: {one_table_bits:7.1f} -> {bits:7.1f} "
                "({saved_percent:+.1f} %), pays from {pays_from} samples".format(**row)
            )
    if arguments.output:
        result = {"rows": rows, **stamp("numpy", "scikit-learn", "scipy", seed=SEED)}
        arguments.output.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
