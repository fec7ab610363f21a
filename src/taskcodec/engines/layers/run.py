"""Layers beside the features, written in step with them in one pass over the files, or added to a store later.

item --read--> bytes --> pixels --> backbone --> symbols --> store
                 |
                 +--> picture, original: kept here until the batch is coded, then put before its records are
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from threading import Lock
from typing import TYPE_CHECKING, Any

from taskcodec.engines.layers.make import Content, Maker, made, maker_of, packed, read_whole
from taskcodec.engines.layers.wanted import Wanted, layer_of
from taskcodec.store.file_layers.elsewhere import MARK, layer_at, start_elsewhere
from taskcodec.store.file_layers.layout import MAX_CHUNK_ROWS, BesideLayer
from taskcodec.store.file_layers.writer import ItemWriter, remove_layer
from taskcodec.store.format.records import SampleRecord

if TYPE_CHECKING:
    from taskcodec.data.items import ImageSource, Item
    from taskcodec.store.backend import Blobs

CHUNK_BYTES = 2**22
"""Of a chunk, about: what is put again where the next commit makes it longer ..."""
MOST_CHUNK_BYTES = 2**26
"""... and of one in which every file is as large as the largest."""
COMMIT_ITEMS = 1024
TOGETHER = 32
"""Items that are put at a time: small files among them are packed together."""
Progress = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class There:
    """A layer of a store: how it was asked for, as it is, and its place's files."""

    wanted: Wanted
    layer: BesideLayer
    blobs: Blobs


def layer_there(store: Blobs, name: str, place: str | None) -> There | None:
    """A layer beside those of a store's codec, at another place where this one is named; None where nothing is yet."""
    blobs, layer, found = layer_at(store, name, () if place is None else (place,), f"--layers {name}@")
    if layer is None:
        return None
    return There(layer_of(layer, None if found is None else found.place), layer, blobs)


class LayersInStep:
    """Writes layers while their samples are coded.

    Whatever reads an item of `tapped` also makes that item's layers, in its thread, once there are writers. `take` puts
    what was made of the next records, and makes what was not: of batches that were read before, to fit the codec.
    """

    def __init__(self, source: ImageSource) -> None:
        self._source = source
        self.tapped = replace(source, items=_Tapped(source.items, self._read))
        """The source as it is to be read."""
        self._writers: dict[Wanted, ItemWriter] = {}
        self._makers: list[Maker] = []
        self._made: dict[int, list[Content]] = {}
        self._lock = Lock()
        self._first = 0

    def start(self, writers: dict[Wanted, ItemWriter], first_index: int) -> None:
        """Write from here on.

        Args:
            writers: by what they write.
            first_index: `source_index` of the source's first sample.
        """
        self._makers = [maker_of(wanted, self._source.keeps_truncated) for wanted in writers]
        self._first, self._writers = first_index, writers

    def take(self, records: Sequence[SampleRecord]) -> None:
        """Add the layers of the next records."""
        if not self._writers:
            return
        contents = [self._of(record) for record in records]
        for number, writer in enumerate(self._writers.values()):
            writer.append(packed([each[number] for each in contents]))

    def commit(self) -> None:
        """Have readers see what was added: to be called before its records are committed."""
        for writer in self._writers.values():
            writer.commit()

    def _of(self, record: SampleRecord) -> list[Content]:
        """What each layer keeps of a record's sample."""
        number = record.source_index - self._first
        with self._lock:
            contents = self._made.pop(number, None)
        return made(self._source.items[number], self._makers) if contents is None else contents

    def _read(self, number: int, item: Item) -> Any:
        """What `Item.read` gives; its layers are made on the way."""
        if not self._writers:
            return item.read()
        contents: list[Content] = [b""] * len(self._makers)
        try:
            found = read_whole(item)
            contents = [make(found) for make in self._makers]
            return found
        finally:
            with self._lock:
                self._made[number] = contents


class _Tapped(Sequence["Item"]):
    """Items whose reading goes through a function of their number and themselves."""

    def __init__(self, items: Sequence[Item], read: Callable[[int, Item], Any]) -> None:
        self._items, self._read = items, read

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(len(self)))]
        number = range(len(self))[index]
        item = self._items[number]
        return replace(item, read=lambda: self._read(number, item))


def new_writer(blobs: Blobs, wanted: Wanted, source: ImageSource) -> ItemWriter:
    """The writer of a layer of no items, in chunks that suit its source. Raises UsageError where its place is taken."""
    options = wanted.options
    if wanted.place is not None:
        found, blobs = start_elsewhere(blobs, wanted.name, wanted.place)
        options = {**options, MARK: found.mark}
    remove_layer(blobs, wanted.name)  # what a removal that was stopped left of one
    writer = ItemWriter(blobs, BesideLayer(wanted.name, wanted.name, 0, _chunk_rows(wanted, source), options))
    writer.commit()  # a run that goes on after a stop knows by it that the layer was asked for
    return writer


def fill(blobs: Blobs, wanted: Wanted, source: ImageSource, first_index: int, progress: Progress | None = None) -> bool:
    """Add a layer to a store that has all of a source, or what the layer lacks of it; whether there was anything.

    `first_index` is the `source_index` of the source's first sample. Raises StorageError where it cannot be put.
    """
    there = layer_there(blobs, wanted.name, wanted.place)
    writer = new_writer(blobs, wanted, source) if there is None else ItemWriter(there.blobs, there.layer)
    start = writer.next_index - first_index
    if there is not None and start >= len(source):
        return False
    maker = maker_of(wanted, source.keeps_truncated)
    for contents in _in_order(source.items, start, maker):
        before = writer.next_index
        writer.append(packed(contents))
        if before // COMMIT_ITEMS < writer.next_index // COMMIT_ITEMS:
            writer.commit()
        if progress is not None:
            progress(writer.next_index - first_index, len(source))
    writer.commit()
    return True


def _in_order(items: Sequence[Item], start: int, maker: Maker) -> Iterator[list[Content]]:
    """What is kept of the items from `start` on, a few at a time, made by as many threads as there are processors."""
    threads = os.cpu_count() or 1
    pool, waiting, ready = ThreadPoolExecutor(threads), deque[Future[list[Content]]](), list[Content]()
    try:
        for number in range(start, len(items)):
            waiting.append(pool.submit(made, items[number], [maker]))
            if len(waiting) > 2 * threads:
                ready += waiting.popleft().result()
            if len(ready) == TOGETHER:
                yield ready
                ready = []
        for future in waiting:
            ready += future.result()
        yield ready
    finally:
        pool.shutdown(cancel_futures=True)


def _chunk_rows(wanted: Wanted, source: ImageSource) -> int:
    """Items in a chunk, a power of two: about CHUNK_BYTES of them, and no more than memory bears of the largest."""
    if wanted.picture_bytes is not None:
        rows = CHUNK_BYTES // wanted.picture_bytes
    else:
        sizes = [item.size for item in source.items if item.size]
        mean, largest = (sum(sizes) / len(sizes), max(sizes)) if sizes else (100_000.0, 0)
        rows = int(min(CHUNK_BYTES / mean, MOST_CHUNK_BYTES / max(largest, 1)))
    return int(2 ** (max(1, min(rows, MAX_CHUNK_ROWS)).bit_length() - 1))
