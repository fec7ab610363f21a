"""Encoding on this machine: reading, backbone and coding overlap, memory stays bounded.

    items --readers (threads)--> pixels --batches of BATCH, by place in the source--> backbone --> codec --> store

Batches are cut by place in the source, never by what happens to be ready: the same source gives the same batches, so
that a resumed encode gives the same symbols as one that was never stopped. What reads images, and Pillow with it, is
imported with the first image: vectors need neither.
"""

from __future__ import annotations

import os
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from taskcodec.atomic import replacing
from taskcodec.data.sources import FeatureSource, ImageSource, Source
from taskcodec.engines.encode.notes import left_out, noted
from taskcodec.engines.encode.npy import write_npy
from taskcodec.engines.encode.records import BackboneLike, read_item, records_of
from taskcodec.engines.picture_coder import PictureCoder
from taskcodec.engines.value_coder import ValueCoder
from taskcodec.errors import MismatchError, SourceError, UsageError
from taskcodec.samples import spread_rows
from taskcodec.store import OK, SampleRecord
from taskcodec.words import counted

if TYPE_CHECKING:
    from taskcodec.transforms.pictures.images import Pixels

BATCH = 32
FEATURE_BATCH = 1024
Features = npt.NDArray[np.float32]
Progress = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class Batch:
    """The records of one stretch of the source, and the features (m, d) of those that are ok, or their items."""

    number: int
    records: list[SampleRecord]
    features: npt.NDArray[Any]


class Batches:
    """The batches of a source, computed ahead by reader threads, in any order, with a small cache.

    `first_index` is the `source_index` of the source's first sample; samples without a name are named by it.
    """

    def __init__(
        self, source: Source, backbone: BackboneLike | None, readers: int | None = None, first_index: int = 0
    ) -> None:
        if isinstance(source, ImageSource) and backbone is None:
            raise UsageError(f"{source.name}: images need a backbone; name one, or a codec that has one")
        self.source, self.backbone, self.first_index = source, backbone, first_index
        self.size = BATCH if isinstance(source, ImageSource) else FEATURE_BATCH
        if isinstance(backbone, PictureCoder):
            self.size = 1  # a picture may have any number of pixels
        self.readers = readers or (os.cpu_count() or 1)
        self.kept: OrderedDict[int, Batch] = OrderedDict()

    def __len__(self) -> int:
        return -(-len(self.source) // self.size)

    def number_of(self, index: int) -> int:
        """The batch with the sample of this `source_index`."""
        return (index - self.first_index) // self.size

    def end_of(self, number: int) -> int:
        """How many samples of the source end with this batch."""
        return min((number + 1) * self.size, len(self.source))

    def run(self, numbers: Iterable[int]) -> Iterator[Batch]:
        """Compute these batches, in this order; those kept by `keep` are not computed again."""
        if isinstance(self.source, FeatureSource):
            for number in numbers:
                yield self._kept(number) or _feature_batch(self.source, number, self.size, self.first_index)
            return
        upcoming, computing = iter(numbers), deque[Future[Batch]]()
        # While one batch is coded by the caller, `ahead` others are in the backbone and some more are being read.
        ahead = 1 + -(-self.readers // 8)
        readers, runners = ThreadPoolExecutor(self.readers), ThreadPoolExecutor(ahead)
        try:
            for number in islice(upcoming, ahead + 1):
                computing.append(self._schedule(number, readers, runners))
            while computing:
                batch = computing.popleft().result()
                for number in islice(upcoming, 1):
                    computing.append(self._schedule(number, readers, runners))
                yield batch
        finally:
            readers.shutdown(cancel_futures=True)
            runners.shutdown(cancel_futures=True)

    def whole(self) -> tuple[list[SampleRecord], Features]:
        """The records of all samples, and the features (m, d) of those that are ok; (0, 0) where none is."""
        batches = list(self.run(range(len(self))))
        found = [batch.features for batch in batches if len(batch.features)]
        records = [record for batch in batches for record in batch.records]
        return records, np.concatenate(found) if found else np.empty((0, 0), np.float32)

    def keep(self, batch: Batch) -> None:
        """Remember a batch until `run` asks for it."""
        self.kept[batch.number] = batch

    def fault(self) -> str:
        """Of the batches remembered, why the first sample that failed did: "" or " (the first fault: ...)"."""
        faults = (record.status for batch in self.kept.values() for record in batch.records if record.status != OK)
        first = next(faults, None)
        return "" if first is None else f" (the first fault: {first})"

    def _kept(self, number: int) -> Batch | None:
        return self.kept.pop(number) if number in self.kept else None

    def _schedule(self, number: int, readers: ThreadPoolExecutor, runners: ThreadPoolExecutor) -> Future[Batch]:
        assert isinstance(self.source, ImageSource)
        assert self.backbone is not None
        if (kept := self._kept(number)) is not None:
            done: Future[Batch] = Future()
            done.set_result(kept)
            return done
        start = number * self.size
        items = self.source.items[start : start + self.size]
        index = self.first_index + start
        own = (self.backbone, self.source.keeps_truncated)
        reading = [readers.submit(read_item, item, index + i, *own) for i, item in enumerate(items)]
        return runners.submit(self._image_batch, number, reading)

    def _image_batch(self, number: int, reading: list[Future[tuple[SampleRecord, Pixels | None]]]) -> Batch:
        assert self.backbone is not None
        read = [future.result() for future in reading]
        pixels = [square for _, square in read if square is not None]
        records = [record for record, _ in read]
        if not pixels:
            return Batch(number, records, np.empty((0, 0), np.float32))
        if isinstance(self.backbone, PictureCoder):
            try:
                return Batch(number, records, self.backbone(pixels))
            except MismatchError as error:  # larger than the codec takes: recorded, as what cannot be read is
                failed = [replace(record, status=str(error)) for record in records]
                return Batch(number, failed, np.empty((0, 0), object))
        if isinstance(self.backbone, ValueCoder):
            return Batch(number, records, self.backbone(np.stack(pixels)))
        return Batch(number, records, np.asarray(self.backbone(np.stack(pixels)), dtype=np.float32))


def _feature_batch(source: FeatureSource, number: int, size: int, first_index: int) -> Batch:
    start = number * size
    block = source.block(start, min(start + size, len(source)))
    records, good = records_of(source, block, start, first_index)
    return Batch(number, records, block[good])


def sample_features(
    batches: Batches,
    samples: int,
    progress: Progress | None = None,
    save: Callable[[int, list[SampleRecord], Features], None] = lambda *batch: None,
) -> Features:
    """(m, d) features of batches spread evenly over the source, m about `samples`; the batches are kept for later.

    Where most of these samples cannot be read, others follow until there are half of `samples`. `save` is called with
    the number, the records and the features of each batch.
    """
    count = min(len(batches), -(-samples // batches.size))
    spread = spread_rows(len(batches), count, nearest=True)
    others = np.setdiff1d(np.arange(len(batches)), spread)
    found = dict[int, Features]()

    def enough() -> bool:
        return 2 * sum(map(len, found.values())) >= samples

    def take(numbers: list[int], until: Callable[[], bool]) -> None:
        for batch in batches.run(numbers):
            batches.keep(batch)
            save(batch.number, batch.records, batch.features)
            if len(batch.features):
                found[batch.number] = batch.features
            if progress is not None:
                progress(min(len(batches.kept) * batches.size, len(batches.source)), len(batches.source))
            if until():
                return

    take(spread.tolist(), lambda: False)
    if not enough():
        take(np.random.default_rng(0).permutation(others).tolist(), enough)
    return np.concatenate([found[number] for number in sorted(found)]) if found else np.empty((0, 0), np.float32)


@dataclass(frozen=True, eq=False)
class WrittenFeatures:
    """How many rows were written, the records of what could not be read, and what to tell, a line each."""

    rows: int
    failures: list[SampleRecord]
    notes: list[str]


def write_features(
    source: Source, path: str | Path, backbone: BackboneLike | None = None, progress: Progress | None = None
) -> WrittenFeatures:
    """Write the uncompressed features to a .npy file, in the order of a store's rows."""
    records: list[SampleRecord] = []
    with replacing(path) as temporary:
        rows = write_npy(temporary, feature_blocks(source, records, backbone, progress))
    seen = noted(source.name, [(record.id, record.note) for record in records if record.status == OK], len(source))
    notes = [line for line in (left_out(source), seen) if line is not None]
    return WrittenFeatures(rows, [record for record in records if record.status != OK], notes)


def feature_blocks(
    source: Source, records: list[SampleRecord], backbone: BackboneLike | None = None, progress: Progress | None = None
) -> Iterator[Features]:
    """The uncompressed features (m, d), batch by batch.

    Records of what could not be read, or was read with a note, are added to `records`. Raises SourceError where nothing
    could be read.
    """
    batches, empty = Batches(source, backbone), True
    for batch in batches.run(range(len(batches))):
        records.extend(record for record in batch.records if record.status != OK or record.note is not None)
        if len(batch.features):
            empty = False
            yield batch.features
        if progress is not None:
            progress(min((batch.number + 1) * batches.size, len(source)), len(source))
    if empty:
        raise SourceError(f"{source.name}: none of its {counted(len(source), 'file')} could be read")
