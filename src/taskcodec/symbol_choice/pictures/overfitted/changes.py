"""Changes of weights as symbols: how fine they are is chosen by what the objective loses, and by their bits."""

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from taskcodec.coding.models.integer_network import Integers
from taskcodec.coding.models.overfitted.context import PHASES, WEIGHT_BITS
from taskcodec.coding.models.overfitted.model import MAX_WEIGHT, OverfittedTables
from taskcodec.coding.models.overfitted.plan import KINDS
from taskcodec.coding.models.runs import bits_of
from taskcodec.coding.symbol_model import Symbols

FINENESS = (3, 4, 5, 6, 7, 8)
"""Changes are multiples of one over two to the power of one of them; or there are none."""
UNIT = 2.0**-WEIGHT_BITS

Floats = npt.NDArray[np.float64]


def flat(tables: OverfittedTables, weights: Mapping[str, Tensor]) -> Floats:
    """Weights by name -> (weights,) in the order that symbols have."""
    return np.concatenate([weights[part.name].numpy().astype(np.float64).ravel() for part in tables.plan.parts])


def named(tables: OverfittedTables, whole: Integers) -> dict[str, Tensor]:
    """(weights,) multiples of UNIT -> by name."""
    found = (whole * UNIT).astype(np.float32)
    return {part.name: torch.from_numpy(found[at].reshape(part.shape)) for part, at in tables.plan.named()}


def chosen(
    tables: OverfittedTables, weights: Floats, price: float, loses: Callable[[int, Mapping[str, Tensor]], float]
) -> Symbols:
    """(weights,) that were found -> the symbols of the head and of their changes.

    Args:
        tables: which they are changes of.
        weights: in the order of `flat`.
        price: of a bit, in units of the objective.
        loses: the objective of weights, by name; of the kind of weight alone that is tried.
    """
    fine, scales = np.zeros(len(KINDS), np.int32), np.zeros(len(KINDS), np.int32)
    changes, whole = np.zeros(tables.plan.weights, np.int32), tables.start.copy()
    whole[:] = np.clip(np.round(weights / UNIT), -MAX_WEIGHT, MAX_WEIGHT)
    for kind, part in enumerate(tables.plan.kinds):
        tries = list[tuple[float, int, Symbols, int]]()
        for each in (None, *FINENESS):
            step = 1 << (WEIGHT_BITS - (each or 0))
            own = np.round((weights[part] / UNIT - tables.start[part]) / step).astype(np.int32)
            own = np.zeros_like(own) if each is None else own
            whole[part] = tables.start[part] + own.astype(np.int64) * step
            scale, bits = _cheapest(tables, own)
            tries.append((loses(kind, named(tables, whole)) + price * bits, each or 0, own, scale))
        _, fine[kind], changes[part], scales[kind] = min(tries, key=lambda one: one[0])
        whole[part] = tables.start[part] + (changes[part].astype(np.int64) << (WEIGHT_BITS - int(fine[kind])))
    return np.concatenate([fine, scales, changes])


def _cheapest(tables: OverfittedTables, changes: Symbols) -> tuple[int, float]:
    """The scale whose table codes changes in the fewest bits, and these."""
    own = 1 + PHASES * np.arange(tables.scales, dtype=np.uint16)
    values, counts = np.unique(changes, return_counts=True)
    table = np.broadcast_to(own[:, None], (len(own), len(values)))
    total = (counts * bits_of(np.broadcast_to(values, table.shape), table, tables.bank)).sum(axis=1)
    best = int(np.argmin(total))
    return best, float(total[best])
