"""Whole numbers as bytes: variable-length integers, deflated.

    packed := uint32(length of the varints) zlib(varint*)

Builds of zlib differ in the bytes they write: whoever hashes or copies packed numbers keeps the bytes that were read.
"""

import zlib

import numpy as np
import numpy.typing as npt

from taskcodec.coding.varint import read_varints, write_varints
from taskcodec.errors import CorruptFileError

MAX_INFLATED = 1 << 26
MAX_INFLATION = 1100
"""zlib inflates a byte to no more than 1,032."""


def pack_numbers(numbers: npt.NDArray[np.uint64]) -> bytes:
    """Numbers below 2**63 -> bytes."""
    raw = write_varints(numbers)
    return len(raw).to_bytes(4, "little") + zlib.compress(raw, 9)


def unpack_numbers(data: bytes, what: str) -> npt.NDArray[np.uint64]:
    """Invert `pack_numbers`; `what` names the bytes in errors.

    Raises CorruptFileError on anything else; allocates no more than the data warrant.
    """
    length = int.from_bytes(data[:4], "little")
    if len(data) < 5 or length > MAX_INFLATED or length > MAX_INFLATION * len(data):
        raise CorruptFileError(f"{what}: damaged or truncated")
    try:
        inflater = zlib.decompressobj()
        raw = inflater.decompress(data[4:], length + 1)
    except zlib.error as error:
        raise CorruptFileError(f"{what}: {error}") from error
    if len(raw) != length or not inflater.eof or inflater.unused_data:
        raise CorruptFileError(f"{what}: damaged or truncated")
    return read_varints(raw)


def framed(magic: bytes, head: bytes) -> bytes:
    """What stands before the tables of a kind: its four letters, and a head with its length before it."""
    return magic + len(head).to_bytes(4, "little") + head


def unframed(data: bytes, magic: bytes, what: str) -> tuple[bytes, bytes]:
    """Invert `framed`: the head, and the tables behind it. Raises CorruptFileError on anything else."""
    length = int.from_bytes(data[4:8], "little")
    if data[:4] != magic or length > len(data) - 8:
        raise CorruptFileError(f"{what}: damaged or truncated")
    return data[8 : 8 + length], data[8 + length :]


def zigzag(numbers: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """0, -1, 1, -2, ... -> 0, 1, 2, 3, ..."""
    return (numbers << 1) ^ (numbers >> 63)


def unzigzag(numbers: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Invert `zigzag`."""
    return (numbers >> 1) ^ -(numbers & 1)
