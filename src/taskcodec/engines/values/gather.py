"""All pixels of a source, or as many as a fit looks at: pictures of the commonest size and depth."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from taskcodec.data.sources import ImageSource
from taskcodec.engines.encode.local import Progress
from taskcodec.engines.encode.records import read_item
from taskcodec.engines.value_coder import PixelReader, PlainReader, commonest, kind_of
from taskcodec.errors import SourceError
from taskcodec.samples import spread_rows
from taskcodec.transforms.values.pixels import PixelValues
from taskcodec.words import counted

FIT_BYTES = 2**28
"""Of pixels that a fit looks at, about."""
_FIRST = 64
"""Pictures by which is judged how many a fit can look at."""


@dataclass(frozen=True, eq=False)
class Gathered:
    """Pictures of one size.

    Attributes:
        pixels: (n, *shape).
        transform: what they are.
        notes: on those that were left out, a line each.
    """

    pixels: npt.NDArray[Any]
    transform: PixelValues
    notes: tuple[str, ...]


def gather(source: ImageSource, progress: Progress | None = None) -> Gathered:
    """Read the pictures of a source, spread over it where they are too many for a fit.

    Raises SourceError where none can be read.
    """
    reader, faults, found = PlainReader(PixelReader()), list[str](), list[npt.NDArray[Any]]()
    rows = spread_rows(len(source), _most(source, reader)).tolist()
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for done, (record, pixels) in enumerate(
            pool.map(lambda row: read_item(source.items[row], row, reader), rows), start=1
        ):
            if pixels is None:
                faults.append(f"{record.id}: {record.status}")
            else:
                found.append(pixels)
            if progress is not None and (done % 64 == 0 or done == len(rows)):
                progress(done, len(rows))
    transform = commonest(found)
    if transform is None:
        raise SourceError(
            f"{source.name}: none of its {counted(len(source), 'sample')} could be read (the first: {faults[0]})"
        )
    alike = [pixels for pixels in found if kind_of(pixels) == (transform.shape, transform.depth)]
    return Gathered(np.stack(alike), transform, _notes(source.name, transform, len(found) - len(alike), faults))


def _most(source: ImageSource, reader: PlainReader) -> int:
    """How many pictures of a source a fit looks at."""
    first = [read_item(source.items[row], row, reader)[1] for row in spread_rows(len(source), _FIRST)]
    largest = max((pixels.nbytes for pixels in first if pixels is not None), default=1)
    return max(FIT_BYTES // largest, 1)


def _notes(name: str, transform: PixelValues, others: int, faults: Sequence[str]) -> tuple[str, ...]:
    found = list[str]()
    if others:
        found.append(f"warning: {name}: {counted(others, 'sample')} left out: the codec is for {transform.words}")
    if faults:
        found.append(f"warning: {name}: {len(faults):,} could not be read, such as {faults[0]}")
    return tuple(found)
