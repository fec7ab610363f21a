"""The closed-form analysis and synthesis transforms: companding, centring, and a linear map.

    x --compand--> u --(u - centre) @ analysis / scale--> y        (analysis)
    x <--expand--- u <--(y * scale) @ synthesis + centre-- y        (synthesis)

With no matrices, the linear map is the identity and each column of `y` is one feature. `sqrt` companding is used for
non-negative features only, so its inverse clips at zero: a square must not turn a small negative into a positive.
Features of norm 1 can be given back with norm 1: what quantization takes from them first is their length.
"""

from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from taskcodec.errors import CorruptFileError, MismatchError
from taskcodec.transforms.axes import Axes
from taskcodec.transforms.companding import COMPANDINGS, CompandingKind, compand, expand

Matrix = npt.NDArray[np.float32]
_SHORTEST = np.float32(1e-30)
"""A vector of zeros stays one, whatever its norm should be."""


@dataclass(frozen=True, eq=False)
class AffineTransform:
    """Companding, centring and a linear map, with its inverse.

    Attributes:
        companding: the curve applied to each feature first.
        centre: (d,) subtracted after companding.
        scale: (k,) each column of the latent is divided by it, so that one step serves all columns.
        analysis_matrix: (d, k) or None for the identity (then k = d).
        synthesis_matrix: (k, d) or None for the identity.
        axes: instead of both matrices, the axes that they follow from.
        unit_norm: features are given back with norm 1.
    """

    companding: CompandingKind
    centre: Matrix
    scale: Matrix
    analysis_matrix: Matrix | None = field(default=None)
    synthesis_matrix: Matrix | None = field(default=None)
    axes: Axes | None = field(default=None)
    unit_norm: bool = field(default=False)

    def __post_init__(self) -> None:
        d, k = self.centre.size, self.scale.size
        if self.companding not in COMPANDINGS:
            raise CorruptFileError(f"companding {self.companding!r} is not one of {', '.join(COMPANDINGS)}")
        if (self.scale <= 0).any():
            raise CorruptFileError("a scale of the transform is not positive")
        matrices = (self.analysis_matrix, self.synthesis_matrix)
        if self.axes is not None:
            if self.axes.integers.shape != (d, k) or any(m is not None for m in matrices):
                raise CorruptFileError(f"a transform from {d} to {k} columns needs as many axes, and no matrices")
        elif any(m is None for m in matrices):
            if not (all(m is None for m in matrices) and d == k):
                raise CorruptFileError(f"a transform from {d} to {k} columns needs both of its matrices")
        elif matrices[0].shape != (d, k) or matrices[1].shape != (k, d):  # type: ignore[union-attr]
            raise CorruptFileError("the shapes of the transform's matrices do not fit its centre and scale")

    @property
    def dimension(self) -> int:
        """d, the number of features."""
        return int(self.centre.size)

    @property
    def columns(self) -> int:
        """k, the number of latent columns."""
        return int(self.scale.size)

    @property
    def affine(self) -> "AffineTransform":
        """Itself: the closed-form part that every transform has."""
        return self

    @property
    def of_features(self) -> "AffineTransform":
        """Itself: it has no network before it."""
        return self

    def analyse(self, features: npt.ArrayLike, below: Matrix | None = None) -> Matrix:
        """(n, d) features -> (n, k) latent, whatever lies below. Raises MismatchError on another dimension."""
        x = np.asarray(features, dtype=np.float32)
        if x.ndim != 2 or x.shape[1] != self.dimension:
            raise MismatchError(f"expected features of shape (n, {self.dimension}), found {x.shape}")
        u = compand(x, self.companding) - self.centre
        matrix = self.analysis_matrix if self.axes is None else self.axes.analysis
        if matrix is not None:
            u = u @ matrix
        return np.asarray(u / self.scale, dtype=np.float32)

    def synthesise(self, latent: Matrix, below: Matrix | None = None) -> Matrix:
        """(n, k) latent -> (n, d) features, whatever lies below."""
        u = latent * self.scale
        matrix = self.synthesis_matrix if self.axes is None else self.axes.synthesis
        if matrix is not None:
            u = u @ matrix
        u += self.centre
        if self.companding == "sqrt":
            np.maximum(u, 0.0, out=u)
        x = np.asarray(expand(u, self.companding), dtype=np.float32)
        if self.unit_norm:
            x /= np.maximum(np.linalg.norm(x, axis=1, keepdims=True), _SHORTEST)
        return x

    def take(self, keep: npt.NDArray[np.intp]) -> "AffineTransform":
        """Some columns of the latent, of a transform with a linear map."""
        if self.axes is not None:
            return replace(self, scale=self.scale[keep], axes=self.axes.take(keep))
        assert self.analysis_matrix is not None
        assert self.synthesis_matrix is not None
        analysis, synthesis = self.analysis_matrix[:, keep], self.synthesis_matrix[keep]
        return replace(self, scale=self.scale[keep], analysis_matrix=analysis, synthesis_matrix=synthesis)


def outside_share(transform: AffineTransform, features: npt.ArrayLike) -> float:
    """The share of the variance of companded (n, d) features that is lost in (k < d) directions, before any rounding.

    0 where nothing is dropped or nothing varies; above 1 where the features lie far from the centre as well.
    """
    if transform.columns == transform.dimension:
        return 0.0
    companded = compand(np.asarray(features, dtype=np.float32), transform.companding)
    kept = compand(transform.synthesise(transform.analyse(features)), transform.companding)
    lost = float(np.square(companded - kept, dtype=np.float64).sum())
    varies = float(np.square(companded - companded.mean(axis=0), dtype=np.float64).sum())
    return lost / varies if varies else 0.0
