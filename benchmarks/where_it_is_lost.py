"""Where a fitted codec loses accuracy: the axes that it leaves out, or the coarse steps on those that it keeps.

    python benchmarks/where_it_is_lost.py SET.npz... [--seeds 0 1] [--out benchmarks/results/where_it_is_lost.json]

SET.npz: features (n, d), labels (n,), and optionally groups (n,), rows of one group staying together. At most 1,000
samples of a set are drawn by the seed, and split in three folds; codecs are fitted on the training folds without
labels. "axes alone": the latent columns in use, as they were before quantization. Ridge probes.
"""

import argparse
import json
from importlib.metadata import version
from pathlib import Path

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold

from taskcodec.evaluation.predictors.probing import probe_scores
from taskcodec.evaluation.tasks.holdout import Holdout, Split
from taskcodec.evaluation.tasks.targets import Target
from taskcodec.fitting import fit

SAMPLES = 1000
RATES = (128, 256, 512)
USED = 0.05
"""A column is in use where at least this share of its training symbols is not zero."""


def read(file, seed):
    with np.load(file, allow_pickle=False) as kept:
        features, labels = kept["features"].astype(np.float32), kept["labels"]
        groups = kept["groups"] if "groups" in kept.files else None
    if len(features) > SAMPLES:
        rows = np.sort(np.random.default_rng(seed).permutation(len(features))[:SAMPLES])
        features, labels, groups = features[rows], labels[rows], None if groups is None else groups[rows]
    names, numbers = np.unique(labels, return_inverse=True)
    target = Target("class", "classification", np.arange(len(labels)), numbers, tuple(map(str, names)))
    return Path(file).stem, features, target, np.arange(len(labels)) if groups is None else groups


def three_folds(target, groups, seed):
    """Classes in proportion, the rows of a group on one side."""
    folds = StratifiedGroupKFold(3, shuffle=True, random_state=seed)
    splits = (Split(*parts) for parts in folds.split(np.zeros((len(groups), 1)), target.values, groups))
    return Holdout(tuple(splits), np.unique(groups, return_inverse=True)[1], "three folds")


def axes_alone(codec, train, features):
    """Features as they come back through the codec's columns in use, without quantization."""
    used = (codec.encode(train) != 0).mean(axis=0) > USED
    latent = codec.transform.analyse(features)
    return codec.transform.synthesise(np.where(used, latent, 0).astype(np.float32)), int(used.sum())


def variants(train, features, bits):
    """{name: (features as they come back, columns in use)}"""
    codec = fit(train, bits=bits)
    plain = fit(train, bits=bits, emphasis=0)
    alone, used = axes_alone(codec, train, features)
    return {
        "coded": (codec.decode(codec.encode(features)), used), "axes alone": (alone, used),
        "coded, without emphasis": (plain.decode(plain.encode(features)), axes_alone(plain, train, train[:2])[1]),
    }  # fmt: skip


def percent(target, holdout, decoded):
    scores = probe_scores(target, holdout, decoded)
    return 100 * float(np.mean(scores.targets == scores.predictions))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sets", nargs="+", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "where_it_is_lost.json")
    options = parser.parse_args()
    rows = []
    for seed in options.seeds:
        for name_of_set, features, target, groups in (read(file, seed) for file in options.sets):
            holdout = three_folds(target, groups, seed)
            common = {"set": name_of_set, "seed": seed, "samples": len(features)}
            raw = percent(target, holdout, [features] * 3)
            rows.append({**common, "bits": None, "variant": "raw", "columns": None, "accuracy": raw})
            for bits in RATES:
                found = [variants(features[s.train], features, bits) for s in holdout.splits]
                for name in found[0]:
                    share = percent(target, holdout, [parts[name][0] for parts in found])
                    columns = float(np.mean([parts[name][1] for parts in found]))
                    rows.append({**common, "bits": bits, "variant": name, "columns": columns, "accuracy": share})
    made_by = {"command": "python benchmarks/where_it_is_lost.py SET.npz...", "numpy": version("numpy")}
    options.out.write_text(json.dumps([{**row, **made_by} for row in rows], indent=1) + "\n")
    for bits, name in dict.fromkeys((row["bits"], row["variant"]) for row in rows):
        here = [row for row in rows if (row["bits"], row["variant"]) == (bits, name)]
        print(f"{bits or '':>5} {name:26}{np.mean([row['accuracy'] for row in here]):7.2f}")


if __name__ == "__main__":
    main()
