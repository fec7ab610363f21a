"""Arrays written to .npy files block by block, in constant memory."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt

Features = npt.NDArray[np.float32]


def write_npy(path: Path, blocks: Iterable[Features], width: int = 0) -> int:
    """Write blocks (m, d) below one another to a .npy file, in constant memory; the number of rows.

    `width` is d where there may be no block to tell it.
    """
    rows = 0
    with open(path, "wb") as file:
        file.write(b"\0" * 128)
        for block in blocks:
            rows, width = rows + len(block), block.shape[1]
            file.write(np.ascontiguousarray(block, dtype="<f4").data)
        file.seek(0)
        file.write(_npy_header(rows, width))
    return rows


def _npy_header(rows: int, width: int) -> bytes:
    """A version 1.0 header of exactly 128 bytes, written when the number of rows is known."""
    content = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({rows}, {width}), }}".encode()
    return b"\x93NUMPY\x01\x00" + (118).to_bytes(2, "little") + content.ljust(117) + b"\n"
