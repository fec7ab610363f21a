"""What every entropy model is once it is frozen: integers that say what each symbol is coded with.

    symbols (n, c, *space) --push--> coder          a stack: what is pushed last is popped first
    symbols (n, c, *space) <--pop--- coder

n samples of c channels; `space` is the extents of a latent that has places (rows and columns of a picture), and there
is none for vectors. `given` are the symbols of layers below, decoded already, that a model may look at.
"""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Protocol, Self

import numpy as np
import numpy.typing as npt

Symbols = npt.NDArray[np.int32]
Given = Sequence[Symbols]
Bits = npt.NDArray[np.float64]
Tensors = dict[str, npt.NDArray[Any]]


class ColumnTables(Protocol):
    """Integer tables, one a column: runs from `first` on of `sizes` symbols, and `counts` with the escape's last."""

    @property
    def first(self) -> Symbols: ...
    @property
    def sizes(self) -> Symbols: ...
    @property
    def counts(self) -> npt.NDArray[np.uint32]: ...
    @property
    def starts(self) -> npt.NDArray[np.int64]: ...
    @property
    def columns(self) -> int: ...
    @property
    def models(self) -> list[Any]: ...
    def column(self, j: int) -> npt.NDArray[np.uint32]: ...


class SymbolModel(Protocol):
    """A probability model over integer symbols; `taskcodec.coding.models` holds the kinds there are."""

    kind: ClassVar[str]
    """What its kind is called in files."""

    @property
    @abstractmethod
    def columns(self) -> int:
        """c, the channels that are coded: those of its side information, where it has any, before the latent's."""

    @property
    def given_columns(self) -> int:
        """Channels of the layers below that it looks at; with none it codes alone."""
        return 0

    @property
    @abstractmethod
    def choices(self) -> ColumnTables:
        """All tables that a symbol may be coded with."""

    @property
    def plain(self) -> ColumnTables | None:
        """The one table of each channel; None where what is coded chooses among tables."""
        return None

    @property
    def sharing(self) -> Symbols | None:
        """(c,) numbers, alike for channels that have one table and all that goes with it; None where none share."""
        return None

    def for_size(self, size: tuple[int, int]) -> Self:
        """The model of a picture of (H, W) pixels: itself, but where sizes do not follow from the symbols' places."""
        return self

    def with_side(self, latent: Symbols) -> Symbols:
        """(n, k, *space) symbols of a latent -> (n, c, *space): its side information before them, where it has any."""
        return latent

    def without_side(self, symbols: Symbols) -> Symbols:
        """Invert `with_side`."""
        return symbols

    @abstractmethod
    def push(self, coder: Any, symbols: Symbols, given: Given = ()) -> None:
        """Push (n, c, *space) symbols onto an ANS coder."""

    @abstractmethod
    def pop(self, coder: Any, shape: Sequence[int], given: Given = ()) -> Symbols:
        """Pop symbols of the shape (n, c, *space) that were pushed, given the same."""

    @abstractmethod
    def costs(self, symbols: npt.ArrayLike, given: Given = ()) -> Bits:
        """(n, c, *space) symbols -> bits of an ideal coder for each of them, escapes included."""

    @abstractmethod
    def code_length(self, symbols: npt.ArrayLike, given: Given = ()) -> Bits:
        """(n, c, *space) symbols -> (n,) bits a sample: the sums of `costs`, and side information of its own."""

    @abstractmethod
    def slot_counts(self, symbols: npt.ArrayLike, given: Given = ()) -> npt.NDArray[np.int64]:
        """(n, c) symbols -> how often each slot of the choices was used, aligned with their `counts`."""

    def gathered(self, points: npt.NDArray[np.float32], sketch: npt.NDArray[np.float32]) -> Tensors:
        """What a file holds of reconstruction points and of a sketch (size, k) of each channel's density."""
        return {"points": points, "sketch": sketch}

    def spread(self, points: npt.NDArray[np.float32], sketch: npt.NDArray[np.float32]) -> Tensors:
        """Invert `gathered`. Raises CorruptFileError where they are not this model's."""
        return {"points": points, "sketch": sketch}

    @abstractmethod
    def to_bytes(self) -> bytes:
        """Compact bytes of tables that code the same symbols to the same bits, for the metadata of an array."""

    def tensors(self) -> Tensors:
        """What a codec's file holds of it; what was read gives the bytes it was read from."""
        return {"tables": np.frombuffer(self.to_bytes(), dtype=np.uint8)}

    @classmethod
    @abstractmethod
    def read(cls, tensors: Mapping[str, npt.NDArray[Any]]) -> Self:
        """Invert `tensors`. Raises KeyError or CorruptFileError on anything else."""


def checked_symbols(symbols: npt.ArrayLike, columns: int, space: bool = False) -> Symbols:
    """(n, columns) integers, with `space` also (n, columns, *space), as int32.

    Raises ValueError on another shape, and on what int32 does not hold.
    """
    s = np.asarray(symbols)
    if s.ndim < 2 or (s.ndim > 2 and not space) or s.shape[1] != columns:
        raise ValueError(f"symbols of shape {s.shape}, {columns} tables")
    if s.dtype == np.int32:
        return s
    with np.errstate(invalid="ignore"):
        narrow = s.astype(np.int32)
    if not np.array_equal(narrow, s):
        raise ValueError("symbols are 32-bit integers")
    return narrow


def as_rows(symbols: Symbols) -> Symbols:
    """(n, c, *space) -> (n * places, c): each place of each sample on its own."""
    return np.moveaxis(symbols, 1, -1).reshape(-1, symbols.shape[1]) if symbols.ndim > 2 else symbols


def from_rows(rows: npt.NDArray[Any], shape: Sequence[int]) -> npt.NDArray[Any]:
    """Invert `as_rows`, for symbols or what was made of each of them."""
    n, c, *space = shape
    return np.moveaxis(rows.reshape(n, *space, c), -1, 1) if space else rows
