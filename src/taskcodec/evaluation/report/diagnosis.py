"""What a report shows beside the rows, where it is given: where the bits go, neighbours, and the worst-hit classes."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from taskcodec.codec import Codec
from taskcodec.errors import UsageError
from taskcodec.evaluation.predictors.linear import unit_length
from taskcodec.evaluation.report.limits import LimitsPicture
from taskcodec.samples import spread_rows

THUMBNAIL_PIXELS = 96
SHOWN = 4
"""So many samples are shown, where none are named."""


@dataclass(frozen=True)
class DimensionPicture:
    """Where a codec spends its bits.

    Attributes:
        name: of the codec.
        rate_bits: (k,) expected bits of each symbol under its table.
        step: (k,) the quantization step of each latent column, in units of the (companded) features.
    """

    name: str
    rate_bits: tuple[float, ...]
    step: tuple[float, ...]


@dataclass(frozen=True)
class ClassChange:
    """Recall of one class. raw, decoded: the shares of its samples that were predicted right."""

    name: str
    samples: int
    raw: float
    decoded: float


@dataclass(frozen=True)
class Thumbnail:
    """A small picture and what stands below it. image: the bytes of a JPEG file."""

    image: bytes
    caption: str


@dataclass(frozen=True)
class NeighbourStrip:
    """A sample and what lies nearest to it, among raw and among decoded features, nearest first."""

    query: Thumbnail
    raw: tuple[Thumbnail, ...]
    decoded: tuple[Thumbnail, ...]


@dataclass(frozen=True)
class RebuiltStrip:
    """A sample and views of it (seen), and what a synthesis network makes of the code of each (rebuilt)."""

    seen: tuple[Thumbnail, ...]
    rebuilt: tuple[Thumbnail, ...]


@dataclass(frozen=True)
class Extras:
    """All optional. notes: plain sentences (a codec that was left out, a set that was cut)."""

    dimensions: tuple[DimensionPicture, ...] = ()
    neighbours: tuple[NeighbourStrip, ...] = ()
    rebuilt: tuple[RebuiltStrip, ...] = ()
    classes: tuple[ClassChange, ...] = ()
    limits: tuple[LimitsPicture, ...] = ()
    notes: tuple[str, ...] = ()


def extras_of_codec(codec: Codec, name: str = "taskcodec") -> Extras:
    """The rate and the step of every column of a codec, from its own tables.

    Empty where tables are chosen sample by sample: the codec alone does not say then what a column costs.
    """
    base = codec.base
    if base.model.plain is None:
        return Extras()
    rates = []
    for column in range(base.columns):
        counts = base.model.plain.column(column).astype(np.float64)
        share = counts[counts > 0] / counts.sum()
        rates.append(float(-(share * np.log2(share)).sum()))
    steps = (float(base.quantizer.step) * base.transform.affine.scale.astype(np.float64)).tolist()
    return Extras(dimensions=(DimensionPicture(name, tuple(rates), tuple(steps)),))


def worst_classes(
    truth: npt.ArrayLike, raw: npt.ArrayLike, decoded: npt.ArrayLike, names: Sequence[str], count: int = 10
) -> tuple[ClassChange, ...]:
    """The classes whose recall fell most, worst first.

    truth, raw, decoded: (n,) class numbers: the labels, and what was predicted from raw and from decoded features.
    """
    t, r, d = (np.asarray(a) for a in (truth, raw, decoded))
    if not t.shape == r.shape == d.shape:
        raise UsageError(f"worst classes: {t.shape} labels for {r.shape} and {d.shape} predictions")
    changes = []
    for number in np.unique(t):
        here = t == number
        changes.append(
            ClassChange(
                names[int(number)],
                int(here.sum()),
                float((r[here] == number).mean()),
                float((d[here] == number).mean()),
            )
        )
    return tuple(sorted(changes, key=lambda c: (c.decoded - c.raw, c.name))[:count])


def neighbour_strips(
    images: Sequence[Any],
    raw: npt.NDArray[np.float32],
    decoded: npt.NDArray[np.float32],
    captions: Sequence[str],
    queries: Sequence[int] | None = None,
    neighbours: int = 5,
) -> tuple[NeighbourStrip, ...]:
    """For a few samples, what lies nearest by cosine before and after coding.

    Args:
        images: (n,) a path, an (H, W, 3) uint8 array or a PIL image for each sample; only those shown are opened.
        raw, decoded: (n, d) features.
        captions: (n,) a label for each sample.
        queries: the samples to look from; default four, spread evenly.
        neighbours: how many are shown.
    """
    if not len(images) == len(raw) == len(decoded) == len(captions):
        raise UsageError(f"neighbours: {len(images)} images for {len(raw)} raw, {len(decoded)} decoded features")
    chosen = spread_rows(len(raw), SHOWN).tolist() if queries is None else queries
    spaces = [unit_length(x - x.mean(axis=0, dtype=np.float64)) for x in (raw, decoded)]
    strips = []
    for query in chosen:
        sides = []
        for space in spaces:
            likeness = space @ space[query]
            likeness[query] = -np.inf
            near = np.argsort(-likeness, kind="stable")[: min(neighbours, len(raw) - 1)]
            sides.append(tuple(thumbnail(images[i], captions[i]) for i in near))
        strips.append(NeighbourStrip(thumbnail(images[query], captions[query]), sides[0], sides[1]))
    return tuple(strips)


def thumbnail(image: Any, caption: str) -> Thumbnail:
    """A path, an (H, W, 3) uint8 array or a PIL image as a small JPEG file."""
    from PIL import Image

    picture = image if isinstance(image, Image.Image) else None
    if picture is None:
        picture = Image.fromarray(image) if isinstance(image, np.ndarray) else Image.open(image)
    small = picture.convert("RGB")
    small.thumbnail((THUMBNAIL_PIXELS, THUMBNAIL_PIXELS))
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=80)
    return Thumbnail(buffer.getvalue(), caption)
