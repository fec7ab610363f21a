"""What a lossless codec does: values to symbols and back, with nothing chosen in between.

values of n samples --to_symbols--> symbols (n, c) --model--> packets
values of n samples <--to_values--- symbols (n, c) <--model-- packets
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from taskcodec.coding.symbol_model import Symbols
from taskcodec.errors import CorruptFileError, UsageError
from taskcodec.layer import Layer
from taskcodec.quantization.whole import WholeNumbers
from taskcodec.stack.rows import by_layer, packets_of, symbols_of
from taskcodec.transforms.values.transform import ValuesTransform


@dataclass(frozen=True, eq=False)
class ValueStack:
    """See the module.

    Attributes:
        layers: the one layer of a lossless codec.
    """

    layers: tuple[Layer, ...]

    def __post_init__(self) -> None:
        if not isinstance(self.layers[0].transform, ValuesTransform):
            raise UsageError(
                "not a lossless codec: it gives back features or pictures, not the very values that it was given"
            )

    @property
    def transform(self) -> ValuesTransform:
        """Values <-> symbols."""
        transform = self.layers[0].transform
        assert isinstance(transform, ValuesTransform)
        return transform

    def encode(self, samples: Any) -> Symbols:
        """One sample or many -> (n, c) symbols. Raises MismatchError on samples of another kind."""
        return self.transform.to_symbols(self.transform.gathered(samples)[0])

    def decode(self, symbols: Symbols) -> Any:
        """Invert `encode`, for many. Raises MismatchError on another shape, CorruptFileError on what no values are."""
        return self.transform.to_values(by_layer(symbols, self.layers)[self.layers[0].name])

    def compress(self, samples: Any) -> Any:
        """One sample -> bytes, many -> a list of bytes. Raises MismatchError on samples of another kind."""
        values, alone = self.transform.gathered(samples)
        packets = packets_of(self.transform.to_symbols(values), self.layers)
        return packets[0] if alone else packets

    def decompress(self, packets: Sequence[bytes]) -> Any:
        """Invert `compress`, for many. Raises CorruptFileError on what is no packet of this codec."""
        found = [symbols_of(packet, self.layers, self.layers) for packet in packets]
        columns = self.layers[0].columns
        return self.decode(np.concatenate(found) if found else np.empty((0, columns), np.int32))


def check_values(layers: Sequence[Layer]) -> None:
    """Raise CorruptFileError unless these layers make a lossless codec."""
    only = layers[0]
    if len(layers) > 1 or not isinstance(only.transform, ValuesTransform) or only.given:
        raise CorruptFileError("a lossless codec has one layer, whose symbols are values")
    if not isinstance(only.quantizer, WholeNumbers) or only.sketch.size:
        raise CorruptFileError(f"layer {only.name}: not a layer of a lossless codec")
