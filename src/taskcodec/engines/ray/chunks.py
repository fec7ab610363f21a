"""From blocks of symbols to chunks of a store: where a chunk ends is known once all samples before it were read.

blocks   |--- 250 ---|--- 256 ---|-- 249 --|-- ...      rows that could be coded
chunks   |------ 512 ------|------ 512 -------- ...     put by tasks where the blocks lie, committed in order
"""

from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from taskcodec.engines.ray.coder import SYMBOLS, rows_of
from taskcodec.store import SampleRecord, StoreWriter
from taskcodec.store.chunk_writer import ChunkWriter
from taskcodec.store.writer import records_for

RETRIES = 3
_known: dict[str, ChunkWriter] = {}
"""The chunk writer that this process used last, by its reference: what codes takes a while to be made ready."""

LEAVE_SECONDS = 10


class Chunks:
    """Hands rows that lie in blocks to a writer, chunk by chunk; at most `ahead` are put and not committed yet."""

    def __init__(self, ray: Any, writer: StoreWriter, ahead: int) -> None:
        self._ray, self._writer, self._ahead = ray, writer, ahead
        self._put = ray.remote(put_chunk).options(num_cpus=0, max_retries=RETRIES)
        self._fetch = ray.remote(symbols_of).options(num_cpus=0, max_retries=RETRIES)
        self._held = [ray.put(writer.chunks)]
        self._rows = writer.manifest.chunk_rows
        self._next = writer.manifest.samples // self._rows
        self._waiting = deque[tuple[Any, list[SampleRecord]]]()
        symbols, self._records = writer.take_pending()
        self._pieces = deque[tuple[Any, int, int]]()
        self._pending = 0
        if len(symbols):
            self._pieces.append((ray.put(symbols), 0, len(symbols)))
            self._pending = len(symbols)

    def append(self, records: Sequence[SampleRecord], block: Any, rows: int) -> None:
        """Add the next records, and the rows of a block that hold the symbols of those that are ok."""
        self._records.extend(records)
        if rows:
            self._pieces.append((block, 0, rows))
            self._pending += rows
        while self._pending >= self._rows:
            cut = records_for(self._records, self._rows)
            own, self._records = self._records[:cut], self._records[cut:]
            spans, blocks = self._taken(self._rows)
            self._waiting.append((self._put.remote(self._held, self._next, spans, *blocks), own))
            self._next += 1
            while len(self._waiting) > self._ahead:
                self._commit()

    def close(self) -> None:
        """Commit what was put; what is short of a chunk goes to the writer, to be written at the end."""
        while self._waiting:
            self._commit()
        spans, blocks = self._taken(self._pending)
        symbols = self._ray.get(self._fetch.remote(spans, *blocks)) if blocks else None
        empty = np.empty((0, self._writer.manifest.columns), np.int32)
        self._writer.append(empty if symbols is None else symbols, self._records)

    def leave(self) -> None:
        """Wait a little for chunks that are being put: what goes on with the store next shall not meet their files."""
        with suppress(Exception):  # of a cluster that is lost, whose tasks are too
            self._ray.wait([crcs for crcs, _ in self._waiting], num_returns=len(self._waiting), timeout=LEAVE_SECONDS)

    def _commit(self) -> None:
        crcs, records = self._waiting.popleft()
        self._writer.append_written(records, self._ray.get(crcs))

    def _taken(self, rows: int) -> tuple[list[tuple[int, int]], list[Any]]:
        """The next so many rows: from where to where in which blocks."""
        spans, blocks = list[tuple[int, int]](), list[Any]()
        self._pending -= rows
        while rows:
            block, start, stop = self._pieces.popleft()
            taken = min(stop - start, rows)
            if start + taken < stop:
                self._pieces.appendleft((block, start + taken, stop))
            spans.append((start, start + taken))
            blocks.append(block)
            rows -= taken
        return spans, blocks


def put_chunk(held: list[Any], index: int, spans: list[tuple[int, int]], *blocks: Any) -> tuple[int, ...]:
    """Put a chunk whose rows are in these spans of these blocks; its CRC-32C."""
    import ray

    key = held[0].hex()
    if key not in _known:
        _known.clear()
        _known[key] = ray.get(held[0])
    return _known[key].put(index, symbols_of(spans, *blocks))


def symbols_of(spans: list[tuple[int, int]], *blocks: Any) -> npt.NDArray[np.int32]:
    """The symbols in these spans of blocks, or of arrays."""
    parts = [
        rows_of(block, SYMBOLS, slice(*span)) if isinstance(block, pa.Table) else block[slice(*span)]
        for span, block in zip(spans, blocks, strict=True)
    ]
    return np.concatenate(parts)
