"""What a page on a store shows: some samples, spread over it, their neighbours, labels, failures, bytes.

The page must stay small whatever the store holds: a sample of rows, as many pictures as fit a budget of bytes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from taskcodec.errors import SourceError, TaskcodecError
from taskcodec.samples import spread_rows
from taskcodec.stack.pictures import transform_of
from taskcodec.store import Store
from taskcodec.transforms.values.pixels import PixelValues

if TYPE_CHECKING:
    from taskcodec.store.file_layers.layer import StoreLayer
    from taskcodec.store.pictures.layer import PictureLayer
    from taskcodec.store.values.layer import ValueLayer

PICTURES, ORIGINALS = "picture", "original"
SHOWN = 600
"""Samples on a page, at most ..."""
PICTURE_BUDGET = 2_900_000
"""... and bytes of their pictures; base64 makes a third more of them."""
LARGEST_PICTURE = 8000
"""A picture of more bytes is made smaller first."""
QUERIES, NEIGHBOURS = 48, 6
MOST_LABELS, MOST_FAILURES = 100, 200


@dataclass(frozen=True)
class Shown:
    """A sample on the page: its row, id, label, and an AVIF picture, b"" where there is none."""

    row: int
    id: str
    label: str | None
    picture: bytes


@dataclass(frozen=True)
class Neighbours:
    """A sample and those nearest to it: rows, and the cosine to each."""

    row: int
    nearest: tuple[tuple[int, float], ...]


@dataclass(frozen=True)
class ViewContent:
    """All that a page says.

    Attributes:
        name: of the store.
        samples, failures, source_bytes: counts.
        layers: bytes of each, by name; None where they are not known: it lies elsewhere, or is damaged.
        labels: the most frequent with their counts, and how many others there are.
        shown: the samples of the gallery, in order of rows.
        neighbours: of some of them; rows that the gallery lacks are in `others`.
        others: further samples, by row.
        failed: ids and reasons of the first failures.
        missing: a line for each layer of files that could not be looked at.
    """

    name: str
    samples: int
    failures: int
    source_bytes: int
    layers: dict[str, int | None]
    labels: tuple[tuple[str, int], ...]
    more_labels: int
    shown: tuple[Shown, ...]
    neighbours: tuple[Neighbours, ...]
    others: dict[int, Shown]
    failed: tuple[tuple[str, str], ...]
    missing: tuple[str, ...]


def gather(store: Store, elsewhere: str | Sequence[str] = ()) -> ViewContent:
    """What there is to see of a store. Raises what reading it raises, but where a whole layer of files is missing."""
    layers, missing = _layers_of_files(store, elsewhere)
    info = store.info()
    if read := [place for name in layers if (place := info.layers[name].elsewhere) is not None]:
        info = store.info(read)
    queries = spread_rows(len(store), min(len(store), QUERIES), nearest=True)
    neighbours = nearest_of(store, queries)
    wanted = sorted({int(row) for row in queries} | {row for each in neighbours for row, _ in each.nearest})
    camera = _Camera(store, layers)
    needed = {row: _shown(store, row, camera) for row in wanted}
    shown = dict[int, Shown]()
    for row in _widening(len(store), SHOWN):
        if not camera.affords():
            break
        shown[row] = needed.get(row) or _shown(store, row, camera)
    labels = Counter(store.labels.tolist()) if store.labels is not None else Counter[str]()
    named = [(label, count) for label, count in labels.most_common() if label is not None]
    failed = store.failures.select(["id", "status"]).slice(0, MOST_FAILURES).to_pylist()
    return ViewContent(
        name=str(store.place),
        samples=info.samples,
        failures=info.failures,
        source_bytes=info.source_bytes,
        layers={name: layer.bytes for name, layer in info.layers.items()},
        labels=tuple(named[:MOST_LABELS]),
        more_labels=max(len(named) - MOST_LABELS, 0),
        shown=tuple(shown[row] for row in sorted(shown)),
        neighbours=tuple(neighbours),
        others={row: each for row, each in needed.items() if row not in shown},
        failed=tuple((row["id"], row["status"]) for row in failed),
        missing=tuple(missing),
    )


def _layers_of_files(store: Store, elsewhere: str | Sequence[str]) -> tuple[dict[str, StoreLayer], list[str]]:
    """The layers of files that can be looked at, and a line for each that cannot: missing, damaged, or not named."""
    found: dict[str, StoreLayer] = {}
    missing = list[str]()
    own = [layer.name for layer in store.manifest.layers]  # a codec's layer may be called picture, too
    for name in (each for each in (PICTURES, ORIGINALS) if each in store.layers and each not in own):
        try:
            found[name] = store.file_layer(name, elsewhere)
        except TaskcodecError as error:
            missing.append(str(error))
    return found, missing


def nearest_of(store: Store, rows: npt.NDArray[np.intp]) -> list[Neighbours]:
    """The rows nearest to some, among all others, by the cosine of decoded features about their mean.

    None of pictures or values, which have no features.
    """
    if len(store) < 2 or store.manifest.of_pictures or store.manifest.of_values:
        return []
    features = store.features[rows]
    centre = features.mean(axis=0, dtype=np.float64).astype(np.float32)
    queries = _unit(features - centre)
    best = np.full((len(rows), 0), -np.inf, np.float32)
    places, start = np.zeros((len(rows), 0), np.int64), 0
    for batch in store.batches():
        likeness = queries @ _unit(batch - centre).T
        here = np.arange(start, start + len(batch))
        likeness[rows[:, None] == here] = -np.inf  # not itself
        scores, found = np.hstack([best, likeness]), np.hstack([places, np.broadcast_to(here, likeness.shape)])
        order = np.argsort(-scores, axis=1, kind="stable")[:, :NEIGHBOURS]
        best, places = np.take_along_axis(scores, order, 1), np.take_along_axis(found, order, 1)
        start += len(batch)
    return [
        Neighbours(int(row), tuple((int(p), float(s)) for p, s in zip(near, score, strict=True) if np.isfinite(s)))
        for row, near, score in zip(rows, places, best, strict=True)
    ]


class _Camera:
    """Small pictures of samples, from the layer of pictures, or else of originals, within a budget of bytes.

    A codec of pictures gives them where neither was kept: of its highest layer that people can look at.
    """

    def __init__(self, store: Store, layers: Mapping[str, StoreLayer]) -> None:
        self._layer: StoreLayer | PictureLayer | ValueLayer | None = layers.get(PICTURES, layers.get(ORIGINALS))
        if self._layer is None and store.manifest.of_pictures:
            seen = [each.name for each in store.codec.layers if transform_of(each).is_seen]
            self._layer = store.layer(seen[-1]) if seen else None
        if self._layer is None and store.manifest.of_values:
            self._layer = store.values if isinstance(store.codec.values.transform, PixelValues) else None
        self._left = PICTURE_BUDGET

    def affords(self) -> bool:
        """Whether another picture may be taken."""
        return self._layer is None or self._left > LARGEST_PICTURE

    def __call__(self, row: int) -> bytes:
        if self._layer is None or not self._layer.has(row):
            return b""
        found = self._layer[row]
        if not isinstance(found, bytes):
            found = _as_file(found)
        if self._layer.kind != PICTURES or len(found) > LARGEST_PICTURE:
            found = _smaller(found)
        self._left -= len(found)
        return found


def _as_file(pixels: npt.NDArray[np.uint8]) -> bytes:
    from taskcodec.transforms.pictures import png  # which needs Pillow

    return png.png_of(pixels)


def _smaller(file: bytes) -> bytes:
    from taskcodec.transforms.pictures.images import read_image
    from taskcodec.transforms.pictures.small import small_picture

    try:
        return small_picture(read_image(file, 512, keep_truncated=True).image, LARGEST_PICTURE // 2)
    except SourceError:
        return b""


def _shown(store: Store, row: int, camera: _Camera) -> Shown:
    label = None if store.labels is None else store.labels[row]
    return Shown(row, str(store.ids[row]), label, camera(row))


def _widening(count: int, most: int) -> Sequence[int]:
    """Rows spread over all of them, in an order whose every beginning is spread too."""
    rows = spread_rows(count, min(count, most), nearest=True)
    return [int(row) for row in rows[np.random.default_rng(0).permutation(len(rows))]]


def _unit(rows: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.maximum(lengths, np.finfo(np.float32).tiny), np.float32)
