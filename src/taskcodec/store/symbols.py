"""The symbols of a store, chunk by chunk and layer by layer: only those layers are read that are asked for."""

from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from threading import Lock
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from taskcodec.errors import MismatchError
from taskcodec.layer import Layer, given_of, side_by_side
from taskcodec.store.backend import Blobs
from taskcodec.store.format.entries import Entry
from taskcodec.store.format.layer_chunks import CodedLayer, read_chunk
from taskcodec.store.format.manifest import Manifest

CACHED_CHUNKS = 8
AHEAD = 3
"""Chunks that are read while one is used: where a request takes as long as decoding, the next are there in time."""
Item = TypeVar("Item")
Read = TypeVar("Read")


def ahead(read: Callable[[Item], Read], items: Iterable[Item], threads: int = AHEAD) -> Iterator[Read]:
    """Each item read, in order, while up to AHEAD that follow are read by threads; without any by one thread alone."""
    if threads < 2:
        yield from map(read, items)
        return
    with ThreadPoolExecutor(min(threads, AHEAD)) as pool:
        left, waiting = iter(items), deque[Future[Read]]()
        try:
            waiting.extend(pool.submit(read, item) for item in islice(left, AHEAD + 1))
            while waiting:
                found = waiting.popleft().result()
                waiting.extend(pool.submit(read, item) for item in islice(left, 1))
                yield found
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


class Symbols:
    """Chunks of some layers of a store, of which the last few are kept in memory.

    Args:
        blobs: where they lie.
        manifest: the store's.
        layers: of its codec, each after those that it depends on.
        counted: what is counted of a chunk, by its number.
    """

    def __init__(
        self, blobs: Blobs, manifest: Manifest, layers: Sequence[Layer], counted: Callable[[int], Entry]
    ) -> None:
        self._blobs, self._manifest, self._layers, self._counted = blobs, manifest, layers, counted
        self._cache: OrderedDict[int, npt.NDArray[np.int32]] = OrderedDict()
        self._lock = Lock()
        stored = {layer.name: layer for layer in manifest.layers}
        if any(layer.columns != getattr(stored.get(layer.name), "columns", None) for layer in layers):
            raise MismatchError(f"{blobs.name}: its layers are not those of its codec")
        self._coded = [CodedLayer(stored[layer.name], layer.model) for layer in layers]
        for layer in layers:
            _ = layer.model.choices.models  # made once, before threads start

    def read(self, index: int) -> npt.NDArray[np.int32]:
        """(rows, columns) symbols of a chunk, those of the layers side by side. Raises CorruptFileError."""
        parts: dict[str, npt.NDArray[np.int32]] = {}
        counted = self._counted(index)
        for layer, coded in zip(self._layers, self._coded, strict=True):
            parts[layer.name] = read_chunk(self._blobs, self._manifest, index, coded, counted, given_of(layer, parts))
        return side_by_side(parts)

    def cached(self, index: int) -> npt.NDArray[np.int32] | None:
        """The same where it is in memory."""
        with self._lock:
            if index not in self._cache:
                return None
            self._cache.move_to_end(index)
            return self._cache[index]

    def keep(self, index: int, symbols: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
        """Keep a chunk in memory, in the place of the one that was longest without use."""
        with self._lock:
            self._cache[index] = symbols
            while len(self._cache) > CACHED_CHUNKS:
                self._cache.popitem(last=False)
        return symbols
