"""Orders of ids, by which one is found without reading all of them.

The ids of a segment rise as text (by code points, as UTF-8 does by bytes), or by length and then as text (as numbers
do, or names that end in one), or in no order: then there are hashes of them (`taskcodec.store.format.buckets`).
"""

from bisect import bisect_right
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

TEXT, LENGTH = "text", "length"
ORDERS = (TEXT, LENGTH)
KEPT = 48
"""Characters that are kept of a key, at most: where these are equal, keys may be."""


def order_of(ids: pa.ChunkedArray) -> str | None:
    """The order in which ids, all different, rise; None where there is none."""
    flat = ids.combine_chunks()
    before, after = flat[:-1], flat[1:]
    rising = pc.less(before, after)
    if pc.all(rising, min_count=0).as_py():
        return TEXT
    lengths = pc.utf8_length(flat)
    longer, alike = pc.less(lengths[:-1], lengths[1:]), pc.equal(lengths[:-1], lengths[1:])
    return LENGTH if pc.all(pc.or_(longer, pc.and_(alike, rising))).as_py() else None


def key_of(order: str, name: str) -> str:
    """What of an id is compared, as text: of ids in order these do not fall."""
    return (name if order == TEXT else f"{len(name):08d}{name}")[:KEPT]


def may_hold(ids: tuple[str, str, str], name: str) -> bool:
    """Whether an id may be among some in order, given that order, and the keys of the first and the last."""
    order, first, last = ids
    return first <= key_of(order, name) <= last


def group_of(order: str, firsts: Sequence[str], name: str) -> range:
    """Which groups of ids in order an id may be in, by the key of the first id of each."""
    key = key_of(order, name)
    last = bisect_right(firsts, key)
    first = max(last - 1, 0)
    while first > 0 and firsts[first] == key:  # ids that differ only behind what is kept
        first -= 1
    return range(first, last)
