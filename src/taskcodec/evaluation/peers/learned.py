"""LCLP's learned bottleneck as a peer: that of `taskcodec.fitting.gradient.learned_bottleneck`."""

from __future__ import annotations

from dataclasses import dataclass

from taskcodec.evaluation.peers.own import FittedCodec
from taskcodec.evaluation.peers.protocol import FitSet


@dataclass(frozen=True)
class LearnedBottleneck:
    """LCLP's learned bottleneck, trained on the fit set.

    share: beta, the L1 distortion that a bit is worth, as a share of the features' standard deviation, so that one
        sweep serves any backbone.
    refit: refit centre and tables to the features about to be coded, as `encode` does for our own codecs; without it
        they stay as they were learned, which is what the paper does.
    max_steps: gradient steps in each of three stages, at most.
    """

    share: float
    refit: bool = False
    max_steps: int = 400

    @property
    def name(self) -> str:
        return "LCLP learned, refitted" if self.refit else "LCLP learned"

    @property
    def setting(self) -> str:
        return f"beta {self.share:g}"

    def fit(self, fit_set: FitSet) -> FittedCodec:
        """Takes about a minute of one core for 1,280 dimensions."""
        from taskcodec.fitting.gradient.learned_bottleneck import fit_learned_bottleneck

        pooled = fit_set.pooled
        codec = fit_learned_bottleneck(pooled, self.share * float(pooled.std()), max_steps=self.max_steps)
        return FittedCodec(codec, self.refit)
