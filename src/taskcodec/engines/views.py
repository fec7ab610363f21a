"""Features of augmented views, for the bottleneck fit."""

import numpy as np

from taskcodec.data.augment import augment
from taskcodec.data.sources import ImageSource
from taskcodec.engines.local import BATCH, BackboneLike, Features, Progress
from taskcodec.errors import SourceError
from taskcodec.transforms.images import Pixels, open_image

VIEWS = 3
VIEWED_IMAGES = 512


def view_features(
    source: ImageSource, backbone: BackboneLike, side: int, progress: Progress | None = None, seed: int = 0
) -> Features:
    """(VIEWS, m, d) features of VIEWS random views of at most VIEWED_IMAGES images spread over the source."""
    count = min(len(source), VIEWED_IMAGES)
    numbers = np.unique(np.linspace(0, len(source) - 1, count).round().astype(int)).tolist()
    pixels: list[Pixels] = []
    found: list[Features] = []
    for done, number in enumerate(numbers, 1):
        item = source.items[number]
        generator = np.random.default_rng([seed, number])
        try:
            image = open_image(item.read(), 2 * side) if item.fault is None else None
        except (SourceError, OSError):
            image = None  # the encode records the reason
        if image is not None:
            pixels.extend(augment(image, generator, side) for _ in range(VIEWS))
        if pixels and (len(pixels) >= BATCH or done == len(numbers)):
            found.append(backbone(np.stack(pixels)))
            pixels = []
        if progress is not None:
            progress(done, len(numbers))
    if not found:
        raise SourceError(f"{source.name}: no image could be read")
    features = np.concatenate(found)
    return features.reshape(-1, VIEWS, features.shape[1]).transpose(1, 0, 2)
