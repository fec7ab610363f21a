"""A task outside the kept information: what was done to a picture, read from the features that a codec gives back.

    python benchmarks/scope.py IMAGES CACHE --out benchmarks/results/scope.json

IMAGES is imagenet_sample_1000/images, CACHE the output of extract_features.py. Codecs are fitted on 600 of the images,
and the bottleneck also on their augmented views, which differ in brightness, saturation, contrast and crop. Nuisance
tasks: the other 400 images at either end of what `augment` draws (dark or bright, pale or vivid, flat or hard, whole or
a quarter), to be told apart. Class tasks: labelled sets. Every codec is refitted, without labels, to each set it
codes, so that all take the same bits. Probes: ridge, three folds, no image on both sides.
"""

import argparse
import json
from importlib.metadata import version
from pathlib import Path

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold

from taskcodec.data.augmentations.draws import STRONG, augment
from taskcodec.data.sources import open_source
from taskcodec.engines.shift import measure_shift
from taskcodec.evaluation.peers.own import FittedCodec
from taskcodec.evaluation.predictors.probing import probe_scores
from taskcodec.evaluation.scores.intervals import bootstrap, paired_difference
from taskcodec.evaluation.tasks.holdout import Holdout, Split
from taskcodec.evaluation.tasks.targets import Target
from taskcodec.fitting import fit
from taskcodec.transforms.backbones import load_backbone
from taskcodec.transforms.pictures.images import open_image

SEED = 0
FITTED = 600
RATES = (150.0, 300.0, 600.0, 1200.0)
CLASS_SETS = ("ants_bees", "caltech101_25x30", "eurosat_rgb_2400")
NEUTRAL = {"area": STRONG.crop_area[1], "brightness": 1.0, "saturation": 1.0, "contrast": 1.0}
ENDS = {
    "area": STRONG.crop_area,
    "brightness": STRONG.brightness,
    "saturation": STRONG.saturation,
    "contrast": STRONG.contrast,
}
ORDER = ("area", "log aspect", "left", "top", "brightness", "saturation", "contrast")
"""What `augment` draws by `uniform`, in its order."""


class Chosen:
    """Stands in for the random generator of `augment`: no mirror, square crop in the middle, and the given values."""

    def __init__(self, values):
        self.values, self.names = values, iter(ORDER)

    def uniform(self, low, high):
        return self.values.get(next(self.names), (low + high) / 2)

    def random(self):
        return 1.0


def target(name, labels):
    """A task of classes that all samples have."""
    names, numbers = np.unique(labels, return_inverse=True)
    return Target(name, "classification", np.arange(len(labels)), numbers, tuple(map(str, names)))


def three_folds(task, groups, seed):
    """Classes in proportion, the rows of a group on one side."""
    folds = StratifiedGroupKFold(3, shuffle=True, random_state=seed)
    splits = (Split(*parts) for parts in folds.split(np.zeros((len(groups), 1)), task.values, groups))
    return Holdout(tuple(splits), np.unique(groups, return_inverse=True)[1], "three folds")


def nuisance_sets(images, backbone):
    """For each treatment a set of 2n pictures: every image at both ends; the task is to say which end."""
    sets = []
    for name, ends in ENDS.items():
        features = []
        for end in ends:
            for start in range(0, len(images), 32):
                opened = [open_image(item.read(), 448) for item in images[start : start + 32]]
                pixels = [augment(image, Chosen({**NEUTRAL, name: end}), 224) for image in opened]
                features.append(backbone(np.stack(pixels)))
        groups = np.tile(np.arange(len(images)), 2)
        sets.append((name, np.concatenate(features), target("which end", np.repeat([0, 1], len(images))), groups))
    return sets


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("images")
    parser.add_argument("cache", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    items = open_source(arguments.images).items
    order = np.random.default_rng(SEED).permutation(len(items))
    own, other = order[:FITTED], order[FITTED:]
    file = np.load(arguments.cache / "imagenet_sample_1000.npz", allow_pickle=False)
    originals, views = file["features"][own], file["views"][:, own]
    sets = nuisance_sets([items[i] for i in other], load_backbone("lite0"))
    for name in CLASS_SETS:
        file = np.load(arguments.cache / f"{name}.npz", allow_pickle=False)
        sets.append((name, file["features"], target("class", file["labels"]), np.arange(len(file["labels"]))))
    makers = {
        "bottleneck": lambda bits: fit(originals, bits=bits, views=views),
        "KLT": lambda bits: fit(originals, bits=bits),
        "dimensionwise": lambda bits: fit(originals, bits=bits, method="dimensionwise"),
    }
    codecs = {(name, bits): make(bits) for name, make in makers.items() for bits in RATES}
    made_by = {"command": "python benchmarks/scope.py IMAGES CACHE", "seed": SEED, "numpy": version("numpy")}
    rows = []
    for name_of_set, features, task, groups in sets:
        holdout = three_folds(task, groups, SEED)
        raw = probe_scores(task, holdout, [features] * 3)
        for (name, bits), codec in codecs.items():
            decoded, rate = FittedCodec(codec, refit=True, bits=bits).encode_decode(features)
            scores = probe_scores(task, holdout, [decoded] * 3)
            value, difference = bootstrap(scores), paired_difference(scores, raw)
            row = {
                "set": name_of_set, "task": task.name, "codec": name, "setting": f"{bits:g}",
                "metric": scores.metric, "samples": len(features), "bits_per_sample": rate,
                "value": value.value, "low": value.low, "high": value.high, "raw_value": raw.value,
                "difference": difference.value, "difference_low": difference.low, "difference_high": difference.high,
                "outside_share": measure_shift(codec, features).outside_share, **made_by,
            }  # fmt: skip
            rows.append({key: round(cell, 5) if isinstance(cell, float) else cell for key, cell in row.items()})
            print(name_of_set, name, f"{rate:.0f} bits: {value.value:.3f}, raw {raw.value:.3f}", flush=True)
    arguments.out.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
