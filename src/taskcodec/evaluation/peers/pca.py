"""PCA truncation as a peer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from taskcodec.evaluation.peers.protocol import FitSet, Fitted, Float32s, Returned, alone
from taskcodec.evaluation.peers.scalar import Cast, Int8, Stored


@dataclass(frozen=True)
class PcaTruncation:
    """The first `kept` principal components, each stored as float16, or as int8 between its extremes in the fit set."""

    kept: int
    stored: Stored

    @property
    def name(self) -> str:
        return f"PCA {self.stored}"

    @property
    def setting(self) -> str:
        return f"{self.kept}"

    def fit(self, fit_set: FitSet) -> Fitted:
        """At most as many components as the fit set has dimensions or samples are kept."""
        own = fit_set.own.astype(np.float64)
        mean = own.mean(axis=0)
        axes = np.linalg.eigh((own - mean).T @ (own - mean))[1][:, ::-1][:, : min(self.kept, len(own))]
        centre, basis = mean.astype(np.float32), axes.astype(np.float32)
        inner = Cast("float16") if self.stored == "float16" else Int8()
        numbers = inner.fit(alone(((own - mean) @ axes).astype(np.float32)))

        def encode_decode(features: Float32s) -> Returned:
            latent, bits = numbers.encode_decode(np.asarray((features - centre) @ basis, dtype=np.float32))
            return latent @ basis.T + centre, bits

        return Fitted(encode_decode)
