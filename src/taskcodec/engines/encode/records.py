"""What becomes of each sample when it is read: its record, and what a codec is given of it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

from taskcodec.data.sources import FeatureSource, Item
from taskcodec.engines.value_coder import PixelReader
from taskcodec.errors import SourceError
from taskcodec.fitting.closed_form.inputs import LARGEST
from taskcodec.store import OK, SampleRecord

if TYPE_CHECKING:
    from taskcodec.transforms.pictures.images import Pixels, Preprocessing
    from taskcodec.transforms.spec import BackboneSpec


class BackboneLike(Protocol):
    """What this engine needs of a backbone."""

    @property
    def spec(self) -> BackboneSpec: ...
    @property
    def preprocess(self) -> Preprocessing: ...
    def __call__(self, batch: Pixels) -> npt.NDArray[np.float32]: ...


def read_item(
    item: Item, index: int, backbone: BackboneLike, keep_truncated: bool = True
) -> tuple[SampleRecord, Pixels | None]:
    """Read and preprocess one image; a failure becomes its record's status."""
    from taskcodec.transforms.pictures.images import read_image

    found = None

    def record(status: str, size: tuple[int, int] | None = None, note: str | None = None) -> SampleRecord:
        width, height = size or (None, None)
        known = len(found) if item.size is None and isinstance(found, bytes) else item.size or 0
        return SampleRecord(item.id, index, known, width, height, item.label, status, note)

    if item.fault is not None:
        return record(item.fault), None
    try:
        found = item.read()
        if isinstance(backbone.preprocess, PixelReader):
            exact = backbone.preprocess.read(found)
            return record(OK, exact.size), exact.pixels
        image, size, note = read_image(found, backbone.preprocess.resize, keep_truncated=keep_truncated)
        return record(OK, size, note), backbone.preprocess(image)
    except SourceError as error:
        return record(str(error)), None
    except OSError as error:
        return record((error.strerror or str(error)).lower()), None


def records_of(
    source: FeatureSource, block: npt.NDArray[np.float32], start: int, first_index: int
) -> tuple[list[SampleRecord], npt.NDArray[np.bool_]]:
    """The records of a block of rows, (m, d) from `start` on, as the source gave it last; and which of them are ok."""
    largest = np.abs(block).max(axis=1)  # NaN where there is one
    good: npt.NDArray[np.bool_] = np.asarray(largest <= LARGEST)
    records = [
        SampleRecord(
            id=source.id_of(start + i, first_index),
            source_index=first_index + start + i,
            source_bytes=source.row_bytes,
            label=None if source.labels is None else source.labels[start + i],
            status=OK if good[i] else _fault_of(source, start + i, float(largest[i])),
        )
        for i in range(len(block))
    ]
    return records, good


def _fault_of(source: FeatureSource, row: int, largest: float) -> str:
    """Why a row whose largest magnitude is this is not coded."""
    if (fault := source.fault(row)) is not None:
        return fault
    if math.isfinite(largest):
        return f"a feature beyond {LARGEST:g} in magnitude"
    return "NaN or infinity (as float32) among its features"
