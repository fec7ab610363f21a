"""Lossless codecs: a model of whole numbers, fitted to samples that come back as they were."""

from collections.abc import Callable
from typing import Any

import numpy as np

from taskcodec.codec import Codec
from taskcodec.coding import SymbolModel, tables_from_symbols
from taskcodec.coding.symbol_model import Symbols
from taskcodec.errors import MismatchError, UsageError, check_one_of, needing_packages
from taskcodec.fitting.lossless.tree import fit_tree
from taskcodec.layer import BASE, Layer
from taskcodec.quantization.whole import WholeNumbers
from taskcodec.samples import spread_rows
from taskcodec.transforms.values.pixels import PixelValues
from taskcodec.transforms.values.transform import ValuesTransform

Progress = Callable[[int, int], None]
Fit = Callable[[Symbols, ValuesTransform, Progress | None], SymbolModel]
MANY = 2**19
"""Numbers of all pictures that are worth a network of contexts: of fewer it would take more bytes than it saves."""


MEASURED = 1000
"""Samples of the fit whose bits its record tells."""


def _columns(symbols: Symbols, transform: ValuesTransform, progress: Progress | None) -> SymbolModel:
    return tables_from_symbols(symbols)


def _tree(symbols: Symbols, transform: ValuesTransform, progress: Progress | None) -> SymbolModel:
    return fit_tree(symbols, progress)


def _context(symbols: Symbols, transform: ValuesTransform, progress: Progress | None) -> SymbolModel:
    if not isinstance(transform, PixelValues):
        raise UsageError(f"--model context is for pictures: found {transform.words}")
    with needing_packages():
        from taskcodec.fitting.lossless.context import ContextRecipe, fit_context

    return fit_context(symbols, transform.byte_shape, ContextRecipe(), progress)


def _vae(symbols: Symbols, transform: ValuesTransform, progress: Progress | None) -> SymbolModel:
    if not isinstance(transform, PixelValues):
        raise UsageError(f"--model vae is for pictures: found {transform.words}")
    with needing_packages():
        from taskcodec.fitting.lossless.vae import VariationalRecipe, fit_variational

    return fit_variational(symbols, transform.byte_shape, VariationalRecipe(), progress)


MODELS: dict[str, Fit] = {"context": _context, "tree": _tree, "vae": _vae, "columns": _columns}
"""How symbols may be modelled, by name: each takes (n, c) of them, n >= 1, and what they are."""


def usual_model(symbols: Symbols, transform: ValuesTransform) -> str:
    """What suits (n, c) symbols: of the models, one whose own bytes are worth it."""
    return "context" if isinstance(transform, PixelValues) and symbols.size >= MANY else "columns"


def fit_lossless(
    values: Any, transform: ValuesTransform, model: str | None = None, progress: Progress | None = None
) -> Codec:
    """A codec that gives back the very values.

    Args:
        values: of n samples, as the transform takes them.
        transform: what they are.
        model: one of MODELS; without it, what suits them.
        progress: called with (steps done, steps in all).

    Raises UsageError on another model, MismatchError where there are no samples, or of another kind.
    """
    symbols = transform.to_symbols(values)
    if not len(symbols):
        raise MismatchError("a fit needs one sample or more")
    name = usual_model(symbols, transform) if model is None else model
    check_one_of("--model", name, MODELS)
    return lossless_codec(transform, MODELS[name](symbols, transform, progress), symbols, name)


def lossless_codec(transform: ValuesTransform, fitted: SymbolModel, symbols: Symbols, name: str) -> Codec:
    """The codec of a model that was fitted to (n, c) symbols, n >= 1, under its name."""
    bits = float(fitted.code_length(symbols[spread_rows(len(symbols), MEASURED)]).mean())
    provenance = {"model": name, "samples": len(symbols), "bits_per_value": bits / transform.dimension}
    return codec_of(fitted, transform, provenance)


def codec_of(model: SymbolModel, transform: ValuesTransform, provenance: dict[str, Any]) -> Codec:
    """The lossless codec of a model of a transform's symbols."""
    columns = transform.columns
    layer = Layer(BASE, transform, WholeNumbers(columns), model, np.empty((0, columns), np.float32))
    return Codec("values", (layer,), provenance=provenance)
