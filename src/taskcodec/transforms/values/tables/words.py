"""A column of text or bytes <-> symbols: words that are listed, and an escape for others.

    index    few words      [missing, escape, word ...] and 8 x 32 plain bits of an escaped word
    number   many           [number, missing, escape] number of the word, and as many bits

An escaped word is its length in a byte, and at most 31 bytes.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from taskcodec.errors import CorruptFileError, MismatchError
from taskcodec.transforms.values.tables.shapes import Alphabet, Bits, Shape, Symbols, Whole
from taskcodec.transforms.values.tables.types import like, plain, valid_of, value_type

MAX_INDEXED = 4000
MAX_WORDS = 1 << 22
ESCAPE_WORDS = 8
LONGEST_ESCAPE = 4 * ESCAPE_WORDS - 1


@dataclass(frozen=True, eq=False)
class WordField:
    """See the module.

    Attributes:
        type: of the column.
        listed: the words, as bytes, without doubles.
    """

    type: pa.DataType
    listed: tuple[bytes, ...]

    def __post_init__(self) -> None:
        if len(self.listed) > MAX_WORDS or len(set(self.listed)) < len(self.listed):
            raise CorruptFileError("a column of more words than any of ours, or with one listed twice")

    @property
    def indexed(self) -> bool:
        """Whether the layout is index."""
        return len(self.listed) <= MAX_INDEXED

    @property
    def columns(self) -> int:
        """Symbols of a value."""
        return len(self.shapes)

    @property
    def shapes(self) -> list[Shape]:
        """What its columns of symbols are."""
        size, escape = (2 + len(self.listed), 1) if self.indexed else (3, 2)
        numbers: list[Shape] = [] if self.indexed else [Whole(0)]
        return [Alphabet(size), *numbers, *[Bits(0, size, escape, 32) for _ in range(ESCAPE_WORDS)]]

    @cached_property
    def _words(self) -> pa.Array:
        return pa.array(self.listed, pa.large_binary())

    def to_symbols(self, values: pa.Array) -> Symbols:
        """(n,) values of its type -> (n, columns). Raises MismatchError on a word that is neither listed nor short."""
        words, valid = plain(values).cast(pa.large_binary()), valid_of(values)
        place = pc.index_in(words, value_set=self._words, skip_nulls=True)
        where = place.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
        found = np.zeros((len(words), self.columns), np.int32)
        missing, escape = (0, 1) if self.indexed else (1, 2)
        found[:, 0] = np.where(valid, np.where(where < 0, escape, 2 + where if self.indexed else 0), missing)
        if not self.indexed:
            found[:, 1] = np.where(valid & (where >= 0), where, 0)
        for row in np.flatnonzero(valid & (where < 0)).tolist():
            word = words[row].as_py()
            if len(word) > LONGEST_ESCAPE:
                raise MismatchError(
                    f"row {row}: {word[:20]!r}... is a word of {len(word)} bytes that the codec does not list; "
                    f"others may have {LONGEST_ESCAPE}: fit a codec to these rows"
                )
            packed = bytes([len(word)]) + word.ljust(LONGEST_ESCAPE, b"\0")
            found[row, -ESCAPE_WORDS:] = np.frombuffer(packed, "<i4")
        return found

    def to_values(self, symbols: Symbols) -> pa.Array:
        """Invert `to_symbols`. Raises CorruptFileError on symbols that no values have."""
        first = symbols[:, 0].astype(np.int64)
        missing, escape = (0, 1) if self.indexed else (1, 2)
        where = first - 2 if self.indexed else np.where(first == 0, symbols[:, 1], -1).astype(np.int64)
        odd = (first < 0) | (first >= (2 + len(self.listed) if self.indexed else 3)) | (where >= len(self.listed))
        if (odd | ((where < 0) & (first != missing) & (first != escape))).any():
            raise CorruptFileError("a symbol that no word of its column has")
        found = self._words.take(pa.array(where, mask=where < 0))
        escaped = np.flatnonzero(first == escape)
        if len(escaped):
            words = [_unpacked(symbols[row, -ESCAPE_WORDS:]) for row in escaped.tolist()]
            found = pc.replace_with_mask(found, pa.array(first == escape), pa.array(words, pa.large_binary()))
        try:
            return like(found.cast(value_type(self.type)), self.type)
        except pa.ArrowInvalid as error:
            raise CorruptFileError(f"text that is no UTF-8: {error}") from error

    def described(self) -> dict[str, Any]:
        """Plain JSON."""
        return {"layout": "words", "words": [word.decode("latin-1") for word in self.listed]}

    @classmethod
    def read(cls, kind: pa.DataType, described: dict[str, Any]) -> Self:
        """Invert `described`. Raises KeyError, TypeError, ValueError or CorruptFileError on others."""
        return cls(kind, tuple(str(word).encode("latin-1") for word in described["words"]))


def _unpacked(symbols: npt.NDArray[np.int32]) -> bytes:
    packed = symbols.astype("<i4").tobytes()
    if packed[0] > LONGEST_ESCAPE or any(packed[1 + packed[0] :]):
        raise CorruptFileError("an escaped word that none of ours is")
    return packed[1 : 1 + packed[0]]
