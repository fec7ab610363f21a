"""`ValueCoder`: what makes the symbols of a store of values from picture files, in the place of a backbone."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy.typing as npt

from taskcodec.errors import SourceError, UsageError
from taskcodec.transforms.spec import BackboneSpec
from taskcodec.transforms.values.pixels import PixelValues, fault_of

if TYPE_CHECKING:
    from taskcodec.codec import Codec
    from taskcodec.transforms.pictures.exact import ExactPixels

Pixels = npt.NDArray[Any]
NO_BACKBONE = BackboneSpec("values", "0" * 64, 0)


class PixelReader:
    """Pixels of files as they are, whatever their size; what fits of these a codec is made for.

    `fits` picks what is kept; None keeps all that a lossless codec may be for.
    """

    def __init__(self, fits: PixelValues | None = None) -> None:
        self.fits = fits

    def read(self, file: Any) -> ExactPixels:
        """A file, by path or bytes. Raises SourceError, also where its pixels do not fit."""
        from taskcodec.transforms.pictures.exact import read_exact  # which needs Pillow

        found = read_exact(file)
        own = kind_of(found.pixels)
        if self.fits is None and (fault := fault_of(*own)):
            raise SourceError(f"a picture {fault}")
        if self.fits is not None and own != (self.fits.shape, self.fits.depth):
            raise SourceError(f"a picture of {own[0]} and {own[1]} bits: the codec is for {self.fits.words}")
        return found


class PlainReader:
    """Reads pixels, and makes nothing of them.

    Args:
        preprocess: what reads.
    """

    spec = NO_BACKBONE

    def __init__(self, preprocess: Any) -> None:
        self.preprocess = preprocess

    def __call__(self, batch: Any) -> Any:
        """Pixels as they are."""
        return batch


class ValueCoder:
    """Pixels -> symbols.

    Args:
        transform: the codec's.
    """

    spec = NO_BACKBONE
    preprocess: Any

    def __init__(self, transform: PixelValues) -> None:
        self.transform, self.preprocess = transform, PixelReader(transform)

    def __call__(self, batch: Any) -> Any:
        """(m, *shape) pixels -> (m, c)."""
        return self.transform.to_symbols(batch)


def value_coder(codec: Codec) -> ValueCoder:
    """What makes symbols for a lossless codec. Raises UsageError where its samples are no pictures."""
    transform = codec.values.transform
    if not isinstance(transform, PixelValues):
        raise UsageError(f"a lossless codec for {transform.words}: it takes no images")
    return ValueCoder(transform)


def kind_of(pixels: Pixels) -> tuple[tuple[int, ...], int]:
    """The shape of a picture, and the bits of its numbers."""
    return pixels.shape, 8 * pixels.dtype.itemsize


def commonest(pictures: list[Pixels]) -> PixelValues | None:
    """What most of these pictures are; None where there is none."""
    counts = Counter(map(kind_of, pictures)).most_common(1)
    return PixelValues(*counts[0][0]) if counts else None
