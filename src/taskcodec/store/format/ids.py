"""Orders of ids, by which one is found without reading all of them.

The ids of a segment are in order as text (by code points, as UTF-8 is by bytes), or as numbers (decimal, without zeros
in front), or in none.
"""

from bisect import bisect_right
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

TEXT, NUMBER = "text", "number"
ORDERS = (TEXT, NUMBER)
KEPT = 40
"""Characters of an id that an index keeps of it, at most: from these on ids may be equal."""
_DECIMAL = r"^(0|[1-9][0-9]{0,17})$"


def order_of(ids: pa.ChunkedArray) -> str | None:
    """The order in which all ids rise; None where there is none."""
    flat = ids.combine_chunks() if isinstance(ids, pa.ChunkedArray) else ids
    if len(flat) < 2 or pc.all(pc.less(flat[:-1], flat[1:])).as_py():
        return TEXT
    if not pc.all(pc.match_substring_regex(flat, _DECIMAL)).as_py():
        return None
    numbers = pc.cast(flat, pa.int64())
    return NUMBER if pc.all(pc.less(numbers[:-1], numbers[1:])).as_py() else None


def may_hold(ids: tuple[str, str, str], wanted: str) -> bool:
    """Whether an id may be among some of this order, from the first to the last, both cut to KEPT characters."""
    order, first, last = ids
    wanted = wanted[:KEPT]
    if order == NUMBER:
        return _is_number(wanted) and int(first) <= int(wanted) <= int(last)
    return first <= wanted <= last


def group_of(order: str, firsts: Sequence[str], wanted: str) -> range:
    """Which groups an id may be in, by the first id of each, cut to KEPT characters."""
    wanted = wanted[:KEPT]
    keys = [int(first) for first in firsts] if order == NUMBER else list(firsts)
    key = int(wanted) if order == NUMBER else wanted
    last = bisect_right(keys, key)
    first = last - 1
    while first > 0 and keys[first] == key:  # as much as is kept of the first id of several groups
        first -= 1
    return range(max(first, 0), last)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 18 and (text == "0" or text[0] != "0")
