"""Which layers make a codec, and whether what it is given is whole."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from taskcodec.coding.models.overfitted.model import OverfittedTables
from taskcodec.coding.symbol_model import Symbols
from taskcodec.errors import CorruptFileError, MismatchError
from taskcodec.layer import Layer, OfPictures, columns_of
from taskcodec.quantization.uniform import UniformQuantizer
from taskcodec.quantization.whole import WholeNumbers
from taskcodec.stack.values import check_values
from taskcodec.transforms.overfitted.transform import OverfittedTransform
from taskcodec.transforms.picture import PictureTransform
from taskcodec.transforms.values.transform import ValuesTransform


def check_layers(layers: Sequence[Layer], domain: str) -> None:
    """Raise CorruptFileError unless these layers go together, as layers of such samples."""
    names = [layer.name for layer in layers]
    if not names or len(set(names)) < len(names):
        raise CorruptFileError("a codec without layers, or with two of one name")
    for place, layer in enumerate(layers):
        below = [layers[names.index(name)] for name in layer.given if name in names[:place]]
        if len(below) < len(layer.given) or layer.model.given_columns not in (0, columns_of(below)):
            raise CorruptFileError(f"layer {layer.name}: the layers that condition it are not below it, or not these")
        if domain == "pictures":
            _check_picture(layer, below)
        elif domain == "values":
            check_values(layers)
        elif isinstance(layer.transform, OfPictures | ValuesTransform):
            raise CorruptFileError(f"layer {layer.name}: a transform of values or of pictures in a codec of others")
        elif layer.transform.dimension != (found := layers[0].transform.dimension):
            raise CorruptFileError(f"layer {layer.name}: {layer.transform.dimension} features, not {found}")


def whole_symbols(symbols: npt.ArrayLike) -> Symbols:
    """Raises MismatchError on what is no array of numbers."""
    try:
        return np.asarray(symbols, dtype=np.int32)
    except (TypeError, ValueError, OverflowError, RuntimeError) as error:
        raise MismatchError(f"symbols should be an (n, columns) array of integers: {error}") from error


def whole_packets(data: Any) -> list[bytes]:
    """Raises MismatchError on what is no sequence of packets."""
    item: Any = data
    try:
        found = list[bytes]()
        for item in data:
            found.append(bytes(memoryview(item)))
        return found
    except TypeError as error:
        words = "a packet is bytes, and many are a sequence of them"
        raise MismatchError(f"{words}: found {type(item).__name__}") from error


def _check_picture(layer: Layer, below: Sequence[Layer]) -> None:
    own, quantizer = layer.transform, layer.quantizer
    if isinstance(own, OverfittedTransform):
        _check_overfitted(layer, own)
        return
    plain = isinstance(quantizer, UniformQuantizer) and not quantizer.points.size
    if not isinstance(own, PictureTransform) or not plain or layer.sketch.size:
        raise CorruptFileError(f"layer {layer.name}: not a layer of pictures")
    if any(isinstance(each.transform, OverfittedTransform) for each in below):
        raise CorruptFileError(f"layer {layer.name}: given one that is overfitted, whose symbols have no places")
    if any(isinstance(each.transform, PictureTransform) and each.transform.stride != own.stride for each in below):
        raise CorruptFileError(f"layer {layer.name}: the layers that condition it have places elsewhere")
    if not own.means_fit(layer.model.given_columns):
        raise CorruptFileError(f"layer {layer.name}: means from outside its tables that are not of its channels")
    if own.given_columns not in (0, sum(each.transform.columns for each in below)):
        raise CorruptFileError(f"layer {layer.name}: its synthesis looks at {own.given_columns} channels, not at these")


def _check_overfitted(layer: Layer, own: OverfittedTransform) -> None:
    """It stands alone: what it has is in its own symbols."""
    tables = layer.model
    if layer.given or not isinstance(layer.quantizer, WholeNumbers) or not isinstance(tables, OverfittedTables):
        raise CorruptFileError(f"layer {layer.name}: not a layer that is overfitted to each picture")
    if tables.plan != own.plan:
        raise CorruptFileError(f"layer {layer.name}: tables of another network than the layer's")
