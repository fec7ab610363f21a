"""What a layer below left: an enhancement layer codes the difference between features and what was decoded of them.

x --(- below)--> r --affine--> y          analysis
x <--(+ below)-- r <--affine-- y          synthesis
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from taskcodec.errors import MismatchError
from taskcodec.transforms.affine import AffineTransform, Matrix


@dataclass(frozen=True, eq=False)
class Residual:
    """The affine transform of what is missing from features (n, d) that were decoded already.

    Attributes:
        affine: from differences to the latent, and back.
    """

    affine: AffineTransform

    @property
    def dimension(self) -> int:
        """d, the number of features."""
        return self.affine.dimension

    @property
    def columns(self) -> int:
        """k, the number of latent columns."""
        return self.affine.columns

    @property
    def of_features(self) -> "Residual":
        """Itself: it has no network before it."""
        return self

    def analyse(self, features: npt.ArrayLike, below: Matrix | None = None) -> Matrix:
        """(n, d) features, and what was decoded of them -> (n, k) latent. Raises MismatchError on other shapes."""
        x, decoded = np.asarray(features, dtype=np.float32), _decoded(below)
        if x.shape != decoded.shape:
            raise MismatchError(f"expected features of shape {decoded.shape}, found {x.shape}")
        return self.affine.analyse(x - decoded)

    def synthesise(self, latent: Matrix, below: Matrix | None = None) -> Matrix:
        """Invert `analyse`, up to quantization."""
        return _decoded(below) + self.affine.synthesise(latent)


def _decoded(below: Matrix | None) -> Matrix:
    if below is None:
        raise MismatchError("a residual transform needs what the layer below decodes")
    return below
