"""Encoding on this machine: reading, backbone and coding overlap, memory stays bounded.

    items --readers (threads)--> pixels --batches of BATCH, by place in the source--> backbone --> codec --> store

Batches are cut by place in the source, never by what happens to be ready: the same source gives the same batches, so
that a resumed encode gives the same symbols as one that was never stopped.
"""

import os
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from taskcodec.codec import Codec
from taskcodec.data.sources import FeatureSource, ImageSource, Item, Source
from taskcodec.errors import MismatchError, SourceError, StorageError, UsageError
from taskcodec.fitting.rate import adapt
from taskcodec.store import OK, SampleRecord, Store, StoreWriter
from taskcodec.store.backend import open_blobs
from taskcodec.store.manifest import GROUP_KEY, read_manifest
from taskcodec.transforms.images import Pixels, Preprocessing, read_image

BATCH = 32
FEATURE_BATCH = 1024
ADAPT_BATCHES = 64
"""A codec is refitted to at most this many batches of BATCH images, spread over the source ..."""
ADAPT_FEATURE_BATCHES = 16
"""... or of FEATURE_BATCH feature vectors, which cost nothing to compute."""
Features = npt.NDArray[np.float32]
Progress = Callable[[int, int], None]
Watch = Callable[[Codec, Features], None]


class BackboneLike(Protocol):
    """What this engine needs of a backbone."""

    @property
    def preprocess(self) -> Preprocessing: ...
    def __call__(self, batch: Pixels) -> Features: ...


@dataclass(frozen=True, eq=False)
class Batch:
    """The records of one stretch of the source, and the features (m, d) of those that are ok."""

    number: int
    records: list[SampleRecord]
    features: Features


class Batches:
    """The batches of a source, computed ahead by reader threads, in any order, with a small cache."""

    def __init__(self, source: Source, backbone: BackboneLike | None, readers: int | None = None) -> None:
        if isinstance(source, ImageSource) and backbone is None:
            raise UsageError(f"{source.name}: images need a backbone; name one, or a codec that has one")
        self.source, self.backbone = source, backbone
        self.size = BATCH if isinstance(source, ImageSource) else FEATURE_BATCH
        self.readers = readers or (os.cpu_count() or 1)
        self.kept: OrderedDict[int, Batch] = OrderedDict()

    def __len__(self) -> int:
        return -(-len(self.source) // self.size)

    def run(self, numbers: Iterable[int]) -> Iterator[Batch]:
        """Compute these batches, in this order; those kept by `keep` are not computed again."""
        if isinstance(self.source, FeatureSource):
            for number in numbers:
                yield self._kept(number) or _feature_batch(self.source, number, self.size)
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
        reading = [readers.submit(read_item, item, start + i, self.backbone) for i, item in enumerate(items)]
        return runners.submit(self._image_batch, number, reading)

    def _image_batch(self, number: int, reading: list[Future[tuple[SampleRecord, Pixels | None]]]) -> Batch:
        assert self.backbone is not None
        read = [future.result() for future in reading]
        pixels = [square for _, square in read if square is not None]
        records = [record for record, _ in read]
        if not pixels:
            return Batch(number, records, np.empty((0, 0), np.float32))
        return Batch(number, records, np.asarray(self.backbone(np.stack(pixels)), dtype=np.float32))


def read_item(item: Item, index: int, backbone: BackboneLike) -> tuple[SampleRecord, Pixels | None]:
    """Read and preprocess one image; a failure becomes its record's status."""

    def record(status: str, size: tuple[int, int] | None = None) -> SampleRecord:
        width, height = size or (None, None)
        return SampleRecord(item.id, index, item.size, width, height, item.label, status)

    if item.fault is not None:
        return record(item.fault), None
    try:
        image, size = read_image(item.read(), backbone.preprocess.resize)
        return record(OK, size), backbone.preprocess(image)
    except SourceError as error:
        return record(str(error)), None
    except OSError as error:
        return record((error.strerror or str(error)).lower()), None


def _feature_batch(source: FeatureSource, number: int, size: int) -> Batch:
    start = number * size
    block = source.block(start, min(start + size, len(source)))
    finite: npt.NDArray[np.bool_] = np.asarray(np.isfinite(block).all(axis=1))
    records = [
        SampleRecord(
            id=source.id_of(start + i),
            source_index=start + i,
            source_bytes=source.row_bytes,
            label=None if source.labels is None else source.labels[start + i],
            status=OK if good else "NaN or infinity among its features",
        )
        for i, good in enumerate(finite)
    ]
    return Batch(number, records, block[finite])


def encode_source(
    source: Source,
    codec: Codec,
    place: Any,
    load: Callable[[bytes, str], Codec],
    *,
    backbone: BackboneLike | None = None,
    bits: float | None = None,
    refit: bool = True,
    append: bool = False,
    chunk_rows: int = 1024,
    progress: Progress | None = None,
    watch: Watch | None = None,
) -> Store:
    """Encode a source into a store; resume where an earlier run of the same command stopped.

    Args:
        source: what to encode.
        codec: how; with `refit` its centre and tables are refitted to the source first, without labels.
        place: folder, URL or Zarr store object.
        load: how to read back the codec kept in an unfinished store.
        backbone: for images.
        bits: the rate to meet on this source, in bits per sample; None keeps the codec's step.
        append: add to a finished store (whose codec is used as it is).
        chunk_rows: samples in a chunk.
        progress: called with (samples done, samples in all).
        watch: called with the codec in use and the features (m, d) of each batch.

    Raises:
        MismatchError: codec and features do not fit, or the store holds something else.
        SourceError: nothing in the source could be read.
        StorageError: writing failed; the same command resumes.
    """
    batches = Batches(source, backbone)
    if isinstance(source, FeatureSource) and source.dimension != codec.dimension:
        raise MismatchError(f"{source.name}: features of {source.dimension} numbers, a codec for {codec.dimension}")
    request = {
        **source.descriptor(),
        "codec": codec.fingerprint,
        "bits": bits,
        "refit": refit,
        "chunk_rows": chunk_rows,
        "append": append,
    }
    blobs = open_blobs(place)
    exists = blobs.get(GROUP_KEY) is not None
    offset = 0
    if exists:
        manifest = read_manifest(blobs)
        stored = {key: value for key, value in manifest.source.items() if key != "first_index"}
        same = stored == request
        if same and manifest.state == "complete":
            return Store(place, load)
        if same:
            offset = int(manifest.source.get("first_index", 0))
            writer = StoreWriter.open(place)
        elif append and manifest.state == "complete":
            offset = _next_index(place, load)
            writer = StoreWriter.open(place, source={**request, "first_index": offset})
        else:
            raise StorageError(
                f"{blobs.name}: a store of something else lies there"
                + ("; append to it (--append) or replace it (--overwrite)" if not append else ", and is unfinished")
            )
        codec = Store(place, load).codec  # type: ignore[assignment]
    elif append:
        raise StorageError(f"{blobs.name}: no store to append to")
    else:
        codec = _refitted(codec, batches, bits, refit, progress)
        writer = StoreWriter.create(place, codec, chunk_rows=chunk_rows, source=request)
    with writer:
        done = writer.resume_point + 1 - offset if writer.resume_point >= offset else 0
        _encode_batches(batches, codec, writer, done, offset, progress, watch)
        if writer.finish().samples == 0:
            raise SourceError(f"{source.name}: none of its {len(source)} files could be coded; see `taskcodec info`")
    return Store(place, load)


def _encode_batches(
    batches: Batches,
    codec: Codec,
    writer: StoreWriter,
    done: int,
    offset: int,
    progress: Progress | None,
    watch: Watch | None,
) -> None:
    total = len(batches.source)
    for batch in batches.run(range(done // batches.size, len(batches))):
        records = [
            SampleRecord(**{**vars(record), "source_index": record.source_index + offset}) for record in batch.records
        ]
        if watch is not None and len(batch.features):
            watch(codec, batch.features)
        symbols = _encode(codec, batch)
        fresh = [record.source_index - offset >= done for record in records]
        kept = [new for new, record in zip(fresh, records, strict=True) if record.status == OK]
        writer.append(symbols[np.array(kept, bool)], [r for r, new in zip(records, fresh, strict=True) if new])
        if progress is not None:
            progress(min((batch.number + 1) * batches.size, total), total)


def _encode(codec: Codec, batch: Batch) -> npt.NDArray[np.int32]:
    if not len(batch.features):
        return np.empty((0, codec.columns), np.int32)
    return codec.encode(batch.features)


def _refitted(codec: Codec, batches: Batches, bits: float | None, refit: bool, progress: Progress | None) -> Codec:
    from taskcodec.fitting.rate import at_bits

    if not refit:
        return codec if bits is None else at_bits(codec, bits)
    count = ADAPT_BATCHES if isinstance(batches.source, ImageSource) else ADAPT_FEATURE_BATCHES
    features = sample_features(batches, count * batches.size, progress)
    return adapt(codec, features, bits) if len(features) else codec


def sample_features(batches: Batches, samples: int, progress: Progress | None = None) -> Features:
    """(m, d) features of batches spread evenly over the source, m about `samples`; the batches are kept for later."""
    count = min(len(batches), -(-samples // batches.size))
    numbers = np.unique(np.linspace(0, len(batches) - 1, count).round().astype(int)).tolist()
    found = []
    for done, batch in enumerate(batches.run(numbers), 1):
        batches.keep(batch)
        found.append(batch.features)
        if progress is not None:
            progress(min(done * batches.size, len(batches.source)), len(batches.source))
    found = [features for features in found if len(features)]
    return np.concatenate(found) if found else np.empty((0, 0), np.float32)


def write_features(
    source: Source, path: str | Path, backbone: BackboneLike | None = None, progress: Progress | None = None
) -> tuple[int, list[SampleRecord]]:
    """Write the uncompressed features to a .npy file, in the order of a store's rows; (rows, failures)."""
    batches = Batches(source, backbone)
    failures: list[SampleRecord] = []
    temporary = Path(f"{path}.partial")
    rows, width = 0, 0
    try:
        with open(temporary, "wb") as file:
            file.write(b"\0" * 128)
            for batch in batches.run(range(len(batches))):
                failures.extend(record for record in batch.records if record.status != OK)
                if len(batch.features):
                    rows, width = rows + len(batch.features), batch.features.shape[1]
                    file.write(np.ascontiguousarray(batch.features, dtype="<f4").tobytes())
                if progress is not None:
                    progress(min((batch.number + 1) * batches.size, len(source)), len(source))
            file.seek(0)
            file.write(_npy_header(rows, width))
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise StorageError(f"{path}: cannot be written ({error.strerror})") from error
    if not rows:
        temporary.unlink()
        raise SourceError(f"{source.name}: none of its {len(source)} files could be read")
    os.replace(temporary, path)
    return rows, failures


def _npy_header(rows: int, width: int) -> bytes:
    """A version 1.0 header of exactly 128 bytes, written when the number of rows is known."""
    content = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({rows}, {width}), }}".encode()
    return b"\x93NUMPY\x01\x00" + (118).to_bytes(2, "little") + content.ljust(117) + b"\n"


def _next_index(place: Any, load: Callable[[bytes, str], Codec]) -> int:
    index = Store(place, load).records["source_index"]
    return max(index.to_pylist(), default=-1) + 1
