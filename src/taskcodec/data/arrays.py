"""Arrays of features as sources, read block by block; .npy files among them."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from taskcodec.data.file_digest import pieces
from taskcodec.data.labels import LabelTable
from taskcodec.data.left_behind import Skipped
from taskcodec.data.remote.files import File, RemoteFile
from taskcodec.errors import SourceError
from taskcodec.names import readable
from taskcodec.transforms.spec import BackboneSpec
from taskcodec.words import counted

Block = npt.NDArray[np.float32]


def _none(row: int) -> None:
    return None


def _nothing() -> None:
    pass


@dataclass(frozen=True, eq=False)
class FeatureSource:
    """Rows of an (n, d) array, read block by block.

    Attributes:
        name: of the file.
        rows, dimension: n and d.
        row_bytes: the size of a row where it lies.
        block: (start, stop) -> rows start to stop, float32; cheapest in rising order.
        file_bytes: the size of the file.
        ids: of the rows; None numbers them.
        labels: of the rows, where there are any.
        fault: row -> why there is no vector in it that can be coded, or None; asked of rows that `block` gave last.
        files: where the rows lie; (name,) where not given.
        marks: what else tells the source from others: the column that was chosen, the names of files.
        unique_ids: whether no two of `ids` are alike, as text.
        skipped: files beside these that are hidden or left by other programs, counted.
        release: lets go of what `block` keeps open.
        digest: SHA-256 of the rows, where they lie in no file.
        backbone: what computed the features, where that is known.
    """

    name: str
    rows: int
    dimension: int
    row_bytes: int
    block: Callable[[int, int], Block]
    file_bytes: int
    ids: Sequence[str | None] | None = None
    labels: Sequence[str | None] | None = None
    kind: str = "features"
    fault: Callable[[int], str | None] = _none
    files: tuple[str, ...] = ()
    marks: str = ""
    unique_ids: bool = False
    skipped: Skipped = field(default_factory=dict)
    release: Callable[[], None] = _nothing
    digest: str | None = None
    backbone: BackboneSpec | None = None

    def __len__(self) -> int:
        return self.rows

    def descriptor(self) -> dict[str, Any]:
        """What tells this source from another when an encode is resumed."""
        return {"kind": self.kind, "count": self.rows, "sha256": self._sha256}

    @cached_property
    def _sha256(self) -> str:
        if self.digest is not None:
            return self.digest
        digest = hashlib.sha256(str((self.rows, self.dimension, self.file_bytes)).encode())
        digest.update(self.marks.encode("utf-8", "surrogateescape"))
        for piece in pieces(self.files or (self.name,)):
            digest.update(piece)
        return digest.hexdigest()

    def with_labels(self, labels: dict[str, str]) -> "FeatureSource":
        """The same rows with labels from a table, looked up by id (by default the row number)."""
        find = labels.get if self.ids is None else LabelTable(labels).of
        return replace(self, labels=[find(self.id_of(row)) for row in range(self.rows)])

    def id_of(self, row: int, first: int = 0) -> str:
        """The id of a row; where it has none its number, counted from `first`."""
        found = None if self.ids is None else self.ids[row]
        return str(first + row) if found is None else readable(found)


def array_source(
    features: Block, ids: Sequence[str | None] | None = None, labels: Sequence[str | None] | None = None
) -> FeatureSource:
    """An (n, d) array in memory, n and d at least 1. Raises SourceError where ids or labels are not n."""
    rows, dimension = features.shape
    for what, found in (("ids", ids), ("labels", labels)):
        if found is not None and len(found) != rows:
            raise SourceError(f"{len(found):,} {what} for {counted(rows, 'vector')}")
    digest = hashlib.sha256(str(features.shape).encode() + np.ascontiguousarray(features, "<f4").tobytes()).hexdigest()
    return FeatureSource(
        "the array",
        rows,
        dimension,
        4 * dimension,
        lambda start, stop: features[start:stop],
        features.nbytes,
        ids,
        labels,
        digest=digest,
    )


def open_npy(path: File) -> FeatureSource:
    """An (n, d) array of numbers in a .npy file, mapped into memory; under a URL rows are read. Raises SourceError."""
    if isinstance(path, RemoteFile):
        return _remote_npy(path)
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError, OverflowError, SyntaxError, TypeError) as error:
        raise _no_npy(path, error) from error
    if not isinstance(array, np.memmap):
        found = f"{array.dtype} {array.shape}" if isinstance(array, np.ndarray) else type(array).__name__
        raise SourceError(f"{path}: expected an (n, d) array of numbers, found {found}")
    _check_rows(path, array.dtype, array.shape)
    layout: dict[str, Any] = {"dtype": array.dtype, "offset": array.offset, "shape": array.shape}
    layout["order"] = "C" if array.flags.c_contiguous else "F"
    rows, dimension = array.shape
    row_bytes = dimension * array.dtype.itemsize
    del array

    def block(start: int, stop: int) -> Block:
        try:
            # Mapped anew for each block, so that pages read before do not count as this process's memory.
            mapped = np.memmap(path, mode="r", **layout)
        except (OSError, ValueError) as error:
            raise SourceError(f"{path}: changed while it was read ({error})") from error
        with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinity, and its row a recorded failure
            return np.asarray(mapped[start:stop], dtype=np.float32)

    return FeatureSource(str(path), rows, dimension, row_bytes, block, path.stat().st_size)


def _remote_npy(path: RemoteFile) -> FeatureSource:
    """The same under a URL: rows that are asked for are read in one request."""
    with path.open() as file:
        try:
            version = np.lib.format.read_magic(file)
            reader = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            shape, by_columns, dtype = reader(file)
        except (OSError, ValueError, EOFError, OverflowError, SyntaxError, TypeError) as error:
            raise _no_npy(path, error) from error
        offset = file.tell()
    _check_rows(path, dtype, shape)
    if by_columns:
        raise SourceError(
            f"{path}: written column by column: save it in C order (np.ascontiguousarray) or copy it here"
        )
    rows, dimension = shape
    row_bytes = dimension * dtype.itemsize
    if path.size < offset + rows * row_bytes:
        raise SourceError(f"{path}: not a .npy file of features (cut short: {path.size:,} bytes)")

    def block(start: int, stop: int) -> Block:
        stop = min(stop, rows)
        data = path.read_range(offset + start * row_bytes, (stop - start) * row_bytes)
        if len(data) != (stop - start) * row_bytes:
            raise SourceError(f"{path}: changed while it was read")
        with np.errstate(over="ignore"):
            return np.frombuffer(data, dtype).reshape(-1, dimension).astype(np.float32)

    return FeatureSource(str(path), rows, dimension, row_bytes, block, path.size)


def _no_npy(path: File, error: Exception) -> SourceError:
    # Of a file that is no array numpy advises to unpickle it, which is no way to read features.
    reason = next(iter(str(error).splitlines()), type(error).__name__)
    reason = "another kind of file, or damaged" if "pickle" in reason else reason
    return SourceError(f"{path}: not a .npy file of features ({reason})")


def _check_rows(path: File, dtype: np.dtype[Any], shape: tuple[int, ...]) -> None:
    if len(shape) != 2 or dtype.kind not in "fiu":
        raise SourceError(f"{path}: expected an (n, d) array of numbers, found {dtype} {shape}")
    if 0 in shape:
        raise SourceError(f"{path}: an empty array of shape {shape}")
