"""Which sizes and qualities make the strongest pixel codecs: rate and accuracy over a grid, as CSV.

    python benchmarks/pixel_sweep.py FOLDER --out benchmarks/results/pixel_sweep.csv

FOLDER/CLASS/... holds the images (the committed run: 200 of Caltech-101, 8 of each of 25 classes). For each format,
size and quality: mean bytes of a file, and accuracy and R2 (of the classes as 0 and 1) of a ridge classifier on lite0
features of the decoded images, 4 folds, 3 times. With so few images R2 tells settings apart better than accuracy does.
The settings of `standard_pixel_codecs` are those near the upper hull for both.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import StratifiedKFold

from taskcodec.data import open_source
from taskcodec.evaluation.peers.pixels import PillowCodec, available, pixel_features
from taskcodec.transforms.backbones import load_backbone

SIDES = (32, 48, 64, 96, 128, 160, 224)
QUALITIES = {"png": (None,), "jpeg": (10, 40, 75), "webp": (10, 40, 75), "avif": (10, 40, 75), "jxl": (10, 40, 75)}


def scores(features, labels):
    """(accuracy, R2) of a ridge classifier by cross-validation."""
    classes = np.unique(labels, return_inverse=True)[1]
    targets, right, error, spread = np.eye(classes.max() + 1)[classes], [], [], []
    for seed in range(3):
        for train, test in StratifiedKFold(4, shuffle=True, random_state=seed).split(features, classes):
            mean, scale = features[train].mean(axis=0), features[train].std(axis=0) + 1e-6
            probe = RidgeCV(np.logspace(1, 5, 9)).fit((features[train] - mean) / scale, targets[train])
            found = probe.predict((features[test] - mean) / scale)
            right.append((found.argmax(axis=1) == classes[test]).mean())
            error.append(((found - targets[test]) ** 2).sum())
            spread.append(((targets[train].mean(axis=0) - targets[test]) ** 2).sum())
    return np.mean(right), 1 - np.mean(np.array(error) / np.array(spread))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder")
    parser.add_argument("--per-class", type=int, default=8)
    parser.add_argument("--cache", type=Path, default=Path("pixel_sweep_cache"))
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    source, by_class = open_source(arguments.folder), {}
    for item in source.items:
        by_class.setdefault(item.label, []).append(item)
    source = replace(source, items=[i for label in sorted(by_class) for i in by_class[label][: arguments.per_class]])
    labels, backbone = np.array([item.label for item in source.items]), load_backbone("lite0")
    lines = ["codec,short_side,quality,bytes,accuracy,r2"]
    for name, side, quality in [(n, s, q) for n in QUALITIES if available(n) for s in SIDES for q in QUALITIES[n]]:
        codec = PillowCodec(name, quality, side)
        features, bits = pixel_features(codec, source, backbone, arguments.cache)
        accuracy, r2 = scores(features.astype(np.float64), labels)
        lines.append(f"{name},{side},{quality or ''},{bits.mean() / 8:.0f},{accuracy:.4f},{r2:.4f}")
        print(lines[-1], flush=True)
    arguments.out.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
