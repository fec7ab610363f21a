"""Writing a layer beside those of the codec: items in the order of the source, a chunk at a time.

What was committed is `layer.items`; a chunk that is not full is put again, longer, at the next commit. Whoever writes
the samples too commits the layer first: then a stop leaves items without records, which are made again, but no records
without items.
"""

from collections.abc import Sequence

from taskcodec.errors import CorruptFileError
from taskcodec.store.backend import Blobs, change
from taskcodec.store.file_layers.layout import (
    ELSEWHERE,
    FOLDER,
    METADATA,
    PARTIAL,
    BesideLayer,
    grown,
    seal,
    write_layer,
)
from taskcodec.store.file_layers.reader import Items
from taskcodec.store.format.layer_chunks import put_block
from taskcodec.store.format.packets import join_items


class ItemWriter:
    """Appends items to a layer.

    Args:
        blobs: the store's.
        layer: as it is, or a new one of no items.
        start: what is kept of it: the items of samples before this one.
    """

    def __init__(self, blobs: Blobs, layer: BesideLayer, start: int | None = None) -> None:
        self._blobs, self._items = blobs, list[bytes]()
        kept = layer.items if start is None else start
        if kept > layer.items:
            raise CorruptFileError(f"{blobs.name}/{layer.key}: {layer.items} items where {kept} are expected")
        rest = kept % layer.chunk_rows
        if rest:
            self._items = Items(blobs, layer).chunk(kept // layer.chunk_rows)[:rest]
        self._committed: int | None = None
        self.layer = grown(layer, kept - rest)
        """What lies in whole chunks."""

    @property
    def next_index(self) -> int:
        """The sample of the source that the next item is of."""
        return self.layer.items + len(self._items)

    def append(self, contents: Sequence[bytes]) -> None:
        """Add what is kept of the next samples; whole chunks are put, but committed by `commit` alone."""
        for content in contents:
            self._items.append(seal(content, self.next_index))
            if len(self._items) == self.layer.chunk_rows:
                self._put()
                self.layer = grown(self.layer, self.next_index)
                self._items = []

    def commit(self) -> None:
        """Put what is left of a chunk, and the metadata, if anything is new: readers see all items from here on."""
        if self._committed == self.next_index:
            return
        if self._items:
            self._put()
        write_layer(self._blobs, grown(self.layer, self.next_index))
        self._committed = self.next_index

    def _put(self) -> None:
        key = self.layer.chunk_key(self.layer.items // self.layer.chunk_rows)
        put_block(self._blobs, key, join_items(self._items))


def remove_remains(blobs: Blobs) -> None:
    """Remove what is left of writes that were stopped: parts of files, and chunks of layers that never came to be."""
    found = blobs.sizes(FOLDER)
    for key in found:
        own = f"{FOLDER}/{key.split('/')[1]}"
        if key.endswith(PARTIAL) or not {f"{own}/{METADATA}", f"{own}/{ELSEWHERE}"} & found.keys():
            blobs.delete(key)


def remove_layer(blobs: Blobs, name: str) -> None:
    """Remove a layer that lies beside those of the codec, or what a removal that was stopped left of it.

    Its metadata go first: readers then see none. Of a layer that lies elsewhere its store's part goes.
    """
    change(blobs, dict.fromkeys(sorted(blobs.sizes(f"{FOLDER}/{name}"), key=lambda key: "/c/" in key)))
