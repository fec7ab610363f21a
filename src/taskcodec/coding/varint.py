"""Variable-length integers (LEB128): seven bits a byte, the top bit set on all but the last byte of a number."""

import numpy as np
import numpy.typing as npt

from taskcodec.errors import CorruptFileError

MAX_VARINT_BYTES = 9
"""63 bits: more than any number we write."""


def write_varints(numbers: npt.NDArray[np.uint64]) -> bytes:
    """Numbers below 2**63 -> bytes."""
    groups = [numbers & np.uint64(127)]
    rest = numbers >> np.uint64(7)
    more = [np.ones(numbers.shape, bool)]
    while rest.any():
        more.append(rest > 0)
        groups.append(rest & np.uint64(127))
        rest = rest >> np.uint64(7)
    present = np.stack(more, axis=1)
    values = np.stack(groups, axis=1).astype(np.uint8)
    continued = np.zeros_like(present)
    continued[:, :-1] = present[:, 1:]
    return bytes((values | (continued.astype(np.uint8) << 7))[present].tobytes())


def read_varints(data: bytes) -> npt.NDArray[np.uint64]:
    """Bytes -> all the numbers in them. Raises CorruptFileError where the last is cut or one is too long."""
    raw = np.frombuffer(data, dtype=np.uint8)
    if raw.size == 0:
        return np.empty(0, np.uint64)
    ends = np.flatnonzero(raw < 128)
    if ends.size == 0 or ends[-1] != raw.size - 1:
        raise CorruptFileError("varint: truncated")
    starts = np.concatenate([[0], ends[:-1] + 1])
    lengths = ends - starts + 1
    if int(lengths.max()) > MAX_VARINT_BYTES:
        raise CorruptFileError("varint: too long")
    position = (np.arange(raw.size) - np.repeat(starts, lengths)).astype(np.uint64)
    return np.add.reduceat((raw & 127).astype(np.uint64) << (position * np.uint64(7)), starts)
