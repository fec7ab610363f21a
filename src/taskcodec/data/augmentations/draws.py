"""Augmented views of images: what is said not to matter for the tasks to come.

SimCLR's family (Chen et al., 2020) in several strengths: random resized crop, mirror, brightness, saturation, contrast.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from PIL import Image

from taskcodec.transforms.pictures.images import Pixels


@dataclass(frozen=True)
class Augmentations:
    """How far a view may lie from its image; every amount is drawn evenly from its range.

    Attributes:
        name: what reports call it.
        crop_area: share of the image's area that a crop keeps.
        crop_aspect: width of a crop to its height (drawn evenly in the logarithm).
        brightness, contrast, saturation: factors.
    """

    name: str
    crop_area: tuple[float, float]
    crop_aspect: tuple[float, float]
    brightness: tuple[float, float]
    contrast: tuple[float, float]
    saturation: tuple[float, float]

    @property
    def words(self) -> str:
        """What a view is, in a sentence's part."""
        parts = ["mirrored half the time"]
        if self.crop_area != (1.0, 1.0):
            low, high = (f"{100 * share:g}" for share in self.crop_area)
            parts.insert(0, f"random crop of {low} to {high} % of the area, aspect {_range(self.crop_aspect)}")
        for what in ("brightness", "contrast", "saturation"):
            if getattr(self, what) != (1.0, 1.0):
                parts.append(f"{what} times {_range(getattr(self, what))}")
        return ", ".join(parts)


def _range(ends: tuple[float, float]) -> str:
    return f"{ends[0]:.2f} to {ends[1]:.2f}"


STRONG = Augmentations("strong", (0.25, 1.0), (3 / 4, 4 / 3), (0.7, 1.3), (0.7, 1.3), (0.6, 1.4))
"""The views that codecs are fitted with."""

_SAME = (1.0, 1.0)
AUGMENTATIONS: Mapping[str, Augmentations] = {
    kind.name: kind
    for kind in (
        Augmentations("mirror", _SAME, _SAME, _SAME, _SAME, _SAME),
        Augmentations("mild", (0.8, 1.0), (0.9, 1 / 0.9), (0.9, 1.1), (0.9, 1.1), (0.9, 1.1)),
        Augmentations("medium", (0.5, 1.0), (0.8, 1.25), (0.8, 1.2), (0.8, 1.2), (0.8, 1.2)),
        STRONG,
    )
}
"""By name, the mildest first."""


def augment(image: Image.Image, generator: np.random.Generator, side: int, kind: Augmentations = STRONG) -> Pixels:
    """One random view of an RGB image -> (side, side, 3) uint8."""
    area = image.width * image.height * generator.uniform(*kind.crop_area)
    aspect = math.exp(generator.uniform(*np.log(kind.crop_aspect)))
    width = min(math.sqrt(area * aspect), image.width)
    height = min(math.sqrt(area / aspect), image.height)
    left, top = generator.uniform(0, image.width - width), generator.uniform(0, image.height - height)
    crop = image.resize((side, side), Image.Resampling.BICUBIC, box=(left, top, left + width, top + height))
    x = np.asarray(crop, dtype=np.float32)
    if generator.random() < 0.5:
        x = x[:, ::-1]
    x = x * generator.uniform(*kind.brightness)
    grey = x.mean(axis=-1, keepdims=True)
    x = grey + (x - grey) * generator.uniform(*kind.saturation)
    x = x.mean() + (x - x.mean()) * generator.uniform(*kind.contrast)
    return np.asarray(np.clip(x, 0, 255), dtype=np.uint8)
