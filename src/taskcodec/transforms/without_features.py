"""What transforms of pictures have in common: features there are none."""

from typing import Self

from taskcodec.errors import UsageError
from taskcodec.transforms.affine import AffineTransform

NO_FEATURES = "a codec of pictures: they have no features; take what decompress gives, or a layer of a store of them"


class WithoutFeatures:
    """A transform of pixels, as others see it that ask for features."""

    @property
    def of_features(self) -> Self:
        """What is left to do with pixels: all of it."""
        return self

    @property
    def dimension(self) -> int:
        """No number of features. Raises UsageError."""
        raise UsageError(NO_FEATURES)

    @property
    def affine(self) -> AffineTransform:
        """No map of features. Raises UsageError."""
        raise UsageError(NO_FEATURES)
