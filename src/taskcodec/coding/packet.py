"""A sample's layers in one packet: first how long each is, so that what is cut behind a layer still decodes up to it.

packet := varint(bytes of layer 1) ... varint(bytes of layer m) layer 1 ... layer m        each as `sample` has it
"""

from collections.abc import Sequence
from itertools import accumulate, pairwise

import numpy as np

from taskcodec.coding.varint import MAX_VARINT_BYTES, read_varints, write_varints
from taskcodec.errors import CorruptFileError


def join_layers(parts: Sequence[bytes]) -> bytes:
    """Each layer's bytes -> a packet."""
    return write_varints(np.array([len(part) for part in parts], np.uint64)) + b"".join(parts)


def split_layers(data: bytes, count: int) -> list[bytes | None]:
    """Invert `join_layers`: the bytes of each of `count` layers, None for those that were cut off.

    Raises CorruptFileError where the packet has no such beginning, or goes on behind its last layer.
    """
    ends = ends_of(data, *head_of(data, count))
    return [data[a:b] if b <= len(data) else None for a, b in pairwise(ends)]


def ends_of(data: bytes, lengths: Sequence[int], first: int) -> list[int]:
    """Where the first layer of a packet begins, and each one ends. Raises CorruptFileError where data go on behind."""
    ends = list(accumulate(lengths, initial=first))
    if ends[-1] < len(data):
        raise CorruptFileError(f"a packet that goes on behind its {len(lengths)} layers was damaged")
    return ends


def head_of(data: bytes, count: int) -> tuple[list[int], int]:
    """The `count` numbers that a packet begins with, and where they end. Raises CorruptFileError."""
    head = bytes(data[: MAX_VARINT_BYTES * count])
    ends = [at for at, byte in enumerate(head) if byte < 128][:count]
    if len(ends) < count:
        raise CorruptFileError(f"a packet without the {count} numbers of its head was truncated")
    return read_varints(head[: ends[-1] + 1]).tolist(), ends[-1] + 1
