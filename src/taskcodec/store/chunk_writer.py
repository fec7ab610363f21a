"""Putting whole chunks, wherever that is done: by the writer of a store itself, or by others that work for it."""

from dataclasses import dataclass

from taskcodec.codec import Codec
from taskcodec.layer import given_of
from taskcodec.store.backend import Blobs
from taskcodec.store.format.layer_chunks import CodedLayer, Rows, write_chunk
from taskcodec.store.format.manifest import Manifest


@dataclass(frozen=True, eq=False)
class ChunkWriter:
    """Puts chunks of a store; it can be sent to other processes. Only a commit of `StoreWriter` makes them count.

    Attributes:
        blobs: the store's place.
        codec: the store's.
        layers: those of the codec, with what codes them.
        layout: the store's manifest, of which only the names of chunks matter: its parts may be left out.
    """

    blobs: Blobs
    codec: Codec
    layers: tuple[CodedLayer, ...]
    layout: Manifest

    def put(self, index: int, rows: Rows) -> tuple[int, ...]:
        """Put chunk `index`, (rows, columns) symbols or (rows, layers) items; a CRC-32C a layer."""
        if self.layout.of_pictures:
            parts = dict(zip((layer.name for layer in self.codec.layers), rows.T, strict=True))
        else:
            parts = self.codec.by_layer(rows)
        crcs = list[int]()
        for own, layer in zip(self.codec.layers, self.layers, strict=True):
            key = self.layout.chunk_key(layer.stored, index)
            crcs.append(write_chunk(self.blobs, key, layer, parts[own.name], given_of(own, parts)))
        return tuple(crcs)
