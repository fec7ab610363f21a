"""Reading a layer beside those of the codec: one item by its own bytes, or a chunk."""

from taskcodec.errors import CorruptFileError
from taskcodec.store.backend import Blobs
from taskcodec.store.file_layers.layout import BesideLayer, unseal
from taskcodec.store.file_layers.ranges import ItemRanges
from taskcodec.store.format.layer_chunks import get_block
from taskcodec.store.format.packets import split_items


class Items:
    """The items of a layer, by the place of their samples in the source."""

    def __init__(self, blobs: Blobs, layer: BesideLayer) -> None:
        self._blobs, self.layer = blobs, layer
        self._ranges = ItemRanges(blobs, layer.chunk_key, layer.chunk_rows)

    def item(self, index: int) -> bytes:
        """What is kept of a sample of the source, b"" for nothing. Raises CorruptFileError."""
        number, row = divmod(index, self.layer.chunk_rows)
        return unseal(self._ranges.item(number, row), index, f"{self._blobs.name}/{self.layer.chunk_key(number)}")

    def length(self, index: int) -> int:
        """The bytes of an item of a sample of the source, 0 where there is none."""
        number, row = divmod(index, self.layer.chunk_rows)
        return self._ranges.length(number, row) if 0 <= index < self.layer.items else 0

    def chunk(self, number: int) -> list[bytes]:
        """The items of a chunk as they lie there, all of those that the layer has; checked as a whole."""
        key, rows = self.layer.chunk_key(number), self.layer.items_of(number)
        block = get_block(self._blobs, key)
        try:
            items = split_items(block, self.layer.chunk_rows)
        except CorruptFileError as error:
            raise CorruptFileError(f"{self._blobs.name}/{key}: {error}") from error
        return [*items, *[b""] * rows][: max(rows, 0)]

    def contents(self, number: int) -> list[bytes]:
        """What is kept of the samples of a chunk. Raises CorruptFileError."""
        first, place = number * self.layer.chunk_rows, f"{self._blobs.name}/{self.layer.chunk_key(number)}"
        return [unseal(item, first + row, place) for row, item in enumerate(self.chunk(number))]
