"""The weights by which contexts are mixed: logistic regression on what the decoder will know at each decision."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from taskcodec.coding.models.mixing.columns import BUCKETS, WEIGHT_BITS, Modelled
from taskcodec.coding.models.mixing.contexts import Places
from taskcodec.coding.models.mixing.decisions import Counts, Integers, walk
from taskcodec.coding.models.mixing.logistic import ONE
from taskcodec.coding.symbol_model import Symbols

MAX_DECISIONS = 40_000
PULL = 100.0
"""How strongly weights are held to the usual ones: what a codec ships are the differences."""
_ROUNDS, _LONGEST_STEP = 8, 0.5
_KEPT_BITS = 3
"""Fitted weights are rounded to multiples of 2**_KEPT_BITS units."""


class _Witness(Counts):
    """Counts that remember what they told."""

    def __init__(self, column: Modelled, places: Places) -> None:
        super().__init__(column, places)
        self.told = list[tuple[Integers, Integers]]()

    def evidence(self, places: Integers) -> tuple[Integers, Integers]:
        found = super().evidence(places)
        self.told.append(found)
        return found


def fitted_weights(column: Modelled, places: Places, target: Symbols) -> Modelled:
    """The column with weights fitted to (n,) symbols of rows at these places."""
    went, witness = list[npt.NDArray[np.bool_]](), _Witness(column, places)

    def decide(rows: Integers, nodes: Integers, chances: Integers) -> npt.NDArray[np.bool_]:
        went.append(target[rows] >= column.tree.middle[nodes])
        return went[-1]

    walk(column, places, decide, witness)
    if not went:
        return column
    odds, buckets = (np.concatenate(each, axis=1) for each in zip(*witness.told, strict=True))
    right = np.concatenate(went)
    scale = 1.0
    if len(right) > MAX_DECISIONS:
        # Evenly over the rows, so that early decisions, of contexts hardly met, have their share.
        kept = np.linspace(0, len(right) - 1, MAX_DECISIONS).astype(np.int64)
        scale = len(right) / MAX_DECISIONS
        odds, buckets, right = odds[:, kept], buckets[:, kept], right[kept]
    units = 1 << WEIGHT_BITS
    fitted = _regression(odds, buckets, right, column.weights / units, scale)
    change = np.round((fitted * units - column.weights) / (1 << _KEPT_BITS)).astype(np.int64) << _KEPT_BITS
    return replace(column, weights=column.weights + change)


def _regression(
    odds: Integers, buckets: Integers, right: npt.NDArray[np.bool_], usual: npt.NDArray[np.float64], scale: float
) -> npt.NDArray[np.float64]:
    """(contexts, BUCKETS) weights by Newton's method, held to the usual ones."""
    contexts, m = odds.shape
    design = np.zeros((m, contexts * BUCKETS), np.float32)
    for k in range(contexts):
        design[np.arange(m), k * BUCKETS + buckets[k]] = odds[k] * (np.log(2) / ONE)
    used = np.flatnonzero(design.any(axis=0))
    if not used.size:
        return usual
    design, start = design[:, used], usual.ravel()[used]
    weights = start.copy()
    for _ in range(_ROUNDS):
        chances = 1 / (1 + np.exp(-np.clip(design @ weights, -20, 20)))
        slope = scale * (design.T @ (chances - right)) + PULL * (weights - start)
        curve = scale * (design.T * (chances * (1 - chances)).astype(np.float32)) @ design
        step = np.linalg.solve(curve.astype(np.float64) + PULL * np.eye(len(used)), slope)
        weights -= np.clip(step, -_LONGEST_STEP, _LONGEST_STEP)
        if abs(step).max() < 1e-3:
            break
    found = usual.ravel().copy()
    found[used] = weights
    return found.reshape(usual.shape)
