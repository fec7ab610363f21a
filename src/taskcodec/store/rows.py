"""`Rows`: the features or symbols of a store as an array that is read when it is indexed."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Read = Callable[[npt.NDArray[np.int64], slice], Array]
"""(m,) places of rows, a slice of columns -> their values (m, columns)."""


class Rows:
    """A read-only (n, width) array whose rows are decoded when indexed.

    Indexed as numpy indexes an array of that shape, with the same result: integers, slices, `...`, `None`, arrays and
    lists of integers, boolean masks, and tuples of these for rows and columns. Only the rows asked for are decoded,
    and of columns that a slice or an integer picks no others are kept. What numpy refuses is an IndexError.

    `for row in rows` decodes chunk by chunk. `np.asarray(rows)`, and with it any function of numpy, decodes all of
    them. Methods and operators of arrays are not there: call them on what was decoded, as in `rows[:].mean(axis=0)`.

    Attributes:
        shape: (n, width).
        dtype: float32 of features, int32 of symbols.
        ndim: 2.
        size: n * width.
    """

    ndim = 2
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, read: Read, shape: tuple[int, int], dtype: Any, chunk_rows: int) -> None:
        self._read, self.shape, self._chunk_rows = read, shape, chunk_rows
        self.dtype: np.dtype[Any] = np.dtype(dtype)

    @property
    def size(self) -> int:
        return self.shape[0] * self.shape[1]

    def __len__(self) -> int:
        return self.shape[0]

    def __repr__(self) -> str:
        return f"<{self.shape[0]} x {self.shape[1]} {self.dtype}, decoded when indexed>"

    def __iter__(self) -> Iterator[Array]:
        for start in range(0, len(self), self._chunk_rows):
            yield from self[start : start + self._chunk_rows]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        if copy is False:
            raise ValueError("rows are decoded into a new array: it cannot be had with copy=False")
        return np.asarray(self[:], dtype=dtype)

    def __eq__(self, other: object) -> bool:
        raise TypeError("rows are decoded when indexed: compare rows[:], or some of them")

    def __getattr__(self, name: str) -> Any:
        if hasattr(np.ndarray, name) and not name.startswith("_"):
            raise AttributeError(
                f"{name!r} needs decoded rows: take them first, rows[:].{name}, or a part of them at a time "
                "(store.batches() goes chunk by chunk)"
            )
        raise AttributeError(f"{type(self).__name__!r} has no attribute {name!r}")

    def __getitem__(self, index: Any) -> Any:
        parts = [_plain(part) for part in (index if isinstance(index, tuple) else (index,))]
        self._check(parts)
        (at_row, rows), (at_column, columns) = _by_axis(parts)
        if isinstance(rows, np.ndarray) and rows.ndim == 2 and rows.dtype == bool:  # a mask of values takes both axes
            parts[at_row : at_row + 1] = rows.nonzero()
            rows, at_column, columns = parts[at_row], at_row + 1, parts[at_row + 1]
        alone = not isinstance(columns, np.ndarray) and all(part is not None for part in parts)
        places, inner = _places(rows, len(self), alone)
        if at_row is not None:
            parts[at_row] = inner
        kept = slice(None)
        if isinstance(columns, slice):
            kept, parts[at_column] = columns, slice(None)
        elif isinstance(columns, int):
            kept, parts[at_column] = slice(columns, columns + 1 or None), 0
        # Numpy itself picks from the rows that were read, so that its rules hold in every combination.
        return self._read(places, kept)[tuple(parts)]

    def _check(self, parts: list[Any]) -> None:
        """Raise IndexError, before anything is read, on what picks nothing of this array."""
        if sum(part is Ellipsis for part in parts) > 1:
            raise IndexError("an index takes one ellipsis (`...`) at most")
        axis, taken = 0, sum(_axes(part) for part in parts)
        if taken > self.ndim:
            raise IndexError(f"{taken} indices for an array of rows and columns: one for each, at most")
        for part in parts:
            if part is Ellipsis:
                axis += self.ndim - taken
            lengths = self.shape[axis : axis + _axes(part)]
            if lengths:
                _check_part(part, lengths, "samples" if axis == 0 else "columns")
            axis += _axes(part)


def _plain(part: Any) -> Any:
    """One part of an index as None, Ellipsis, an int, a slice or an array of integers or booleans.

    Raises IndexError on anything else.
    """
    if part is None or part is Ellipsis or (isinstance(part, int) and not isinstance(part, bool)):
        return part
    if isinstance(part, slice):
        return part
    try:
        array = np.asarray(part)
    except (TypeError, ValueError, RuntimeError) as error:
        raise IndexError(f"{type(part).__name__} is not an index ({error}); {_TAKEN}") from error
    if array.size == 0 and not hasattr(part, "dtype"):
        array = array.astype(np.intp)  # [] picks nothing
    if array.dtype != bool and not np.issubdtype(array.dtype, np.integer):
        raise IndexError(f"{part!r:.40} is not an index; {_TAKEN}")
    if array.ndim == 0:
        if array.dtype == bool:
            raise IndexError(f"{part!r} is not an index; {_TAKEN}")
        return int(array)
    return array


_TAKEN = "rows and columns are picked by integers, slices, arrays of integers and boolean masks"


def _axes(part: Any) -> int:
    """How many axes a part of an index takes."""
    if part is None or part is Ellipsis:
        return 0
    return int(part.ndim) if isinstance(part, np.ndarray) and part.dtype == bool else 1


def _check_part(part: Any, lengths: tuple[int, ...], what: str) -> None:
    length = lengths[0]
    if isinstance(part, slice):
        try:
            part.indices(length)
        except (TypeError, ValueError) as error:
            raise IndexError(f"{part}: {error}") from error
    elif isinstance(part, np.ndarray) and part.dtype == bool:
        if part.shape != lengths:
            raise IndexError(f"a mask of shape {part.shape} for {' x '.join(map(str, lengths))} {what}")
    elif isinstance(part, np.ndarray):
        wrong = part[(part < -length) | (part >= length)]
        if wrong.size:
            raise IndexError(f"index {wrong[0]} is out of range for {length} {what}")
    elif not -length <= part < length:
        raise IndexError(f"index {part} is out of range for {length} {what}")


def _by_axis(parts: list[Any]) -> tuple[tuple[Any, Any], tuple[Any, Any]]:
    """Where in the parts of an index, and what, picks rows, and what picks columns; (None, None) where nothing does."""
    taken, axis = sum(_axes(part) for part in parts), 0
    found: list[tuple[Any, Any]] = [(None, None), (None, None)]
    for at, part in enumerate(parts):
        if part is Ellipsis:
            axis += 2 - taken
        elif part is not None:
            found[axis] = at, part
            axis += _axes(part)
    return found[0], found[1]


def _places(rows: Any, length: int, alone: bool) -> tuple[npt.NDArray[np.int64], Any]:
    """The places of the rows to read for a part of an index, and what takes its place in what was read.

    `alone`: whether no other part of the index has a say in where the axes of an array of integers go.
    """
    if rows is None:
        return np.arange(length, dtype=np.int64), slice(None)
    if isinstance(rows, slice):
        return np.arange(length, dtype=np.int64)[rows], slice(None)
    if isinstance(rows, int):
        return np.array([rows % length], np.int64), 0
    picked = np.flatnonzero(rows) if rows.dtype == bool else rows.astype(np.int64) % max(length, 1)
    if alone and picked.ndim == 1:
        return picked, slice(None)
    distinct, inner = np.unique(picked, return_inverse=True)  # each row is read once
    return distinct, inner.reshape(picked.shape)
