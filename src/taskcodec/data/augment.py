"""Augmented views of images: what is said not to matter for the tasks to come.

SimCLR's family (Chen et al., 2020) in a mild form: random resized crop, mirror, brightness, saturation, contrast.
"""

import math

import numpy as np
from PIL import Image

from taskcodec.transforms.images import Pixels

CROP_AREA = (0.25, 1.0)
CROP_ASPECT = (3 / 4, 4 / 3)
BRIGHTNESS = CONTRAST = (0.7, 1.3)
SATURATION = (0.6, 1.4)


def augment(image: Image.Image, generator: np.random.Generator, side: int) -> Pixels:
    """One random view of an RGB image -> (side, side, 3) uint8."""
    area = image.width * image.height * generator.uniform(*CROP_AREA)
    aspect = math.exp(generator.uniform(*np.log(CROP_ASPECT)))
    width = min(math.sqrt(area * aspect), image.width)
    height = min(math.sqrt(area / aspect), image.height)
    left, top = generator.uniform(0, image.width - width), generator.uniform(0, image.height - height)
    crop = image.resize((side, side), Image.Resampling.BICUBIC, box=(left, top, left + width, top + height))
    x = np.asarray(crop, dtype=np.float32)
    if generator.random() < 0.5:
        x = x[:, ::-1]
    x = x * generator.uniform(*BRIGHTNESS)
    grey = x.mean(axis=-1, keepdims=True)
    x = grey + (x - grey) * generator.uniform(*SATURATION)
    x = x.mean() + (x - x.mean()) * generator.uniform(*CONTRAST)
    return np.asarray(np.clip(x, 0, 255), dtype=np.uint8)
