"""Decoded features that stay in memory, as many as fit, so that a second epoch decodes nothing."""

import mmap
from typing import Any

import numpy as np
import numpy.typing as npt

from taskcodec.store.symbols import CACHED_CHUNKS
from taskcodec.store.views.protocol import Readable

KEPT_BYTES = 2**29
"""Of decoded features in the memory of a process, unless its user says otherwise."""


class DecodedRows:
    """Features of a store by their rows, whose first chunks are decoded once and kept.

    Those are as many as fit. What is kept is shared by a process and those that it forks (the workers of a DataLoader,
    also of later epochs): each chunk has one place, and whoever decodes it writes the same. A process that is spawned
    keeps its own.

    Args:
        store: whose features.
        memory: bytes that they may take; nothing is taken before they are decoded.
    """

    def __init__(self, store: Readable, memory: int) -> None:
        self._store, self._memory = store, memory
        rows, d = store.manifest.chunk_rows, store.manifest.dimension
        self._whole = min(memory // max(4 * d * rows, 1), store.manifest.chunks)
        self._kept = _shared((min(self._whole * rows, len(store)), d), np.float32)
        self._there = _shared((self._whole,), np.bool_)

    def __reduce__(self) -> tuple[Any, ...]:
        return DecodedRows, (self._store, self._memory)

    def __getitem__(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        """(m,) rows -> (m, d), a new array."""
        chunks = rows // self._store.manifest.chunk_rows
        keeps = chunks < self._whole
        if not keeps.all():
            out = np.empty((len(rows), self._kept.shape[1]), np.float32)
            out[keeps] = self[rows[keeps]] if keeps.any() else 0
            out[~keeps] = self._store.features[rows[~keeps]]
            return out
        asked = np.unique(chunks)
        missing = asked[~self._there[asked]]
        for first in range(0, len(missing), CACHED_CHUNKS):
            self._decode(missing[first : first + CACHED_CHUNKS])
        return self._kept[rows]

    def _decode(self, chunks: npt.NDArray[np.int64]) -> None:
        size = self._store.manifest.chunk_rows
        rows = np.concatenate([np.arange(c * size, min((c + 1) * size, len(self._kept))) for c in chunks.tolist()])
        self._kept[rows] = self._store.features[rows]
        self._there[chunks] = True  # last, so that no process finds what is not there yet


def _shared(shape: tuple[int, ...], dtype: Any) -> npt.NDArray[Any]:
    """Zeros in memory that forked processes share, taken from the machine when it is written to."""
    count = int(np.prod(shape))
    if not count:
        return np.zeros(shape, dtype)
    memory = mmap.mmap(-1, count * np.dtype(dtype).itemsize)
    return np.frombuffer(memory, dtype, count).reshape(shape)
