"""Bits of a number <-> a whole number that is near where the number is near: pure pairs, exact where they fit.

ordered    the bits themselves, in the order of the numbers
decimals   number * 10**digits, where dividing that by 10**digits gives the very number
singles    the bits of the number in 32 bits, where these hold it
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from taskcodec.errors import CorruptFileError
from taskcodec.transforms.values.tables.types import Bits, dtype_of

Whole = npt.NDArray[np.int64]
FORMS = ("ordered", "decimals", "singles")
MAX_DIGITS = 15
_SIGN = np.int64(2**63 - 1)
_LARGEST = float(2**53)


@dataclass(frozen=True)
class Numeral:
    """How a type's numbers become whole ones.

    Attributes:
        type: of the numbers.
        form: one of FORMS; others than "ordered" are of floats.
        digits: behind the point, of decimals.
    """

    type: pa.DataType
    form: str = "ordered"
    digits: int = 0

    def __post_init__(self) -> None:
        floats = pa.types.is_float32(self.type) or pa.types.is_float64(self.type)
        if self.form not in FORMS or not 0 <= self.digits <= MAX_DIGITS or (self.form != "ordered" and not floats):
            raise CorruptFileError(f"numbers of the type {self.type} in no known form: {self.form!r}")

    def whole(self, bits: Bits) -> tuple[Whole, npt.NDArray[np.bool_]]:
        """(n,) bits -> whole numbers, and which of them give the bits back."""
        with np.errstate(all="ignore"):
            if self.form == "ordered":
                found = self._ordered(bits)
            elif self.form == "decimals":
                scaled = np.rint(self._floats(bits).astype(np.float64) * 10.0**self.digits)
                found = np.where(abs(scaled) < _LARGEST, scaled, 0).astype(np.int64)
            else:
                narrow = self._floats(bits).astype(np.float32).view(np.uint32)
                found = _sorted(narrow.view(np.int32).astype(np.int64), np.int64(2**31 - 1))
            return found, self.bits(found) == bits

    def bits(self, whole: Whole) -> Bits:
        """Invert `whole`."""
        if self.form == "ordered":
            return self._unordered(whole)
        if self.form == "decimals":
            return self._bits_of(whole.astype(np.float64) / 10.0**self.digits)
        narrow = _sorted(whole, np.int64(2**31 - 1)).astype(np.int32).view(np.float32)
        return self._bits_of(narrow)

    def _floats(self, bits: Bits) -> npt.NDArray[np.floating]:
        dtype = dtype_of(self.type)
        return bits.astype(f"u{dtype.itemsize}").view(dtype)

    def _bits_of(self, numbers: npt.NDArray[np.floating]) -> Bits:
        with np.errstate(all="ignore"):
            dtype = dtype_of(self.type)
            return numbers.astype(dtype).view(f"u{dtype.itemsize}").astype(np.uint64)

    def _ordered(self, bits: Bits) -> Whole:
        dtype = dtype_of(self.type)
        if dtype.kind == "f":
            narrow = bits.astype(f"u{dtype.itemsize}").view(f"i{dtype.itemsize}").astype(np.int64)
            return _sorted(narrow, np.int64(2 ** (8 * dtype.itemsize - 1) - 1))
        return (bits ^ np.uint64(1 << 63)).view(np.int64) if dtype == np.uint64 else bits.view(np.int64)

    def _unordered(self, whole: Whole) -> Bits:
        dtype = dtype_of(self.type)
        if dtype.kind == "f":
            narrow = _sorted(whole, np.int64(2 ** (8 * dtype.itemsize - 1) - 1)).astype(f"i{dtype.itemsize}")
            return narrow.view(f"u{dtype.itemsize}").astype(np.uint64)
        return whole.view(np.uint64) ^ np.uint64(1 << 63) if dtype == np.uint64 else whole.view(np.uint64)


def _sorted(signed: Whole, below_sign: np.int64) -> Whole:
    """Bits of floats as signed integers <-> the same in the order of the floats; its own inverse."""
    return signed ^ ((signed >> 63) & below_sign)
