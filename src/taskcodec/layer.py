"""`Layer`: what turns features into symbols and back, alone or on top of the layers below.

    features (n, d) --analyse--> latent (n, k) --choose--> symbols (n, k) --model--> bits
    features (n, d) <-synthesise- latent (n, k) <-dequantize- symbols (n, k) <--model-- bits

Of pictures the latent has places, (1, k, h, w), and so have its symbols; pixels (1, 3, H, W) stand for features, and
what lies below is what layers below dequantize to, side by side. Of lossless codecs values stand for features, and
symbols follow from them without a latent in between: `taskcodec.stack.values`.

An enhancement layer may look at the symbols of layers below (its model does) and at what they decode to (its transform
does); it names them, and is decoded after them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from taskcodec.coding.symbol_model import Given, SymbolModel, Symbols
from taskcodec.errors import CorruptFileError, UsageError
from taskcodec.quantization.dependent import DependentQuantizer
from taskcodec.quantization.uniform import UniformQuantizer
from taskcodec.quantization.whole import WholeNumbers
from taskcodec.transforms.affine import AffineTransform
from taskcodec.transforms.chain import Chain
from taskcodec.transforms.overfitted.transform import OverfittedTransform
from taskcodec.transforms.picture import PictureTransform
from taskcodec.transforms.residual import Residual
from taskcodec.transforms.values.transform import ValuesTransform

Floats = npt.NDArray[np.float32]
OfVectors: TypeAlias = AffineTransform | Residual | Chain
OfPictures: TypeAlias = PictureTransform | OverfittedTransform
Transform: TypeAlias = OfVectors | OfPictures | ValuesTransform
Quantizer: TypeAlias = UniformQuantizer | DependentQuantizer | WholeNumbers
BASE = "base"
"""The name of the lowest layer, and of the only one."""


@dataclass(frozen=True, eq=False)
class Layer:
    """One layer of a codec.

    Attributes:
        name: what it is called in files and in `upto=`.
        transform: features <-> latent.
        quantizer: latent <-> symbols.
        model: symbols <-> bits; its side information is its own affair.
        sketch: (size, k) quantiles of the latent's density, by which another rate can be set; (0, k) where it has none.
        given: the layers below that its model and its transform are conditional on, in their order; what the last of
            them decodes to is what lies below.
    """

    name: str
    transform: Transform
    quantizer: Quantizer
    model: SymbolModel
    sketch: Floats
    given: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        k = self.transform.columns
        side = self.model.columns - self.model.without_side(np.empty((0, self.model.columns), np.int32)).shape[1]
        if self.model.columns - side != k or self.sketch.ndim != 2 or self.sketch.shape[1] != k:
            raise CorruptFileError(f"the tables or the sketch of the codec do not have its {k} columns")
        if isinstance(self.transform, Residual) and not self.given:
            raise CorruptFileError(f"layer {self.name}: what a layer below left, but it names none")
        if self.quantizer.columns != k:
            raise CorruptFileError("the reconstruction points of the codec do not fit its tables")
        if getattr(self.quantizer, "trellis", None) != getattr(self.model, "trellis", None):
            raise CorruptFileError("a dependent quantizer and its tables go together, and have as many states")

    @property
    def columns(self) -> int:
        """How many symbols a sample has: those of side information, where it has any, before those of the latent."""
        return self.model.columns

    def encode(self, features: Floats, below: Floats | None, given: Given, choose: "Choose") -> Symbols:
        """(n, d) features -> (n, columns) symbols."""
        latent = self.transform.of_features.analyse(features, below)
        return self.model.with_side(choose(self, latent, given))

    def decode(self, symbols: Symbols, below: Floats | None) -> Floats:
        """(n, columns) symbols -> (n, d) features."""
        return self.transform.synthesise(self.quantizer.dequantize(self.model.without_side(symbols)), below)


Choose: TypeAlias = Callable[[Layer, Floats, Given], Symbols]
"""How symbols are chosen: of a layer, (n, k) latent and symbols of the layers that condition it -> (n, k) symbols."""


def columns_of(layers: Sequence[Layer]) -> int:
    """How many symbols a sample has in these layers."""
    return sum(layer.columns for layer in layers)


def needed_of(layers: Sequence[Layer], upto: str | None = None) -> tuple[Layer, ...]:
    """The layer of this name, or the highest, and those that it depends on. Raises UsageError on another name."""
    names = [layer.name for layer in layers]
    if upto is not None and upto not in names:
        raise UsageError(f"layer {upto!r} is none of this codec's: {', '.join(names)}")
    wanted = {names[-1] if upto is None else upto}
    for layer in reversed(layers):
        wanted |= set(layer.given) if layer.name in wanted else set()
    return tuple(layer for layer in layers if layer.name in wanted)


def given_of(layer: Layer, parts: Mapping[str, Symbols]) -> list[Symbols]:
    """The symbols, among those of layers by name, that a layer's model looks at: none where only its synthesis does."""
    return [parts[name] for name in layer.given] if layer.model.given_columns else []


def side_by_side(parts: Mapping[str, Symbols]) -> Symbols:
    """(n, c) symbols of each layer -> (n, columns)."""
    found = list(parts.values())
    return found[0] if len(found) == 1 else np.concatenate(found, axis=1)
