"""The codecs of real pictures that are compared: one for people, one for each task, a few prices of a bit each.

    python benchmarks/layers/machine/train.py --data DATA --work W [NAME ...]

DATA holds the unpacked folders imagenet_sample_1000, caltech101_25x30, coco256_multitask, osd_rgbd_seg, camvid12 and
frozen_predictors. No picture that a codec is measured on is in a training: photographs of other sets, and the training
parts. The codec for people comes first; those for tasks begin with its weights, or with those of their kind at another
price; those that answer a task themselves are trained alone. Each is a piece of its own: what is in W is not made
again, and a training that was stopped goes on. About an hour on one idle core.
"""

import argparse
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.nn.functional import interpolate

sys.path.insert(0, str(Path(__file__).parents[1]))
from machine.answering import Answering, answering
from machine.distilled import DistilledDetection
from machine.sets import Halved, driving, tables
from machine.tuning import Tuning, tuned

from taskcodec.distortions.tasks import Depth, Segmentation
from taskcodec.engines.train.pictures.data import known
from taskcodec.fitting.gradient.pictures.data import KnownPicture, PictureSet
from taskcodec.fitting.gradient.recipe import Schedule
from taskcodec.transforms.predictors.load import load_predictor
from taskcodec.transforms.predictors.saved import load_small
from taskcodec.transforms.predictors.yolox import load_yolox

CROP = 256
"""Side of what the detector sees in training, at the scale of the files."""


@dataclass(frozen=True)
class Kind:
    """The trainings for one task.

    Attributes:
        pictures: data -> what they see.
        task: (data, work) -> the task; None for squared error.
        betas: prices of a bit a pixel, in units of the loss.
        order: places of the prices, in the order of their making.
        steps: of the first one, and of each other.
        batch: crops of a step.
        crop: their side.
        rate: of learning, where weights are begun with.
    """

    pictures: Callable
    task: Callable
    betas: tuple
    order: tuple
    steps: tuple
    batch: int
    crop: int
    rate: float = 1e-3


def trainings(options):
    """(what to train, its pictures, its task), in the order of their making."""
    for name, kind in KINDS.items():
        for number, place in enumerate(kind.order):
            fresh = name == "mse" and not number
            near = min(kind.order[:number], key=lambda other: abs(other - place), default=None)
            schedule = Schedule(
                max(2, round(options.times * kind.steps[min(number, 1)])),
                kind.batch,
                1.5e-3 if fresh else kind.rate,
                warmup=25,
                checkpoint_every=50,
            )
            start = "mse-b1" if near is None else f"{name}-b{near}"
            tuning = Tuning(f"{name}-b{place}", kind.betas[place], schedule, kind.crop, None if fresh else start)
            yield tuning, partial(kind.pictures, options.data), partial(kind.task, options.data, options.work)


@cache
def of_photographs(data):
    """Of two sets that nothing is measured on."""
    files = sorted((data / "imagenet_sample_1000" / "images").glob("*.jpg"))
    files += sorted((data / "caltech101_25x30" / "train").rglob("*.jpg"))
    return _set(files)


def of_photographs_and_coco(data):
    """And COCO's training part, without its boxes."""
    more = _set(sorted((data / "coco256_multitask" / "train2017" / "images").glob("*.jpg")))
    return PictureSet([*of_photographs(data).pictures, *more.pictures], {})


def _set(files):
    return PictureSet([KnownPicture(np.asarray(Image.open(file).convert("RGB"))) for file in files], {})


@cache
def of_tables(data):
    """At half their side; the predictor sees them at the whole of it."""
    pictures = Halved(tables(data, "train"))
    return PictureSet([known(pictures[place]) for place in range(len(pictures))], {})


class Doubled(nn.Module):
    """A predictor of pictures at half their side."""

    def __init__(self, predictor):
        super().__init__()
        self.predictor = predictor

    def forward(self, pictures):
        return self.predictor(interpolate(pictures, scale_factor=2, mode="bicubic", align_corners=False))


@cache
def of_drives(data):
    pictures = driving(data, "train")
    return PictureSet([known(pictures[place]) for place in range(len(pictures))], {"segmentation": 11})


def detection(data, work):
    return DistilledDetection(load_yolox(data / "frozen_predictors" / "yolox_nano_416.onnx", side=CROP))


def depth(data, work):
    return Depth(Doubled(load_predictor("osd_depth")))


def segmentation(data, work):
    return Segmentation(load_small(driving_predictor(data, work))[0])


def driving_predictor(data, work):
    """The file of a small segmenter of camvid12, made where it is not there."""
    return segmenter_of("camvid", data / "camvid12", work)


def segmenter_of(what, data, work):
    """The file of a small segmenter, as benchmarks/train_predictor.py names it, made where it is not there."""
    file = work / f"{what}.safetensors"
    if not file.exists():
        script = Path(__file__).parents[2] / "train_predictor.py"
        places = {
            "data": data,
            "work": work / f"{what}.predictor",
            "out": file,
            "results": work / f"{what}.json",
        }
        named = [part for key, place in places.items() for part in (f"--{key}", place)]
        subprocess.run([str(each) for each in (sys.executable, script, what, *named)], check=True)
    return file


KINDS = {
    "mse": Kind(of_photographs, lambda data, work: None, (0.00035, 0.001, 0.003), (1, 2, 0), (1200, 300), 4, 128),
    "detection": Kind(of_photographs_and_coco, detection, (2.0, 5.0, 12.0), (1, 0, 2), (250, 100), 2, CROP),
    "depth": Kind(of_tables, depth, (0.03, 0.1, 0.3, 1.0), (1, 2, 3, 0), (300, 100), 3, 120, 2e-3),
    "segmentation": Kind(of_drives, segmentation, (0.2, 0.5, 1.5), (1, 2, 0), (200, 80), 4, 180),
}


ANSWERS = {
    "answers-depth": Answering(
        "depth",
        lambda data: [tables(data, "train")],
        lambda data, work: load_predictor("osd_depth"),
        (16, 24, 32, 48, 48),
        12,
        (16, 24, 32, 48, 48),
        320,
        ((1.0, 350, 2e-3, None), (5.0, 250, 2e-3, 0), (0.2, 250, 2e-3, 0)),
    ),
    "answers-segmentation": Answering(
        "segmentation",
        lambda data: [driving(data, part) for part in ("train", "val")],
        lambda data, work: load_small(driving_predictor(data, work))[0],
        (16, 32, 48),
        32,
        (8, 24, 48),
        240,
        (
            (1.0, 600, 2e-3, None),
            (0.3, 500, 1e-3, 0),
            (0.6, 700, 1e-3, 1),
            (1.5, 500, 1e-3, 2),
            (4.0, 500, 1e-3, 3),
        ),
    ),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("names", nargs="*", help="mse-b1, detection-b0, ...; all where none is named")
    parser.add_argument("--times", type=float, default=1, help="so many times the steps: more is better, .01 a try")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    for tuning, pictures, task in trainings(options):
        if not options.names or tuning.name in options.names:
            tuned(tuning, pictures, task, options.work)
    for name, of in ANSWERS.items():
        for place in range(len(of.prices)):
            if not options.names or f"{name}-b{place}" in options.names:
                answering(name, of, place, options.data, options.work, options.times)


if __name__ == "__main__":
    main()
