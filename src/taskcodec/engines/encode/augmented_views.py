"""Features of augmented views: for the bottleneck fit, and for certificates."""

import os
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
from PIL import Image

from taskcodec.data.augmentations.draws import Augmentations, augment
from taskcodec.data.sources import ImageSource, Item
from taskcodec.engines.encode.local import BATCH, Features, Progress
from taskcodec.engines.encode.records import BackboneLike
from taskcodec.errors import SourceError
from taskcodec.samples import spread_rows
from taskcodec.transforms.pictures.images import Pixels, open_image

VIEWS = 3
VIEWED_IMAGES = 512


def view_features(
    source: ImageSource, backbone: BackboneLike, side: int, progress: Progress | None = None, seed: int = 0
) -> Features:
    """(VIEWS, m, d) features of VIEWS random views of at most VIEWED_IMAGES images spread over the source."""
    numbers = spread_rows(len(source), VIEWED_IMAGES, nearest=True).tolist()
    pixels: list[Pixels] = []
    found: list[Features] = []
    for done, number in enumerate(numbers, 1):
        pixels += drawn_views(source, number, [np.random.default_rng([seed, number])] * VIEWS, side)
        if pixels and (len(pixels) >= BATCH or done == len(numbers)):
            found.append(backbone(np.stack(pixels)))
            pixels = []
        if progress is not None:
            progress(done, len(numbers))
    if not found:
        raise SourceError(f"{source.name}: no image could be read")
    features = np.concatenate(found)
    return features.reshape(-1, VIEWS, features.shape[1]).transpose(1, 0, 2)


def drawn_views(source: ImageSource, number: int, generators: Sequence[np.random.Generator], side: int) -> list[Pixels]:
    """A random view of an image by each generator, (side, side, 3) uint8; none where it cannot be read."""
    item = source.items[number]
    try:
        image = open_image(item.read(), 2 * side, source.keeps_truncated) if item.fault is None else None
    except (SourceError, OSError):
        image = None  # what reads the images themselves records the reason
    return [] if image is None else [augment(image, generator, side) for generator in generators]


def views_of_squares(
    items: Sequence[Item],
    rows: Sequence[int],
    backbone: BackboneLike,
    kind: Augmentations | str,
    seed: int,
    progress: Progress | None = None,
) -> Features:
    """(m, d) features of a fresh random view for each row: of the square of items[row] that the backbone reads.

    Args:
        items: images.
        rows: (m,) which of them; rows of one image that follow one another read it once.
        backbone: what reads the views.
        kind: how far views go, or the name of a training set of `taskcodec.data.augmentations.kinds`.
        seed: of the views; the same call gives the same views.
        progress: called with (views done, views in all).

    Raises:
        SourceError: an image cannot be read.
        UsageError: no such set.
    """

    def read(numbers: range) -> list[Pixels]:
        views, square, last = [], None, -1
        for number in numbers:
            if square is None or rows[number] != last:
                last = rows[number]
                square = Image.fromarray(_square(items[last], backbone))
            if isinstance(kind, str):
                views.append(np.asarray(square))
            else:
                views.append(augment(square, np.random.default_rng([seed, number]), square.width, kind))
        return views

    spans = [range(start, min(start + BATCH, len(rows))) for start in range(0, len(rows), BATCH)]
    found: list[Features] = []
    ahead = os.cpu_count() or 1
    with ThreadPoolExecutor(ahead) as readers:
        waiting: list[Future[list[Pixels]]] = [readers.submit(read, span) for span in spans[:ahead]]
        try:
            for number, span in enumerate(spans):
                pixels = waiting.pop(0).result()
                waiting += [readers.submit(read, later) for later in spans[number + ahead : number + ahead + 1]]
                batch = np.stack(pixels)
                if isinstance(kind, str):
                    batch = views_by_set(kind, batch, [seed, number])
                found.append(np.asarray(backbone(batch), dtype=np.float32))
                if progress is not None:
                    progress(span.stop, len(rows))
        except BaseException:
            readers.shutdown(cancel_futures=True)
            raise
    return np.concatenate(found)


def _square(item: Item, backbone: BackboneLike) -> Pixels:
    if item.fault is not None:
        raise SourceError(f"{item.id}: {item.fault}")
    try:
        return backbone.preprocess(open_image(item.read(), backbone.preprocess.resize, keep_truncated=True))
    except (SourceError, OSError) as error:
        raise SourceError(f"{item.id}: {error}") from error


def views_by_set(name: str, squares: Pixels, seed: list[int]) -> Pixels:
    """(n, H, W, 3) squares -> as many views, by one of the sets that codecs are trained with.

    Raises UsageError where there is no such set.
    """
    import torch

    from taskcodec.data.augmentations.kinds import views

    x = torch.from_numpy(squares).permute(0, 3, 1, 2).float() / 255
    made = views(name, x)
    if made is None:
        return squares
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(np.random.default_rng(seed).integers(2**62)))
        return np.asarray((made(x) * 255).round().byte().permute(0, 2, 3, 1).numpy())
