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

from taskcodec.evaluation.predictors.probing import probe_scores
from taskcodec.evaluation.tasks.labelled import LabelledSet, Task, make_splits
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
    return LabelledSet(Path(file).stem, features, (Task("class", "accuracy", labels),), groups)


def axes_alone(codec, train, features):
    """Features as they come back through the codec's columns in use, without quantization."""
    used = (codec.encode(train) != 0).mean(axis=0) > USED
    latent = codec.base.transform.analyse(features)
    return codec.base.transform.synthesise(np.where(used, latent, 0).astype(np.float32)), int(used.sum())


def variants(train, features, bits):
    """{name: (features as they come back, columns in use)}"""
    codec = fit(train, bits=bits)
    plain = fit(train, bits=bits, emphasis=0)
    alone, used = axes_alone(codec, train, features)
    return {
        "coded": (codec.decode(codec.encode(features)), used), "axes alone": (alone, used),
        "coded, without emphasis": (plain.decode(plain.encode(features)), axes_alone(plain, train, train[:2])[1]),
    }  # fmt: skip


def percent(labelled, splits, decoded):
    scores = probe_scores(labelled, labelled.tasks[0], splits, decoded)
    return 100 * float(np.mean(scores.targets == scores.predictions))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sets", nargs="+", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "where_it_is_lost.json")
    options = parser.parse_args()
    rows = []
    for seed in options.seeds:
        for labelled in (read(file, seed) for file in options.sets):
            splits = make_splits(labelled, 3, 1, seed)
            common = {"set": labelled.name, "seed": seed, "samples": len(labelled.features)}
            raw = percent(labelled, splits, [labelled.features] * len(splits))
            rows.append({**common, "bits": None, "variant": "raw", "columns": None, "accuracy": raw})
            for bits in RATES:
                found = [variants(labelled.features[s.train], labelled.features, bits) for s in splits]
                for name in found[0]:
                    share = percent(labelled, splits, [parts[name][0] for parts in found])
                    columns = float(np.mean([parts[name][1] for parts in found]))
                    rows.append({**common, "bits": bits, "variant": name, "columns": columns, "accuracy": share})
    made_by = {"command": "python benchmarks/where_it_is_lost.py SET.npz...", "numpy": version("numpy")}
    options.out.write_text(json.dumps([{**row, **made_by} for row in rows], indent=1) + "\n")
    for bits, name in dict.fromkeys((row["bits"], row["variant"]) for row in rows):
        here = [row for row in rows if (row["bits"], row["variant"]) == (bits, name)]
        print(f"{bits or '':>5} {name:26}{np.mean([row['accuracy'] for row in here]):7.2f}")


if __name__ == "__main__":
    main()
