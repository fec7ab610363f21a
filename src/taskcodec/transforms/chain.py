"""A learned analysis before an affine transform: what the affine one calls features is what g_a makes of a sample.

x --g_a--> features --affine--> y          analysis
           features <--affine-- y          synthesis: predictors read features; g_s makes pictures of them
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from taskcodec.errors import needing_packages
from taskcodec.transforms.affine import AffineTransform, Matrix
from taskcodec.transforms.networks.carried import Networks


@dataclass(frozen=True, eq=False)
class Chain:
    """See the module. In the copy that a store keeps g_a is missing, and features come from elsewhere.

    Attributes:
        networks: g_a, g_s, either or both.
        affine: what follows g_a.
    """

    networks: Networks
    affine: AffineTransform

    def __getstate__(self) -> dict[str, Any]:
        # A running network cannot always be pickled; a copy makes its own.
        return {name: value for name, value in vars(self).items() if name != "_run_g_a"}

    @property
    def dimension(self) -> int:
        """d, the number of features."""
        return self.affine.dimension

    @property
    def columns(self) -> int:
        """k, the number of latent columns."""
        return self.affine.columns

    @property
    def of_features(self) -> AffineTransform:
        """What is left to do with what g_a gave."""
        return self.affine

    def features(self, vectors: Matrix) -> Matrix:
        """(n, inputs) vectors -> (n, d) what g_a makes of them. Needs torch."""
        return np.asarray(self._run_g_a(vectors), dtype=np.float32)

    def analyse(self, vectors: npt.ArrayLike, below: Matrix | None = None) -> Matrix:
        """(n, inputs) vectors -> (n, k) latent."""
        return self.affine.analyse(self.features(np.asarray(vectors, dtype=np.float32)))

    def synthesise(self, latent: Matrix, below: Matrix | None = None) -> Matrix:
        """(n, k) latent -> (n, d) features."""
        return self.affine.synthesise(latent)

    # Imported where it is needed, so that decoding, and coding features, never imports torch.
    @cached_property
    def _run_g_a(self) -> Callable[[Matrix], Matrix]:
        with needing_packages():
            from taskcodec.transforms.backbones.learned import on_vectors

        assert self.networks.g_a is not None
        return on_vectors(self.networks.g_a)
