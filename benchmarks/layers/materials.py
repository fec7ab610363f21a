"""What the experiments with layers work on: pictures to train and test on, frozen predictors, prices of a bit.

Scenes are made. camvid12, osd_rgbd and coco256 are read from DATA, where camvid12, osd_rgbd_seg and coco256_multitask
lie unpacked; readers and predictors are those of `machine/`. Nothing that is tested on is in a
training or had a part in a choice: prices are those that scenes, and codecs in `machine/train.py`, have already.
"""

import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

from machine.sets import Halved, driving, grouped, tables
from machine.train import Doubled, driving_predictor, of_drives, of_tables, segmenter_of

from taskcodec.data.dense.scenes import Scenes
from taskcodec.data.dense.views import Chosen, spread
from taskcodec.distortions.tasks import Depth, Detection, Segmentation
from taskcodec.engines.train.pictures.data import known
from taskcodec.fitting.gradient.pictures.data import PictureSet
from taskcodec.transforms.predictors.load import load_predictor
from taskcodec.transforms.predictors.saved import load_small

ROOT = Path(__file__).parents[2]
SIDE = 64
"""Of scenes, in pixels."""
TASKS = {"detection": Detection, "depth": Depth, "segmentation": Segmentation}
MSE = (0.0003, 0.001, 0.003, 0.01)
BETAS = {
    "detection": (1.0, 3.0, 8.0, 25.0),
    "depth": (0.05, 0.15, 0.4, 1.2),
    "segmentation": (0.3, 0.8, 2.0, 6.0),
    "mse": MSE,
}
"""Prices of a bit a pixel, in units of each distortion, on scenes."""
UNSEEN_DRIVE = "Seq05VD"
"""The only drive of camvid12 of which no frame is in its training or validation part."""


@dataclass(frozen=True)
class Material:
    """A set of pictures, and all that follows from it.

    Attributes:
        train: (options, seed) -> what is trained on.
        test: (data, at most so many) -> pictures that are measured on, whole, spread evenly.
        predictor: (task, options) -> its name and the frozen network.
        betas: prices of a bit a pixel by task, in units of its loss.
        rewards: of the base's preview, by the base's task; 0 is the baseline.
        crop, batch: side of what a training sees, and how many of them in a step.
        steps: of a training from fresh weights.
        first: the place, among its prices, that is trained first, and each other after its neighbour. From the dearest
            bit down, more steps come with more bits, so that points of short trainings are monotone.
        tested: pictures to measure on, at most.
        block: so many test pictures in a row are drawn together: neighbours that look alike.
    """

    train: Callable
    test: Callable
    predictor: Callable
    betas: Mapping
    rewards: Mapping
    crop: int
    batch: int
    steps: int
    first: int
    tested: int
    block: int = 1

    def first_of(self, task):
        """The place, among its prices, that is trained first; of a base, the one that tops lie on."""
        return min(self.first, len(self.betas[task]) - 1)

    def test_pictures(self, options):
        return self.test(options.data, options.test or self.tested)


def scenes_of(options, seed):
    scenes = Scenes(options.scenes, SIDE, SIDE, seed=100 + seed)
    return PictureSet([known(scenes[i]) for i in range(len(scenes))], {"segmentation": len(scenes.label_classes)})


def predictor_of_scenes(task, options):
    """Its file, made where it is not there."""
    file = options.work / f"{task}.safetensors"
    if not file.exists():
        script = ROOT / "benchmarks" / "train_predictor.py"
        short = ["--steps", str(options.steps)] if options.steps is not None and options.steps < 500 else []
        places = {"work": f"{task}.predictor", "out": file.name, "results": f"{task}.results.json"}
        named = [part for key, name in places.items() for part in (f"--{key}", options.work / name)]
        command = [sys.executable, script, task, *named, *short]
        subprocess.run([str(each) for each in command], check=True)
    return str(file), load_small(file)[0]


@dataclass(frozen=True, eq=False)
class Held:
    """Pictures that are read once."""

    name: str
    box_classes: tuple
    label_classes: tuple
    pictures: tuple

    def __len__(self):
        return len(self.pictures)

    def __getitem__(self, place):
        return self.pictures[place]


def held(pictures):
    return Held(
        pictures.name, pictures.box_classes, pictures.label_classes, tuple(pictures[i] for i in range(len(pictures)))
    )


@cache
def unseen_drive(data, most):
    frames = driving(data, "test")
    rows = [row for row, file in enumerate(frames.files) if file.name.startswith(UNSEEN_DRIVE)]
    return held(spread(Chosen(frames, tuple(rows)), most))


@cache
def unseen_tables(data, most):
    return held(spread(Halved(tables(data, "test")), most))


@cache
def unseen_photographs(data, most):
    return held(spread(Halved(grouped(data / "coco256_multitask", "val2017")), most))


def segmenter(task, options):
    file = driving_predictor(options.data, options.work)
    return file.name, load_small(file)[0]


def depth_of_halves(task, options):
    return "osd_depth", Doubled(load_predictor("osd_depth"))


@cache
def of_photographs(data):
    """At half their side, as those that are tested on."""
    pictures = Halved(grouped(data / "coco256_multitask", "train2017"))
    return PictureSet([known(pictures[i]) for i in range(len(pictures))], {"segmentation": len(pictures.label_classes)})


def segmenter_of_photographs(task, options):
    file = segmenter_of("coco", options.data / "coco256_multitask", options.work)
    return file.name, load_small(file)[0]


CROP = 96
"""Side of what trainings on real sets see: all that an hour or two on one core allows."""
REAL = partial(Material, crop=CROP, batch=2, first=3)
"""What is alike of real sets."""
MATERIALS = {
    "scenes": Material(
        train=scenes_of,
        test=lambda data, most: Scenes(most, SIDE, SIDE, seed=3),
        predictor=predictor_of_scenes,
        betas=BETAS,
        rewards={"detection": (0.0, 150.0), "depth": (0.0, 5.0)},
        crop=SIDE,
        batch=8,
        steps=2000,
        first=1,
        tested=300,
    ),
    "camvid12": REAL(
        train=lambda options, seed: of_drives(options.data),
        test=unseen_drive,
        predictor=segmenter,
        betas={"segmentation": (0.5,), "mse": MSE},
        rewards={"segmentation": (0.0,)},
        steps=600,
        tested=57,
        block=5,
    ),
    "osd_rgbd": REAL(
        train=lambda options, seed: of_tables(options.data),
        test=unseen_tables,
        predictor=depth_of_halves,
        betas={"depth": (0.1,), "mse": MSE},
        rewards={"depth": (0.0,)},
        steps=400,
        tested=65,
    ),
    "coco256": REAL(
        train=lambda options, seed: of_photographs(options.data),
        test=unseen_photographs,
        predictor=segmenter_of_photographs,
        betas={"segmentation": (0.5,), "mse": MSE},
        rewards={"segmentation": (0.0,)},
        steps=600,
        tested=100,
    ),
}
