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
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc
from threadpoolctl import threadpool_limits

from taskcodec.atomic import replacing
from taskcodec.codec import Codec
from taskcodec.data.sources import FeatureSource, ImageSource, Source
from taskcodec.engines.encode.ledger import (
    Names,
    as_fitted,
    check_fits,
    names_for,
    plan,
    request_of,
    with_appended,
)
from taskcodec.engines.encode.notes import left_out, noted, noted_in
from taskcodec.engines.encode.npy import write_npy
from taskcodec.engines.encode.records import BackboneLike, read_item, records_of
from taskcodec.errors import MismatchError, SourceError, StorageError, UsageError
from taskcodec.fitting.closed_form.rate import adapt
from taskcodec.quantization.uniform import MAX_SYMBOL
from taskcodec.samples import spread_rows
from taskcodec.store import OK, SampleRecord, Store, StoreWriter
from taskcodec.store.backend import open_blobs
from taskcodec.store.format.manifest import GROUP_KEY
from taskcodec.store.format.samples import readable

if TYPE_CHECKING:
    from taskcodec.transforms.pictures.images import Pixels

BATCH = 32
FEATURE_BATCH = 1024
FIT_BATCHES = 128
"""A codec is fitted, or refitted, to at most this many batches of BATCH images, spread over the source ..."""
FIT_FEATURE_BATCHES = 16
"""... or of FEATURE_BATCH feature vectors, which cost nothing to compute."""
OTHER_NORM = 0.05
"""A norm this far from 1 is another: what codes features of norm 1 would not give it back."""
Features = npt.NDArray[np.float32]
Progress = Callable[[int, int], None]
Watch = Callable[[Codec, Features], None]
Fit = Callable[[Features], Codec]


@dataclass(frozen=True, eq=False)
class Batch:
    """The records of one stretch of the source, and the features (m, d) of those that are ok."""

    number: int
    records: list[SampleRecord]
    features: Features


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
        self.readers = readers or (os.cpu_count() or 1)
        self.kept: OrderedDict[int, Batch] = OrderedDict()

    def __len__(self) -> int:
        return -(-len(self.source) // self.size)

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
        return Batch(number, records, np.asarray(self.backbone(np.stack(pixels)), dtype=np.float32))


def _feature_batch(source: FeatureSource, number: int, size: int, first_index: int) -> Batch:
    start = number * size
    block = source.block(start, min(start + size, len(source)))
    records, good = records_of(source, block, start, first_index)
    return Batch(number, records, block[good])


def encode_source(
    source: Source,
    codec: Codec | None,
    place: Any,
    *,
    backbone: BackboneLike | None = None,
    bits: float | None = None,
    refit: bool = True,
    make: Fit | None = None,
    quality: str | None = None,
    append: bool = False,
    named: bool = True,
    codec_name: str = "codec",
    remove: Callable[[], None] | None = None,
    chunk_rows: int = 1024,
    progress: Progress | None = None,
    watch: Watch | None = None,
    say: Callable[[str], None] | None = None,
) -> Store:
    """Encode a source into a store; resume where an earlier run of the same command stopped.

    Args:
        source: what to encode.
        codec: how; with `refit` its centre and tables are refitted to the source first, without labels. What is
            resumed or appended takes the store's own codec: None will do there.
        place: folder, URL or Zarr store object.
        backbone: for images.
        bits: the rate to meet on this source, in bits per sample; None keeps the codec's step.
        make: fits the codec of a new store to features (m, d) spread over the source, instead of `codec`.
        quality: what `make` goes by where no rate is given, remembered for a resumption.
        append: add to a finished store. Nothing happens where the source is in the store already.
        codec_name: where a learned codec's analysis is to be found again, since the store's copy leaves it out.
        named: whether the codec was asked for, or is just what was at hand: then resuming does not compare it.
        remove: where what lies there is to be replaced: takes it away, called when the first chunk could be written.
        chunk_rows: samples in a chunk.
        progress: called with (samples done, samples in all).
        watch: called with the codec in use and the features (m, d) of each batch.
        say: called with a line for the user where something is not as a run would usually be.

    Raises:
        MismatchError: codec, features or store do not fit.
        SourceError: nothing in the source could be read.
        StorageError: writing failed (the same command resumes), or the store holds something else.
    """
    say = say or _silent
    blobs = open_blobs(place)
    fingerprint = None if codec is None else codec.fingerprint
    request = request_of(source, fingerprint, named and codec is not None, bits, refit, chunk_rows)
    request = request if make is None else as_fitted(request, quality)
    if remove is not None or blobs.get(GROUP_KEY) is None:
        if append:
            raise StorageError(f"{blobs.name}: no store to append to")
        first, batches, names = 0, Batches(source, backbone), names_for(source, 0, None)
        used = _codec_of_new(codec, make, batches, bits, refit, progress).for_store(codec_name)
        if remove is not None:
            remove()
        writer = StoreWriter.create(place, used, chunk_rows=chunk_rows, source=request)
    else:
        store = Store(place)
        todo = plan(store, blobs.name, source, request, append)
        if append:
            check_fits(store, blobs.name, source, codec, "the codec given")
        if todo.action == "nothing":
            say(f"{source.name}: in {blobs.name} already; nothing was done")
            return store
        if todo.first_index is None:
            last = pc.max(store.records["source_index"]).as_py()
            first = 0 if last is None else int(last) + 1
        else:
            first = todo.first_index
        batches, names = Batches(source, backbone, first_index=first), names_for(source, first, store)
        used = store.codec
        addition = None if todo.first_index is not None else with_appended(store.manifest, source, first)
        writer = StoreWriter.open(place, source=addition)
    if note := left_out(source):
        say(note)
    with writer:
        with _few_blas_threads(source):
            clipped, stretched = _encode_batches(batches, used, writer, names, progress, watch)
        if writer.finish().samples == 0:
            failures = Store(place).failures["status"].to_pylist()
            reason = f" (the first: {failures[0]})" if failures else ""
            raise SourceError(f"{source.name}: none of its {len(source)} samples could be coded{reason}")
    if clipped:
        say(
            f"warning: {source.name}: {len(clipped)} samples lie beyond what can be coded and were clipped, such as "
            f"{clipped[0]}: look at what made them"
        )
    if stretched:
        say(
            f"warning: {source.name}: {stretched} samples are not of norm 1, as those were that the codec was fitted "
            "to: it gives all back with norm 1; encode these into a store of their own"
        )
    if names is not None and names.changed:
        say(f"{source.name}: {names.changed} of its names were in use; these samples are NAME#2, NAME#3, ... now")
    made = Store(place)
    if note := noted_in(made, source.name, first):
        say(note)
    return made


def _encode_batches(
    batches: Batches,
    codec: Codec,
    writer: StoreWriter,
    names: Names | None,
    progress: Progress | None,
    watch: Watch | None,
) -> tuple[list[str], int]:
    """Encode what the writer lacks; the ids of samples with symbols at their limit, and how many lose their length."""
    clipped, stretched = list[str](), 0
    total, first = len(batches.source), batches.first_index
    next_index = max(writer.resume_point + 1, first)
    for batch in batches.run(range((next_index - first) // batches.size, len(batches))):
        if watch is not None and len(batch.features):
            watch(codec, batch.features)
        coded = [record.source_index >= next_index for record in batch.records if record.status == OK]
        records = [record for record in batch.records if record.source_index >= next_index]
        if names is not None:
            records = [replace(record, id=names.give(readable(record.id))) for record in records]
        symbols = _encode(codec, batch)[np.array(coded, bool)]
        if codec.transform.unit_norm and len(batch.features):
            norms = np.linalg.norm(batch.features, axis=1)[np.array(coded, bool)]
            stretched += int((np.abs(norms - 1) > OTHER_NORM).sum())
        if max(symbols.max(initial=0), -symbols.min(initial=0)) >= MAX_SYMBOL:
            names_of = [record.id for record in records if record.status == OK]
            clipped += [names_of[row] for row in np.flatnonzero((abs(symbols) >= MAX_SYMBOL).any(axis=1)).tolist()]
        writer.append(symbols, records)
        if progress is not None:
            progress(min((batch.number + 1) * batches.size, total), total)
    return clipped, stretched


def _few_blas_threads(source: Source) -> AbstractContextManager[Any]:
    """One thread for the products of a batch of images: more would wait for the next at the cost of the backbone's."""
    return threadpool_limits(1, user_api="blas") if isinstance(source, ImageSource) else nullcontext()


def _encode(codec: Codec, batch: Batch) -> npt.NDArray[np.int32]:
    if not len(batch.features):
        return np.empty((0, codec.columns), np.int32)
    return codec.encode(batch.features)


def _codec_of_new(
    codec: Codec | None, make: Fit | None, batches: Batches, bits: float | None, refit: bool, progress: Progress | None
) -> Codec:
    """The codec of a new store, fitted or refitted to batches spread over the source where it should be."""
    from taskcodec.fitting.closed_form.rate import at_bits

    source = batches.source
    if codec is None and make is None:
        raise UsageError(f"{source.name}: a new store needs a codec")
    if codec is not None and isinstance(source, FeatureSource) and source.dimension != codec.dimension:
        raise MismatchError(f"{source.name}: features of {source.dimension} numbers, a codec for {codec.dimension}")
    if codec is not None and not refit:
        return codec if bits is None else at_bits(codec, bits)
    count = FIT_BATCHES if isinstance(source, ImageSource) else FIT_FEATURE_BATCHES
    features = sample_features(batches, count * batches.size, progress)
    if codec is not None:
        return adapt(codec, features, bits) if len(features) else codec
    assert make is not None
    if not len(features):
        raise SourceError(f"{source.name}: none of its {len(source)} samples could be coded{batches.fault()}")
    return make(features)


def sample_features(batches: Batches, samples: int, progress: Progress | None = None) -> Features:
    """(m, d) features of batches spread evenly over the source, m about `samples`; the batches are kept for later.

    Where most of these samples cannot be read, others follow until there are half of `samples`.
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


def write_features(
    source: Source,
    path: str | Path,
    backbone: BackboneLike | None = None,
    progress: Progress | None = None,
    say: Callable[[str], None] | None = None,
) -> tuple[int, list[SampleRecord]]:
    """Write the uncompressed features to a .npy file, in the order of a store's rows; (rows, failures)."""
    records: list[SampleRecord] = []
    with replacing(path) as temporary:
        rows = write_npy(temporary, feature_blocks(source, records, backbone, progress))
    notes = noted(source.name, [(record.id, record.note) for record in records if record.status == OK], len(source))
    for line in filter(None, (left_out(source), notes)):
        (say or _silent)(line)
    return rows, [record for record in records if record.status != OK]


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
        raise SourceError(f"{source.name}: none of its {len(source)} files could be read")


def _silent(line: str) -> None:
    pass
