"""Arrays written to .npy files block by block, in constant memory."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt


def write_npy(path: Path, blocks: Iterable[npt.NDArray[Any]], width: int = 0) -> int:
    """Write blocks (m, d) of features below one another to a .npy file, in constant memory; the number of rows.

    `width` is d where there may be no block to tell it.
    """
    return write_rows(path, blocks, np.empty((0, width), "<f4"))


def write_rows(path: Path, blocks: Iterable[npt.NDArray[Any]], like: npt.NDArray[Any]) -> int:
    """Write blocks (m, ...) of numbers of any kind, as `write_npy` does; `like` is one of the same kind, without rows.

    What it says of columns counts where there is no block.
    """
    rows, shape, dtype = 0, like.shape[1:], like.dtype.newbyteorder("<")
    with open(path, "wb") as file:
        file.write(b"\0" * 128)
        for block in blocks:
            rows, shape = rows + len(block), block.shape[1:]
            file.write(np.ascontiguousarray(block, dtype=dtype).data)
        file.seek(0)
        file.write(_npy_header((rows, *shape), dtype.str))
    return rows


def _npy_header(shape: tuple[int, ...], dtype: str) -> bytes:
    """A version 1.0 header of exactly 128 bytes, written when the number of rows is known."""
    content = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}".encode()
    return b"\x93NUMPY\x01\x00" + (118).to_bytes(2, "little") + content.ljust(117) + b"\n"
