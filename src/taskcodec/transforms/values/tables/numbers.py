"""A column of numbers, dates or times <-> symbols.

    index   values that occur often enough to be listed    [missing, escape, special ..., value ...] and 2 x 32 bits
    number  (whole - origin) / step in 32 bits             [number, missing, escape, special ...] number and 2 x 32 bits
    wide    all 64 bits                                    [number, missing, escape, special ...] high, low, 2 x 32 bits

What an index or a number of 32 bits does not hold, or its form not exactly, goes by the escape: 64 plain bits.
"""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from taskcodec.errors import CorruptFileError
from taskcodec.transforms.values.tables.numerals import Numeral, Whole
from taskcodec.transforms.values.tables.shapes import Alphabet, Bits, Shape, Symbols
from taskcodec.transforms.values.tables.shapes import Whole as WholeShape
from taskcodec.transforms.values.tables.types import from_bits, like, plain, to_bits, valid_of, value_type

LAYOUTS = ("index", "number", "wide")
MAX_LISTED = 4000
MAX_SPECIALS = 8
_LOW = np.uint64(0xFFFF_FFFF)


@dataclass(frozen=True, eq=False)
class NumberField:
    """See the module.

    Attributes:
        type: of the column.
        numeral: how its numbers become whole.
        layout: one of LAYOUTS.
        values: of an index, the whole numbers that are listed, rising.
        specials: bits with a symbol of their own: NaN, -0.0, infinity.
        origin, step: of a number.
    """

    type: pa.DataType
    numeral: Numeral
    layout: str
    values: Whole
    specials: tuple[int, ...] = ()
    origin: int = 0
    step: int = 1

    def __post_init__(self) -> None:
        if self.layout not in LAYOUTS or self.step < 1 or not -(2**63) <= self.origin < 2**63 or self.step >= 2**63:
            raise CorruptFileError("a column of numbers in no known layout")
        if (
            len(self.values) > MAX_LISTED
            or len(self.specials) > MAX_SPECIALS
            or (self.values[1:] <= self.values[:-1]).any()
        ):
            raise CorruptFileError("a column of more values than any of ours, or in no order")

    @property
    def columns(self) -> int:
        """Symbols of a value."""
        return len(self.shapes)

    @property
    def size(self) -> int:
        """How many symbols the first column has."""
        return len(self.specials) + (2 + len(self.values) if self.layout == "index" else 3)

    @property
    def shapes(self) -> list[Shape]:
        """What its columns of symbols are."""
        escape = 1 if self.layout == "index" else 2
        bits: list[Shape] = [Bits(0, self.size, escape, 32), Bits(0, self.size, escape, 32)]
        numbers: list[Shape] = [WholeShape(0)] * LAYOUTS.index(self.layout)
        return [Alphabet(self.size), *numbers, *bits]

    def to_symbols(self, values: pa.Array) -> Symbols:
        """(n,) values of its type -> (n, columns)."""
        flat = plain(values)
        bits, valid = to_bits(flat), valid_of(flat)
        whole, fits = self.numeral.whole(bits)
        found = np.zeros((len(bits), self.columns), np.int32)
        indexed = self.layout == "index"
        missing, escape, special = (0, 1, 2) if indexed else (1, 2, 3)
        if indexed and len(self.values):
            place = np.minimum(np.searchsorted(self.values, whole), len(self.values) - 1)
            fits &= self.values[place] == whole
            first = place + special + len(self.specials)
        elif indexed:
            first, fits = np.zeros(len(bits), np.int64), np.zeros(len(bits), np.bool_)
        else:
            first = np.zeros(len(bits), np.int64)
            number, fits = (whole, fits) if self.layout == "wide" else self._number(whole, fits)
        first = np.where(fits, first, escape)
        for place_of, each in enumerate(self.specials):
            first[bits == np.uint64(each)] = special + place_of
        first[~valid] = missing
        if not indexed:
            number = np.where(first == 0, number, 0)
            found[:, 1] = number >> 32 if self.layout == "wide" else number
            if self.layout == "wide":
                found[:, 2] = (number.view(np.uint64) & _LOW).astype(np.uint32).view(np.int32)
        escaped = first == escape
        found[escaped, -2] = (bits[escaped] & _LOW).astype(np.uint32).view(np.int32)
        found[escaped, -1] = (bits[escaped] >> np.uint64(32)).astype(np.uint32).view(np.int32)
        found[:, 0] = first
        return found

    def to_values(self, symbols: Symbols) -> pa.Array:
        """Invert `to_symbols`. Raises CorruptFileError on symbols that no values have."""
        first = symbols[:, 0].astype(np.int64)
        if ((first < 0) | (first >= self.size)).any():
            raise CorruptFileError("a symbol that no value of its column has")
        low, high = (np.ascontiguousarray(symbols[:, j]).view(np.uint32).astype(np.uint64) for j in (-2, -1))
        bits = low | (high << np.uint64(32))
        indexed = self.layout == "index"
        missing, special = (0, 2) if indexed else (1, 3)
        if indexed:
            listed = first - special - len(self.specials)
            is_listed = listed >= 0
            bits[is_listed] = self.numeral.bits(self.values[listed[is_listed]])
        else:
            is_number = first == 0
            bits[is_number] = self.numeral.bits(self._whole(symbols[is_number]))
        for place, each in enumerate(self.specials):
            bits[first == special + place] = each
        valid = first != missing
        return like(from_bits(np.where(valid, bits, np.uint64(0)), valid, value_type(self.type)), self.type)

    def _number(self, whole: Whole, fits: npt.NDArray[np.bool_]) -> tuple[Whole, npt.NDArray[np.bool_]]:
        """Numbers of 32 bits, and where there is one."""
        with np.errstate(over="ignore"):
            moved = whole - np.int64(self.origin)
        number = moved // self.step
        wrapped = (whole >= self.origin) != (moved >= 0)
        return number, fits & ~wrapped & (number * self.step == moved) & (abs(number) < 2**31)

    def _whole(self, symbols: Symbols) -> Whole:
        if self.layout == "wide":
            low = np.ascontiguousarray(symbols[:, 2]).view(np.uint32).astype(np.int64)
            return (symbols[:, 1].astype(np.int64) << 32) | low
        with np.errstate(over="ignore"):
            return symbols[:, 1].astype(np.int64) * self.step + np.int64(self.origin)

    def described(self) -> dict[str, Any]:
        """Plain JSON."""
        found = {"form": self.numeral.form, "digits": self.numeral.digits, "origin": self.origin, "step": self.step}
        usual = {"form": "ordered", "digits": 0, "origin": 0, "step": 1}
        rises = np.diff(self.values.astype(object), prepend=0).tolist()
        listed = {"values": rises, "specials": list(self.specials)}
        kept = {key: value for key, value in found.items() if value != usual[key]}
        return {"layout": self.layout, **kept, **{key: value for key, value in listed.items() if value}}

    @classmethod
    def read(cls, kind: pa.DataType, described: dict[str, Any]) -> Self:
        """Invert `described`. Raises KeyError, TypeError, ValueError, OverflowError or CorruptFileError on others."""
        numeral = Numeral(value_type(kind), str(described.get("form", "ordered")), int(described.get("digits", 0)))
        values, total = list[int](), 0
        for rise in described.get("values", []):
            total += int(rise)
            values.append(total)
        specials = tuple(int(each) for each in described.get("specials", []))
        if any(not 0 <= each < 2**64 for each in specials):
            raise CorruptFileError("a special value of more than 64 bits")
        listed = np.array(values, np.int64)
        origin, step = int(described.get("origin", 0)), int(described.get("step", 1))
        return cls(kind, numeral, str(described["layout"]), listed, specials, origin, step)
