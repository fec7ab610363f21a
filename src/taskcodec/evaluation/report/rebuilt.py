"""What a trained codec keeps of an image, as pictures: samples, views of them, and what is rebuilt from each code."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from taskcodec.codec import Codec
from taskcodec.evaluation.report.diagnosis import SHOWN, RebuiltStrip, thumbnail
from taskcodec.samples import spread_rows

VIEWS = 4
SEED = 0


def rebuilt_strips(
    codec: Codec, images: Sequence[Any], captions: Sequence[str], queries: Sequence[int] | None = None
) -> tuple[RebuiltStrip, ...]:
    """For a few samples, what a codec with a synthesis network rebuilds, across the augmentations it was trained with.

    Args:
        codec: from `taskcodec train`, with its analysis network.
        images: (n,) a path, an (H, W, 3) uint8 array or a PIL image for each sample; only those shown are opened.
        captions: (n,) a label for each sample.
        queries: the samples; default four, spread evenly.

    Returns:
        Nothing where the codec reads no images or carries no synthesis network.
    """
    if codec.networks is None or not codec.networks.takes_images or codec.networks.g_s is None or codec.g_a is None:
        return ()
    from taskcodec.engines.encode.augmented_views import views_by_set
    from taskcodec.transforms.backbones.learned import preprocessing_of

    chosen = spread_rows(len(images), SHOWN).tolist() if queries is None else list(queries)
    named = codec.provenance.get("augmentations")
    preprocess = preprocessing_of(codec.networks, "codec")
    squares = np.stack([preprocess(images[row]) for row in chosen])
    seen = [squares]
    if isinstance(named, str) and named != "none":
        seen += [views_by_set(named, squares, [SEED, number]) for number in range(VIEWS)]
    rebuilt = [_rebuilt(codec, batch) for batch in seen]
    return tuple(
        RebuiltStrip(
            tuple(thumbnail(batch[i], captions[row] if not number else "a view") for number, batch in enumerate(seen)),
            tuple(thumbnail(batch[i], "rebuilt") for batch in rebuilt),
        )
        for i, row in enumerate(chosen)
    )


def _rebuilt(codec: Codec, squares: Any) -> Any:
    """(n, H, W, 3) -> the same of what is decoded."""
    features = codec.analyse(list(squares))
    pictures = codec.synthesise(codec.decode(codec.encode_features(features)))
    pixels = (np.clip(pictures, 0, 1) * 255).round().astype(np.uint8).transpose(0, 2, 3, 1)
    return np.repeat(pixels, 3, axis=3) if pixels.shape[3] == 1 else pixels
