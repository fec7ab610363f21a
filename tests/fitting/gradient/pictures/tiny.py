"""Pictures and layers so small that a training takes no time."""

import numpy as np

from taskcodec.data.dense.scenes import Scenes
from taskcodec.fitting.gradient.pictures.data import KnownPicture, PictureSet
from taskcodec.fitting.gradient.pictures.recipe import LayerChoice
from taskcodec.fitting.gradient.recipe import NetworkChoice, Schedule

ANALYSIS = NetworkChoice("light", {"widths": [4], "latent": 3, "blocks": 1})
SYNTHESIS = NetworkChoice("light_synthesis")
ENTROPY = {"side": 2, "hyper": 4, "context": 4, "groups": [1, 2], "levels": 24, "phases": 2}
SHORT = Schedule(3, batch=4, warmup=1, checkpoint_every=2, learning_rate=2e-3)


def known(picture):
    boxes = picture.boxes
    return KnownPicture(picture.pixels, picture.labels, picture.depth, boxes.corners, boxes.labels, picture.whole)


def pictures(count=8, height=20, width=24):
    scenes = Scenes(count, height, width)
    return PictureSet([known(scenes[i]) for i in range(count)], {"segmentation": 7, "classification": 5})


def plain(count=4):
    """Pictures of several sizes of which nothing is known."""
    rng = np.random.default_rng(0)
    sizes = [(8, 8), (9, 17), (5, 30), (16, 7)]
    return PictureSet(
        [KnownPicture(rng.integers(0, 256, (*sizes[i % 4], 3), dtype=np.uint8)) for i in range(count)], {}
    )


def layer(name="base", **changes):
    return LayerChoice(name, **{"analysis": ANALYSIS, "synthesis": SYNTHESIS, "entropy": ENTROPY, **changes})
