"""Symbols whose tables were chosen one by one, coded table by table: so the coder sees long runs.

Of each table, lowest first, come first the slots, in the order of the places, and then its escaped symbols. Where runs
are `closed` nothing is escaped: what was the escape is the symbol behind the run, and no other is coded. So symbols can
be drawn, which must not be any of 2**32.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from taskcodec.coding.escapes import pop_escapes, push_escapes
from taskcodec.coding.models.tables import ESCAPE_BITS, TABLE_BITS, Tables
from taskcodec.coding.symbol_model import Bits, Symbols

Chosen = npt.NDArray[np.uint16]


def push_runs(coder: Any, symbols: Symbols, table: Chosen, bank: Tables, closed: bool = False) -> None:
    """Push symbols so that `pop_runs` reads them; `table`, of the same shape, says by which of the bank each goes."""
    sizes, models = bank.sizes.tolist(), bank.models
    runs, order = _runs(table)
    slots, symbols = slots_of(symbols, table, bank).ravel()[order], symbols.ravel()[order]
    for t, begin, end in reversed(runs):
        run = slots[begin:end]
        if not closed and int(run.max()) == sizes[t]:
            push_escapes(coder, symbols[begin:end][run == sizes[t]])
        coder.encode_reverse(run, models[t])


def pop_runs(coder: Any, table: Chosen, bank: Tables, closed: bool = False) -> Symbols:
    """Invert `push_runs`: symbols of the shape of `table`."""
    sizes, first, models = bank.sizes.tolist(), bank.first, bank.models
    runs, order = _runs(table)
    found = np.empty(order.size, np.int32)
    for t, begin, end in runs:
        run = np.asarray(coder.decode(models[t], end - begin), dtype=np.int32)
        escaped = run == sizes[t]
        run += first[t]
        if not closed and escaped.any():
            run[escaped] = pop_escapes(coder, int(escaped.sum()))
        found[begin:end] = run
    symbols = np.empty(order.size, np.int32)
    symbols[order] = found
    return symbols.reshape(table.shape)


def slots_of(symbols: Symbols, table: Chosen, bank: Tables) -> Symbols:
    """Positions in the tables that were chosen; symbols outside a table's run take its escape's."""
    slots, sizes = symbols.astype(np.int64) - bank.first[table], bank.sizes[table]
    return np.where((slots < 0) | (slots >= sizes), sizes, slots).astype(np.int32)


def bits_of(symbols: Symbols, table: Chosen, bank: Tables, closed: bool = False) -> Bits:
    """Bits of an ideal coder for each symbol by the table that was chosen for it, escapes included."""
    slots = slots_of(symbols, table, bank)
    bits = TABLE_BITS - np.log2(bank.counts[slots + bank.starts[table]])
    return bits if closed else np.asarray(bits + ESCAPE_BITS * (slots == bank.sizes[table]))


def _runs(table: Chosen) -> tuple[list[tuple[int, int, int]], npt.NDArray[np.int64]]:
    """Each table that occurs with the begin and end of its run in `order`, and the order, which sorts by table."""
    flat = table.ravel()
    order = np.argsort(flat, kind="stable")
    counts = np.bincount(flat)
    ends = np.cumsum(counts)
    return [(t, int(ends[t] - counts[t]), int(ends[t])) for t in np.flatnonzero(counts).tolist()], order
