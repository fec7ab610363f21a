"""Putting whole chunks, wherever that is done: by the writer of a store itself, or by others that work for it."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from taskcodec.codec import Codec
from taskcodec.layer import given_of
from taskcodec.store.backend import Blobs
from taskcodec.store.format.layer_chunks import CodedLayer, write_chunk
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

    def put(self, index: int, symbols: npt.NDArray[np.int32]) -> tuple[int, ...]:
        """Put chunk `index`, (rows, columns) symbols, of every layer; their CRC-32C, a number a layer."""
        parts, crcs = self.codec.by_layer(symbols), list[int]()
        for own, layer in zip(self.codec.layers, self.layers, strict=True):
            key = self.layout.chunk_key(layer.stored, index)
            crcs.append(write_chunk(self.blobs, key, layer, parts[own.name], given_of(own, parts)))
        return tuple(crcs)
