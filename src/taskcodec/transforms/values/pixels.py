"""Pictures of one size, pixel by pixel: grey or in colours, of 8 or 16 bits.

pixels (n, H, W) or (n, H, W, channels) --bytes of each, the high one first--> symbols (n, c) of 0 to 255
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from taskcodec.errors import CorruptFileError, MismatchError
from taskcodec.transforms.values.transform import Symbols, ValuesTransform

MAX_COLUMNS = 2**14
"""Bytes of a picture, at most: lossless codecs are for small ones."""
_CHANNELS = {0: "grey", 2: "grey and alpha", 3: "RGB", 4: "RGB and alpha"}


@dataclass(frozen=True)
class PixelValues(ValuesTransform):
    """See the module.

    Attributes:
        shape: of a picture, (H, W) or (H, W, channels).
        depth: bits of a number, 8 or 16.
    """

    kind = "pixels"

    shape: tuple[int, ...]
    depth: int = 8

    def __post_init__(self) -> None:
        if fault := fault_of(self.shape, self.depth):
            raise CorruptFileError(f"a picture {fault}")

    @property
    def columns(self) -> int:
        """Bytes of a picture."""
        return self.dimension * self.depth // 8

    @property
    def dimension(self) -> int:
        """Numbers of a picture."""
        return int(np.prod(self.shape))

    @property
    def byte_shape(self) -> tuple[int, int, int]:
        """(H, W, bytes of a pixel): the symbols of a picture in that shape."""
        height, width, *channels = self.shape
        return height, width, (channels[0] if channels else 1) * self.depth // 8

    @property
    def words(self) -> str:
        """Such as "pictures of 28x28 pixels, grey of 8 bits"."""
        height, width, *channels = self.shape
        return f"pictures of {width}x{height} pixels, {_CHANNELS[channels[0] if channels else 0]} of {self.depth} bits"

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of pixels: uint8 or uint16."""
        return np.dtype(f"u{self.depth // 8}")

    def gathered(self, samples: Any) -> tuple[Any, bool]:
        """One picture, or many in an array or a sequence -> (n, *shape), and whether it was one."""
        try:
            pixels = np.asarray(samples)
        except ValueError as error:  # of arrays of different shapes
            raise MismatchError(f"{self.words} are expected, found others among them ({error})") from error
        alone = pixels.ndim == len(self.shape)
        return (pixels[None] if alone else pixels), alone

    def to_symbols(self, values: Any) -> Symbols:
        """(n, *shape) unsigned integers of this depth -> (n, c). Raises MismatchError on other pictures."""
        pixels = np.asarray(values)
        if pixels.ndim < 2 or pixels.shape[1:] != self.shape or pixels.dtype != self.dtype:
            raise MismatchError(f"{self.words} are expected, found {pixels.dtype} {pixels.shape[1:]}")
        big = np.ascontiguousarray(pixels, self.dtype.newbyteorder(">"))
        return big.view(np.uint8).reshape(len(pixels), self.columns).astype(np.int32)

    def to_values(self, symbols: Symbols) -> npt.NDArray[Any]:
        """(n, c) -> (n, *shape), as they were. Raises CorruptFileError on what is no byte."""
        s = np.asarray(symbols)
        if s.ndim != 2 or s.shape[1] != self.columns or ((s < 0) | (s > 255)).any():
            raise CorruptFileError(f"symbols {s.shape} that are not the bytes of {self.words}")
        big = s.astype(np.uint8).reshape(-1).view(self.dtype.newbyteorder(">"))
        return big.reshape(len(s), *self.shape).astype(self.dtype)

    def manifest(self) -> dict[str, Any]:
        """Plain JSON for the codec's manifest."""
        return {"kind": self.kind, "shape": list(self.shape), "depth": self.depth}

    @classmethod
    def read(cls, described: Mapping[str, Any], tensors: Mapping[str, npt.NDArray[Any]]) -> Self:
        """Invert `manifest`. Raises KeyError, TypeError or CorruptFileError on anything else."""
        shape, depth = described["shape"], described["depth"]
        if not isinstance(shape, list) or any(type(each) is not int for each in (*shape, depth)):
            raise TypeError("the shape and depth of its pictures, which should be whole numbers")
        return cls(tuple(shape), depth)


def fault_of(shape: tuple[int, ...], depth: int) -> str:
    """Why pictures of a shape and depth are none of ours, "" where they are."""
    if len(shape) not in (2, 3) or min(shape, default=0) < 1 or depth not in (8, 16):
        return f"of shape {shape} and {depth} bits"
    if len(shape) == 3 and shape[2] not in _CHANNELS:
        return f"of {shape[2]} channels, where 2, 3 or 4 are known, and grey ones have no axis for them"
    size = int(np.prod(np.array(shape, dtype=object))) * depth // 8
    return f"of {size:,} bytes, where lossless codecs take at most {MAX_COLUMNS:,}" if size > MAX_COLUMNS else ""
