"""Peers: other ways to store feature vectors, behind one small protocol, so that one run measures them all.

        fit set --> Peer.fit --> FittedPeer.encode_decode(features) --> decoded features, bits per sample

A peer sees exactly what a taskcodec codec sees: unlabelled features and augmented views of some of them. Bits are
counted from the bytes that the peer really writes per sample, with any scale or offset it stores per vector. What is
stored once (codebooks, rotation, tables) is left out for all alike. A taskcodec codec joins by wearing the protocol.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from taskcodec.errors import UsageError

Float32s = npt.NDArray[np.float32]
Returned = tuple[Float32s, float]
"""Features (n, d) as they come back, (n, d) float32, and the mean bits a sample that were really written."""
CHUNK_ROWS = 1024  # a store's default


@dataclass(frozen=True, eq=False)
class FitSet:
    """What a codec may be fitted on, all without labels.

    Attributes:
        features: (n, d) float32 samples like those to be coded.
        background: (b, d) further samples of other origin; b may be 0.
        views: (v, m, d) v augmented views of each of m images; v may be 0.
    """

    features: Float32s
    background: Float32s
    views: Float32s

    def __post_init__(self) -> None:
        shapes = self.features.shape, self.background.shape, self.views.shape
        if [len(shape) for shape in shapes] != [2, 2, 3] or len({shape[-1] for shape in shapes}) != 1:
            raise UsageError(f"fit set: needs arrays (n, d), (b, d) and (v, m, d), found {shapes}")

    @property
    def pooled(self) -> Float32s:
        """(N, d) the features with the background, or with all the views where there is no background."""
        return np.concatenate([self.features, self.background]) if len(self.background) else self.own

    @property
    def own(self) -> Float32s:
        """(N, d) the features, alone where there is a background, else with all the views."""
        if len(self.background):
            return self.features
        return np.concatenate([self.features, self.views.reshape(-1, self.features.shape[1])])


def alone(features: Float32s) -> FitSet:
    """A fit set of features without background and views."""
    return FitSet(features, features[:0], features[None, :0])


class FittedPeer(Protocol):
    """A codec that is ready to code features."""

    def encode_decode(self, features: Float32s, /) -> Returned: ...


@dataclass(frozen=True, eq=False)
class Fitted:
    """A fitted peer that is a function."""

    encode_decode: Callable[[Float32s], Returned]


class Peer(Protocol):
    """A way to make a codec. `name` is the curve it belongs to, `setting` its point on the curve."""

    @property
    def name(self) -> str: ...
    @property
    def setting(self) -> str: ...
    def fit(self, fit_set: FitSet) -> FittedPeer:
        """Fit without labels."""


def returned(decoded: npt.NDArray[Any], coded: npt.NDArray[Any]) -> Returned:
    """What came back of (n, c) numbers of which all bytes are written."""
    return decoded.astype(np.float32, copy=False), 8.0 * coded.nbytes / len(coded)


def in_blocks(features: Float32s, code: Callable[[Float32s], tuple[Float32s, int]]) -> Returned:
    """Code blocks of a store's default length. code: a block -> what comes back, and the bytes that it took."""
    blocks = (features[start : start + CHUNK_ROWS] for start in range(0, len(features), CHUNK_ROWS))
    parts, sizes = zip(*map(code, blocks), strict=True)
    return np.concatenate(parts), 8.0 * sum(sizes) / len(features)
