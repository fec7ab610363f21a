"""Lossless codecs: a model of whole numbers, fitted to samples that come back as they were."""

from collections.abc import Callable
from typing import Any

import numpy as np

from taskcodec.codec import Codec
from taskcodec.coding import SymbolModel, tables_from_symbols
from taskcodec.coding.symbol_model import Symbols
from taskcodec.errors import MismatchError, check_one_of
from taskcodec.fitting.lossless.tree import fit_tree
from taskcodec.layer import BASE, Layer
from taskcodec.quantization.whole import WholeNumbers
from taskcodec.transforms.values.transform import ValuesTransform

Progress = Callable[[int, int], None]
Fit = Callable[[Symbols, Progress | None], SymbolModel]
MODELS: dict[str, Fit] = {
    "tree": fit_tree,
    "columns": lambda symbols, progress: tables_from_symbols(symbols),
}
"""How symbols may be modelled, by name: each takes (n, c) of them, n >= 1."""
USUAL = "tree"


def fit_lossless(
    values: Any, transform: ValuesTransform, model: str | None = None, progress: Progress | None = None
) -> Codec:
    """A codec that gives back the very values.

    Args:
        values: of n samples, as the transform takes them.
        transform: what they are.
        model: one of MODELS.
        progress: called with (steps done, steps in all).

    Raises UsageError on another model, MismatchError where there are no samples, or of another kind.
    """
    name = USUAL if model is None else model
    check_one_of("--model", name, MODELS)
    symbols = transform.to_symbols(values)
    if not len(symbols):
        raise MismatchError("a fit needs one sample or more")
    return lossless_codec(transform, MODELS[name](symbols, progress), symbols, name)


def lossless_codec(transform: ValuesTransform, fitted: SymbolModel, symbols: Symbols, name: str) -> Codec:
    """The codec of a model that was fitted to (n, c) symbols, n >= 1, under its name."""
    columns = transform.columns
    layer = Layer(BASE, transform, WholeNumbers(columns), fitted, np.empty((0, columns), np.float32))
    bits = float(fitted.code_length(symbols).mean())
    provenance = {"model": name, "samples": len(symbols), "bits_per_value": bits / transform.dimension}
    return Codec("values", (layer,), provenance=provenance)
