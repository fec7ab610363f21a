"""Layers of vectors at work together: rows of symbols side by side, and packets of them.

symbols (n, columns) = [layer 1 (n, c1) | layer 2 (n, c2) | ...] <--> a packet a row
"""

from collections.abc import Sequence

import numpy as np

from taskcodec.coding import decode_sample, encode_sample
from taskcodec.coding.packet import join_layers, split_layers
from taskcodec.coding.symbol_model import Bits, Symbols
from taskcodec.errors import CorruptFileError, MismatchError
from taskcodec.layer import Layer, columns_of, given_of, side_by_side


def by_layer(symbols: Symbols, layers: Sequence[Layer]) -> dict[str, Symbols]:
    """(n, columns) symbols of layers by their names. Raises MismatchError."""
    if symbols.ndim != 2 or symbols.shape[1] != columns_of(layers):
        raise MismatchError(f"expected symbols of shape (n, {columns_of(layers)}), found {symbols.shape}")
    ends = np.cumsum([layer.columns for layer in layers]).tolist()
    starts = [0, *ends[:-1]]
    return {layer.name: symbols[:, a:b] for layer, a, b in zip(layers, starts, ends, strict=True)}


def costs_of(symbols: Symbols, layers: Sequence[Layer]) -> Bits:
    """(n, columns) symbols -> bits of an ideal coder for each of them."""
    parts = by_layer(symbols, layers)
    return np.concatenate([layer.model.costs(parts[layer.name], given_of(layer, parts)) for layer in layers], axis=1)


def code_length_of(symbols: Symbols, layers: Sequence[Layer]) -> Bits:
    """(n, columns) symbols -> (n,) bits a sample of an ideal coder."""
    parts = by_layer(symbols, layers)
    found = [layer.model.code_length(parts[layer.name], given_of(layer, parts)) for layer in layers]
    return found[0] if len(found) == 1 else np.asarray(np.sum(found, axis=0))


def packets_of(symbols: Symbols, layers: Sequence[Layer]) -> list[bytes]:
    """(n, columns) symbols -> a packet for each row; of one layer its bitstream alone."""
    parts, found = by_layer(symbols, layers), list[bytes]()
    for row in range(len(symbols)):
        own = {name: part[row : row + 1] for name, part in parts.items()}
        coded = [encode_sample(own[layer.name][0], layer.model, given_of(layer, own)) for layer in layers]
        found.append(coded[0] if len(coded) == 1 else join_layers(coded))
    return found


def symbols_of(packet: bytes, layers: Sequence[Layer], needed: Sequence[Layer]) -> Symbols:
    """(1, columns) symbols of the layers that are needed, of a packet of all layers. Raises CorruptFileError."""
    found = [packet] if len(layers) == 1 else split_layers(packet, len(layers))
    coded, parts = {layer.name: data for layer, data in zip(layers, found, strict=True)}, dict[str, Symbols]()
    for layer in needed:
        if (data := coded[layer.name]) is None:
            raise CorruptFileError(f"a packet that ends before its layer {layer.name} does was truncated")
        parts[layer.name] = decode_sample(data, layer.model, given_of(layer, parts))[None]
    return side_by_side(parts)
