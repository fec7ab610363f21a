"""What a store counts of each chunk: its samples, the failures among them, and a check value of its symbols.

    entry := uint32(rows) uint64(failures) uint32(CRC-32C of the symbols of a layer)*layers

An entry without rows holds failures only, those after the last sample: there is one at most, the last.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Entry:
    """One chunk, and the sample records that belong to it.

    Attributes:
        rows: its samples.
        failures: the source samples among these that could not be coded.
        symbols_crc32c: of the symbols of its rows (see `taskcodec.store.format.layer_chunks`), one for each layer, 0
            where it has none.
    """

    rows: int
    failures: int
    symbols_crc32c: tuple[int, ...]

    @property
    def records(self) -> int:
        """Sample records that belong to it."""
        return self.rows + self.failures


def entry_dtype(layers: int) -> np.dtype[Any]:
    """How an entry lies in a file."""
    return np.dtype([("rows", "<u4"), ("failures", "<u8"), ("symbols_crc32c", "<u4", (layers,))])


def entries_to_bytes(entries: Iterable[Entry], layers: int) -> bytes:
    """Entries -> bytes, 12 and 4 for each layer an entry."""
    rows = [(entry.rows, entry.failures, entry.symbols_crc32c) for entry in entries]
    return np.array(rows, entry_dtype(layers)).tobytes()


def entries_from_bytes(data: bytes, layers: int) -> npt.NDArray[Any]:
    """Invert `entries_to_bytes`: (n,) of `entry_dtype`. Raises ValueError on bytes that are not whole entries."""
    return np.frombuffer(data, entry_dtype(layers))


def entry_at(entries: npt.NDArray[Any], place: int) -> Entry:
    """One of them."""
    rows, failures, crcs = entries[place]
    return Entry(int(rows), int(failures), tuple(int(crc) for crc in crcs))
