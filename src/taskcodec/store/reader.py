"""Reading a store: length, ids, labels, and features decoded as they are asked for."""

import os
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Literal, NoReturn, Self, TypeVar, overload

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from taskcodec.codec import Codec
from taskcodec.errors import (
    CorruptFileError,
    ForeignFileError,
    MismatchError,
    TaskcodecError,
    UnknownIdError,
    UsageError,
    listed,
    needing_packages,
)
from taskcodec.layer import columns_of
from taskcodec.names import readable
from taskcodec.store.backend import absolute, open_blobs
from taskcodec.store.catalogue import Catalogue
from taskcodec.store.find import asked_label, rows_of, rows_with, texts_of
from taskcodec.store.format.certificate import read_certificate
from taskcodec.store.format.manifest import (
    CODEC_KEY,
    Manifest,
    checked_bytes,
    checked_codes,
    digest,
    read_manifest,
)
from taskcodec.store.format.records import SCHEMA, coded
from taskcodec.store.info import StoreInfo, measure
from taskcodec.store.pictures.of_store import WithPictures
from taskcodec.store.rows import Rows
from taskcodec.store.symbols import Symbols, ahead
from taskcodec.store.verify import faults_of
from taskcodec.store.views.decoded import KEPT_BYTES
from taskcodec.store.views.labels import numbers_of_labels
from taskcodec.store.views.parquet import write_parquet
from taskcodec.store.views.shares import Share

_NO_ARRAY = (
    "a store is no array, since its samples have features, symbols, ids and labels: index one of these, as in "
    "store.features[0], or take a data set for a DataLoader, store.torch()"
)
Array = npt.NDArray[Any]
Found = TypeVar("Found")


class Store(WithPictures):
    """A coded data set, read lazily. Open one with `taskcodec.open`.

    Every file is checked before it is used: the first damaged one raises CorruptFileError, naming it.

    Args:
        place: a folder, a .zip, an fsspec URL, or a Zarr store object.
        threads: that decode chunks side by side.
        upto: the layer whose features are given; the highest by default. Only its bytes, and those of the layers that
            it depends on, are read.
    """

    def __init__(self, place: Any, threads: int | None = None, upto: str | None = None) -> None:
        self.place, self._threads, self.upto = place, threads or os.cpu_count() or 1, upto
        self._where, self._blobs = absolute(place), open_blobs(place)
        self.manifest: Manifest = read_manifest(self._blobs)
        with suppress(TaskcodecError):  # whoever needs it will be told
            self._catalogue.hold_last()

    def __reduce__(self) -> tuple[Any, ...]:
        return _reopened, (self._where, self._threads, self.upto, digest(self.manifest))

    def close(self) -> None:
        """Let go of open files and decoded chunks; what is read after that is opened again."""
        self._blobs.close()
        vars(self).pop("_symbols", None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __len__(self) -> int:
        return self.manifest.samples

    def __getitem__(self, index: object) -> NoReturn:
        raise TypeError(_NO_ARRAY)

    def __iter__(self) -> NoReturn:
        raise TypeError(_NO_ARRAY)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NoReturn:
        raise TypeError(_NO_ARRAY)

    def __repr__(self) -> str:
        of_values = "values" if self.manifest.of_values else "features"
        what = "pictures" if self.manifest.of_pictures else f"samples of {self.manifest.dimension} {of_values}"
        return f"<taskcodec store {self._blobs.name}: {len(self)} {what}>"

    @cached_property
    def codec(self) -> Codec:
        """The codec the samples were coded with."""
        with self._telling_changes():
            data = checked_bytes(self._blobs, CODEC_KEY, self.manifest.codec_sha256)
        codec = Codec.from_bytes(data, f"{self._blobs.name}/{CODEC_KEY}")
        dimension = 0 if codec.of_pictures else codec.dimension
        expected = (self.manifest.columns, self.manifest.dimension, self.manifest.fingerprint)
        if (codec.columns, dimension, codec.fingerprint) != expected or codec.of_pictures != self.manifest.of_pictures:
            raise MismatchError(f"{self._blobs.name}/{CODEC_KEY}: not the codec of these symbols")
        return codec

    @property
    def certificate(self) -> dict[str, Any] | None:
        """What `taskcodec evaluate --certificate` found, with its conditions in words; None where it was not asked."""
        self._check_unchanged()
        return read_certificate(self._blobs)

    @cached_property
    def records(self) -> pa.Table:
        """One row for every source sample, failures included, with the columns of SCHEMA."""
        with self._telling_changes():
            tables = list(self._catalogue.tables())
        return pa.concat_tables(tables) if tables else SCHEMA.empty_table()

    @property
    def samples(self) -> pa.Table:
        """The rows of `records` that were coded, in the order of `features`."""
        return self.records.filter(coded(self.records))

    @property
    def failures(self) -> pa.Table:
        """The rows of `records` that could not be coded, with the reason in `status`."""
        with self._telling_changes():
            tables = [table.filter(pc.invert(coded(table))) for table in self._catalogue.tables()]
        return pa.concat_tables(tables) if tables else SCHEMA.empty_table()

    @cached_property
    def ids(self) -> npt.NDArray[np.str_]:
        """(n,) names of the samples; read-only, since the store keeps the array: change a copy."""
        found = [np.array(names.to_pylist(), dtype=np.str_) for (names,) in self.tables("id")]
        return _read_only(np.concatenate([np.empty(0, np.str_), *found]))

    @cached_property
    def labels(self) -> npt.NDArray[np.object_] | None:
        """(n,) labels as text, None for samples without; None where no sample has one. Read-only, as `ids` are."""
        columns = [(len(labels), labels.null_count, labels.to_pylist()) for (labels,) in self.tables("label")]
        if all(length == nulls for length, nulls, _ in columns):
            return None
        return _read_only(np.array([label for *_, labels in columns for label in labels], dtype=object))

    def tables(self, *columns: str, failures: bool = False) -> Iterator[pa.Table]:
        """Some columns of `samples`, or with `failures` of `records`, a file of up to a million rows at a time.

        Other columns are not read, where the place can give pieces of a file.
        """
        with self._telling_changes():
            for table in self._catalogue.tables({*columns, "status"}):
                yield (table if failures else table.filter(coded(table))).select(list(columns))

    @cached_property
    def numeric_labels(self) -> npt.NDArray[np.float64]:
        """(n,) labels as numbers, NaN for samples without; read-only. Raises UsageError where one is no number."""
        labels = [None] * len(self) if self.labels is None else self.labels.tolist()
        if not any(label is not None for label in labels):
            raise UsageError(f"{self._blobs.name}: no sample has a label")
        return _read_only(numbers_of_labels(labels, self._blobs.name))

    @overload
    def find(self, id: str) -> int: ...  # type: ignore[overload-overlap]
    @overload
    def find(self, id: Sequence[str]) -> npt.NDArray[np.int64]: ...
    def find(self, id: str | Sequence[str]) -> int | npt.NDArray[np.int64]:
        """The row of the sample of this id; of several ids their rows, (m,).

        Few bytes are read, however long the store is: it is not made for going through all ids one by one.

        Raises UnknownIdError where there is none such, or where it could not be coded.
        """
        names = [readable(name) for name in texts_of("an id", id, "text")]
        with self._telling_changes():
            found = rows_of(self._blobs, self.manifest, self._catalogue, names)
        for name in names:
            if found.get(name) is None:
                why = "could not be coded" if name in found else "is the id of no sample"
                raise UnknownIdError(f"{self._blobs.name}: {name!r} {why}")
        rows = np.array([found[name] for name in names], np.int64)
        return int(rows[0]) if isinstance(id, str) else rows

    def rows_where(self, **columns: str | Collection[str] | None) -> npt.NDArray[np.int64]:
        """(m,) rows of the samples with `label=` this label, or one of several, or None: those that have none.

        Of the records only the column of labels is read, where the place can give pieces of a file. Raises UsageError
        where another column is asked for, or a label that is no text.
        """
        return rows_with(asked_label(columns), self.tables("label"))

    @property
    def features(self) -> Rows:
        """(n, d) float32, decoded when indexed.

        The last bits of a row may depend on how many are decoded with it, since matrix products round by their shape:
        by less than 1e-5 of the largest feature, and not at all without a linear map. Symbols are the same always.
        """
        return self._rows(True, self.manifest.dimension, np.float32)

    @property
    def symbols(self) -> Rows:
        """(n, k) int32, decoded when indexed: of the layer that is given and those it needs, side by side."""
        return self._rows(False, self._columns, np.int32)

    def _rows(self, features: bool, width: int, dtype: Any) -> Rows:
        (self.check_features if features else self.check_rows)()
        return Rows(partial(self._gather, features), (len(self), width), dtype, self.manifest.chunk_rows)

    def batches(self) -> Iterator[npt.NDArray[np.float32]]:
        """The features chunk by chunk, in order: constant memory for any number of samples. A few are read ahead."""
        self.check_features()
        codec, _ = self.codec, self._symbols  # made once, before the threads start
        for rows in ahead(self._chunk, range(self.manifest.chunks), self._threads):
            yield codec.decode(rows, self.upto)

    def to_numpy(self) -> npt.NDArray[np.float32]:
        """(n, d) features."""
        return np.asarray(self.features[:])

    def to_pandas(self) -> Any:
        """A data frame, a row a sample: `id`, `label` (None where there is none), then the features by number, float32.

        Raises UsageError where pandas is not installed.
        """
        with needing_packages():
            from taskcodec.store.views.frame import data_frame

        return data_frame(self)

    def to_parquet(self, path: str | Path) -> None:
        """Write id, label and features (fixed-size lists of float32), chunk by chunk; whole or not at all.

        Raises StorageError where the file cannot be written, CorruptFileError where the store is damaged.
        """
        write_parquet(self, path)

    def torch(
        self,
        *,
        style: Literal["map", "iterable"] = "map",
        target: Literal["class", "number"] = "class",
        shuffle: bool = False,
        seed: int = 0,
        share: tuple[int, int] | None = None,
        batch_size: int | None = None,
        memory: int = KEPT_BYTES,
    ) -> Any:
        """A torch Dataset of (features, target).

        Args:
            style: "map" gives random access (use a DataLoader's own shuffle, and DistributedSampler in a distributed
                run); "iterable" streams chunks, shared out over the processes of a distributed run and the workers of
                a DataLoader.
            target: "class": the index of the label among the data set's `classes`, in order (by number where all are
                numbers), -1 where there is none. "number": the label as float32, NaN where there is none.
            shuffle: of the iterable style: the chunks, and the samples of a few of them at a time.
            seed: of the shuffling.
            share: of the iterable style: (rank, ranks) instead of those that torch.distributed has, or else RANK and
                WORLD_SIZE in the environment; (0, 1) gives every process all samples.
            batch_size: of the iterable style: give ready batches, for a DataLoader with batch_size=None.
            memory: bytes of decoded features that are kept for the next epoch, in each process; 0 keeps none.

        Raises UsageError: another style or target, labels that are no numbers, what does not go with random access,
        and where torch is not installed.
        """
        self.check_features()
        with needing_packages():
            from taskcodec.store.views.torch_data import Streaming, data_set

        streaming = Streaming(shuffle, seed, None if share is None else Share(*share), batch_size)
        return data_set(self, style, target, streaming, memory)

    def info(self, elsewhere: str | Sequence[str] = ()) -> StoreInfo:
        """Counts and sizes, from the files themselves; of layers at another place where `elsewhere` names it."""
        self._check_unchanged()
        fitted = self.manifest.source.get("fit") is True  # a codec that comes from elsewhere was measured there
        found = self.codec.provenance if fitted and self.codec.provenance.get("held_back") else {}
        with self._telling_changes():
            return measure(self._blobs, self.manifest, self._catalogue, fitted, found, listed(elsewhere))

    def verify(self, elsewhere: str | Sequence[str] = ()) -> list[str]:
        """Read every byte there is to read, at places that are named `elsewhere` too; a line for each fault found."""
        return [*faults_of(self._blobs, self.manifest, self._steps()), *self._layer_faults(elsewhere)]

    def _steps(self) -> Iterator[Callable[[], object]]:
        """All that there is to read, each where it may fail alone."""
        for layer in self.manifest.layers:
            yield partial(self._told, partial(checked_codes, self._blobs, self.manifest), layer)
        yield lambda: self.codec
        yield lambda: self.certificate
        for number in range(len(self.manifest.segments)):
            yield partial(self._told, self._catalogue.check, number)
        for part in self.manifest.parts:
            yield partial(self._told, self._catalogue.of_part, part)
        for index in range(self.manifest.chunks):
            yield partial(self._told, self._check_chunk, index)

    @cached_property
    def _catalogue(self) -> Catalogue:
        return Catalogue(self._blobs, self.manifest)

    def _told(self, read: Callable[[Any], Found], of: Any) -> Found:
        with self._telling_changes():
            return read(of)

    @cached_property
    def _symbols(self) -> Symbols:
        return Symbols(self._blobs, self.manifest, self.codec.needed(self.upto), self._catalogue.counted)

    @cached_property
    def _every(self) -> Symbols:
        return Symbols(self._blobs, self.manifest, self.codec.layers, self._catalogue.counted)

    @property
    def _columns(self) -> int:
        alone = len(self.manifest.layers) == 1 and self.upto is None
        return self.manifest.columns if alone else columns_of(self.codec.needed(self.upto))

    def _check_chunk(self, index: int) -> None:
        (self._check_pictures if self.manifest.of_pictures else self._every.read)(index)

    @contextmanager
    def _telling_changes(self) -> Iterator[None]:
        """Raise MismatchError instead where what looks like damage is another store, or none, in the place of this."""
        try:
            yield
        except CorruptFileError:
            self._check_unchanged()
            raise

    def _check_unchanged(self) -> None:
        try:
            found = read_manifest(self._blobs)
        except ForeignFileError as error:
            raise MismatchError(f"{self._blobs.name}: moved or removed since it was opened") from error
        except CorruptFileError:
            return  # damage, which whoever asked tells in detail
        if found != self.manifest:
            raise MismatchError(f"{self._blobs.name}: replaced or added to since it was opened: open it again")

    def _chunk(self, index: int) -> npt.NDArray[np.int32]:
        found, symbols = self._symbols.cached(index), self._symbols
        return symbols.keep(index, self._told(symbols.read, index)) if found is None else found

    def _gather(self, features: bool, positions: npt.NDArray[np.int64], columns: slice) -> npt.NDArray[Any]:
        width, dtype = (self.manifest.dimension, np.float32) if features else (self._columns, np.int32)
        out = np.empty((len(positions), len(range(width)[columns])), dtype)
        if not len(positions):
            return out
        codec, _ = self.codec, self._symbols  # made once, before the threads start
        chunk_of = positions // self.manifest.chunk_rows
        order = np.argsort(chunk_of, kind="stable")
        chunks, starts = np.unique(chunk_of[order], return_index=True)

        def fill(job: tuple[int, npt.NDArray[np.int64]]) -> None:
            index, where = job
            rows = self._chunk(index)[positions[where] - index * self.manifest.chunk_rows]
            out[where] = (codec.decode(rows, self.upto) if features else rows)[:, columns]

        jobs: Sequence[tuple[int, npt.NDArray[np.int64]]] = list(
            zip(chunks.tolist(), np.split(order, starts[1:]), strict=True)
        )
        if len(jobs) == 1 or self._threads == 1:
            for job in jobs:
                fill(job)
        else:
            with ThreadPoolExecutor(self._threads) as pool:
                list(pool.map(fill, jobs))
        return out


def _reopened(place: Any, threads: int, upto: str | None, expected: str) -> Store:
    """A store in another process. Raises MismatchError where it is not the one that was sent there."""
    store = Store(place, threads, upto)
    if digest(store.manifest) != expected:
        raise MismatchError(f"{place}: replaced or added to since it was opened: open it again")
    return store


def _read_only(array: Array) -> Array:
    array.setflags(write=False)
    return array
