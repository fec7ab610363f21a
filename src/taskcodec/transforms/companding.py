"""Companding: a fixed, invertible curve for each feature before the linear transform.

Pooled activations are non-negative and skewed: most are small, a few are large. A uniform step after a square root
spends its levels where the features are dense (companding and uniform quantization approximate the optimal scalar
quantizer at high rate; Bennett, "Spectra of quantized signals", 1948).
"""

from collections.abc import Callable
from typing import Literal

import numpy as np
import numpy.typing as npt

Features = npt.NDArray[np.float32]
CompandingKind = Literal["identity", "sqrt"]
COMPANDINGS: tuple[CompandingKind, ...] = ("identity", "sqrt")


def compand(x: Features, kind: CompandingKind) -> Features:
    """Apply the curve. Shape kept, float32 in and out; negative inputs keep their sign."""
    return _FORWARD[kind](x)


def expand(y: Features, kind: CompandingKind) -> Features:
    """Invert `compand`."""
    return _INVERSE[kind](y)


def choose_companding(x: Features) -> CompandingKind:
    """`sqrt` for non-negative features (pooled activations), `identity` for signed ones (projections, text)."""
    return "sqrt" if x.size and float(x.min()) >= 0.0 else "identity"


def _signed_sqrt(x: Features) -> Features:
    return np.sign(x) * np.sqrt(np.abs(x))


def _signed_square(y: Features) -> Features:
    return y * np.abs(y)


def _identity(x: Features) -> Features:
    return x


_FORWARD: dict[CompandingKind, Callable[[Features], Features]] = {"identity": _identity, "sqrt": _signed_sqrt}
_INVERSE: dict[CompandingKind, Callable[[Features], Features]] = {"identity": _identity, "sqrt": _signed_square}
