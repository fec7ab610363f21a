"""What `taskcodec encode` writes by itself, for collections of 32 samples to all of a set: loss, bits, store bytes.

    python benchmarks/default_sizes.py OUT.json NAME=FEATURES.npz ... [--sizes 32,64,128,256,500,1000,0] [--quality Q]

Each .npz holds `x` (n, d) and `y` (n,), labels (what `folder_features.py` writes). For each size (0: all), draws of so
many samples (of fewer classes where there are few samples: eight a class, or more) are encoded into a real store by the
command's own code, without labels, and the codec is that store's. Ridge probes, 3 folds, are trained and tested

- on the samples in the store (`own`): the fit has seen them, without labels, as a user's would have;
- on up to 400 samples that were not there at the fit (`others`): appended later, they are coded by its codec.

Each against the same features uncoded, on the same folds. Beside them, on the same samples: the bundled codec at 850
bits (`zero-shot`, where the features are lite0's) and a fit at 256 bits (`fitted`). A loss is a difference of
accuracies in points; its 95 % interval is 1.96 standard errors of the paired differences, sample by sample.
"""

import argparse
import json
import platform
import sys
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from taskcodec import adapt, fit, load_codec
from taskcodec.engines.encode.decide import EncodeOptions
from taskcodec.engines.encode.execute import encode_job
from taskcodec.evaluation.predictors.probing import probe_accuracy

DRAWS = {32: 12, 64: 8, 128: 6, 256: 4, 500: 2}
"""How many draws of each size; 1 of those that are not here, on three sets of folds instead of one."""
FOLDS, OTHERS, SAMPLES_A_CLASS, DRAWS_WITH_OTHERS = 3, 400, 8, 3
ZERO_SHOT_BITS, FITTED_BITS = 850.0, 256.0


def folds_of(labels, generator):
    """(n,) the fold of each sample, classes in proportion."""
    folds = np.empty(len(labels), np.intp)
    for label in np.unique(labels):
        rows = generator.permutation(np.flatnonzero(labels == label))
        folds[rows] = (np.arange(len(rows)) + generator.integers(FOLDS)) % FOLDS
    return folds


def right(features, labels, folds):
    """(n,) which samples a probe trained on the other folds has right."""
    found = np.zeros(len(labels))
    for fold in range(FOLDS):
        test = folds == fold
        if test.any() and len(np.unique(labels[~test])) > 1:
            found[test] = probe_accuracy(features[~test], labels[~test], features[test], labels[test]).correct
    return found


def drawn(labels, size, generator):
    """(m,) rows: `size` of them, or all where it is 0, of so few classes that each has SAMPLES_A_CLASS in the mean."""
    if not size:
        return generator.permutation(len(labels))
    classes = generator.permutation(np.unique(labels))[: max(2, size // SAMPLES_A_CLASS)]
    rows = generator.permutation(np.flatnonzero(np.isin(labels, classes)))
    return rows[:size]


def stored(features, quality):
    """The store that `taskcodec encode` makes of them: its codec, decoded features, and counts."""
    with TemporaryDirectory() as folder:
        np.save(f"{folder}/x.npy", features)
        store = encode_job(f"{folder}/x.npy", f"{folder}/x.tcz", EncodeOptions(quality=quality)).store
        return store.codec, store.to_numpy(), store.info()


def losses(raw, decoded, labels, all_folds):
    """(n,) how much less often each sample is right, in the mean over sets of folds, and how often on raw features."""
    before = np.mean([right(raw, labels, folds) for folds in all_folds], axis=0)
    after = np.mean([right(decoded, labels, folds) for folds in all_folds], axis=0)
    return before - after, before


def measure(name, x, y, size, quality, bundled):
    """The rows of one set at one size."""
    found = {}
    several = DRAWS.get(size, 1)
    for draw in range(several):
        generator = np.random.default_rng([size, draw])
        rows = drawn(y, size, generator)
        if size and len(rows) < size:
            return []
        rest = np.setdiff1d(np.flatnonzero(np.isin(y, np.unique(y[rows]))), rows)
        others = generator.permutation(rest)[:OTHERS] if draw < DRAWS_WITH_OTHERS else rest[:0]
        parts = {"own": rows, "others": others} if len(others) >= OTHERS // 2 else {"own": rows}
        codec, decoded, info = stored(x[rows], quality)
        codecs = {"default": codec, "fitted": fit(x[rows], bits=FITTED_BITS)}
        if bundled is not None and x.shape[1] == bundled.dimension:
            codecs["zero-shot"] = adapt(bundled, x[rows], ZERO_SHOT_BITS)
        for part, picked in parts.items():
            raw, labels = x[picked], y[picked]
            all_folds = [folds_of(labels, generator) for _ in range(1 if several > 1 else 3)]
            for kind, one in codecs.items():
                back = decoded if (kind, part) == ("default", "own") else one.decode(one.encode(raw))
                lost, before = losses(raw, back, labels, all_folds)
                entry = found.setdefault((kind, part), {"lost": [], "raw": [], "bits": [], "store": [], "codec": []})
                entry["lost"].append(lost)
                entry["raw"].append(before)
                entry["bits"].append(info.bits_per_sample if (kind, part) == ("default", "own") else one.rate_of(raw))
                entry["store"].append(info.store_bytes / len(rows) if (kind, part) == ("default", "own") else np.nan)
                entry["codec"].append(codec.provenance["method"] if kind == "default" else "")
    result = []
    for (kind, part), entry in found.items():
        lost = np.concatenate(entry["lost"])
        result.append({
            "set": name, "size": size or len(y), "all": not size, "codec": kind, "samples": part,
            "loss": 100 * float(lost.mean()), "standard_error": 100 * float(lost.std(ddof=1) / np.sqrt(len(lost))),
            "raw": 100 * float(np.concatenate(entry["raw"]).mean()), "bits": float(np.mean(entry["bits"])),
            "store_bytes_a_sample": None if np.isnan(entry["store"][0]) else float(np.mean(entry["store"])),
            "method": entry["codec"][0],
        })  # fmt: skip
    return result


def table(rows):
    """Lines: for each size, codec and part the mean over sets with its interval, and the worst set."""
    lines = []
    for size in dict.fromkeys(row["size"] if not row["all"] else 0 for row in rows):
        for kind in ("default", "fitted", "zero-shot"):
            for part in ("own", "others"):
                here = [
                    row for row in rows
                    if (0 if row["all"] else row["size"]) == size and (row["codec"], row["samples"]) == (kind, part)
                ]  # fmt: skip
                if not here:
                    continue
                mean = float(np.mean([row["loss"] for row in here]))
                half = 1.96 * float(np.sqrt(sum(row["standard_error"] ** 2 for row in here))) / len(here)
                worst = max(here, key=lambda row: row["loss"])
                low = worst["loss"] - 1.96 * worst["standard_error"]
                stores = [row["store_bytes_a_sample"] for row in here if row["store_bytes_a_sample"] is not None]
                lines.append(
                    f"{size or 'all':>5} {kind:>9} {part:>6} {len(here):2} sets: loss {mean:5.2f} "
                    f"[{mean - half:.2f}, {mean + half:.2f}], worst {worst['loss']:.2f} (from {low:.2f}) "
                    f"{worst['set']}, {np.mean([row['bits'] for row in here]):.0f} bits "
                    f"(at most {max(row['bits'] for row in here):.0f})"
                    + (f", store {np.mean(stores):.0f} bytes a sample" if stores else "")
                )
    return lines


def draw(rows, path):
    """Points lost against samples in the collection, mean over sets, and the bytes of the whole store."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.4), layout="constrained")
    losses_axis, bytes_axis = figure.subplots(1, 2)
    sizes = sorted({row["size"] for row in rows if not row["all"]})
    styles = {"default": "tab:blue", "fitted": "tab:orange", "zero-shot": "0.5"}
    for kind, colour in styles.items():
        for part, line in (("own", "-"), ("others", ":")):
            means, halves = [], []
            for size in sizes:
                here = [row for row in rows if row["size"] == size and not row["all"]]
                here = [row for row in here if (row["codec"], row["samples"]) == (kind, part)]
                means.append(np.mean([row["loss"] for row in here]) if here else np.nan)
                halves.append(1.96 * np.sqrt(sum(row["standard_error"] ** 2 for row in here)) / max(len(here), 1))
            label = f"{kind}{', samples not in the fit' if part == 'others' else ''}"
            losses_axis.errorbar(sizes, means, halves, color=colour, ls=line, capsize=2, lw=1.2, label=label)
    stores = [[row["store_bytes_a_sample"] for row in rows if row["size"] == size and not row["all"]] for size in sizes]
    bytes_axis.plot(sizes, [np.mean([found for found in here if found is not None]) for here in stores], "o-")
    losses_axis.axhline(0, color="0.8", lw=0.8)
    losses_axis.set(xscale="log", xlabel="samples in the collection", ylabel="points lost")
    bytes_axis.set(xscale="log", yscale="log", xlabel="samples in the collection", ylabel="whole store, bytes a sample")
    losses_axis.legend(frameon=False, fontsize=7)
    figure.savefig(path, dpi=110)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("sets", nargs="+", help="NAME=FEATURES.npz")
    parser.add_argument("--sizes", default="32,64,128,256,500,1000,0")
    parser.add_argument("--quality", default=None)
    arguments = parser.parse_args()
    bundled, rows = load_codec("lite0"), []
    for size in map(int, arguments.sizes.split(",")):
        for spec in arguments.sets:
            name, _, file = spec.partition("=")
            with np.load(file) as kept:
                x, y = kept["x"].astype(np.float32), kept["y"]
            lite0 = bundled if not name.startswith(("lite2", "minilm")) else None
            if size == 0 or size < len(y):
                rows += measure(name, x, y, size, arguments.quality, lite0)
        packages = {name: version(name) for name in ("taskcodec", "numpy", "scikit-learn", "constriction")}
        versions = {"python": platform.python_version(), **packages}
        content = {"command": sys.argv, "versions": versions, "rows": rows}
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        arguments.out.write_text(json.dumps(content, indent=1) + "\n")
        here = [row for row in rows if (0 if row["all"] else row["size"]) == size]
        print("\n".join(table(here)), flush=True)
    draw(rows, arguments.out.with_suffix(".png"))


if __name__ == "__main__":
    main()
