"""More peers, in the protocol of `taskcodec.evaluation.peers.protocol`: PCA truncation, additive quantization, a
general compressor over plain casts, and LCLP's learned bottleneck.

zstd takes bytes that were cast before; it sees blocks of a store's default length, column after column, which packs
better than row after row. LSQ is local search quantization (Martinez et al., "LSQ++", ECCV 2018). The learned
bottleneck is that of `taskcodec.fitting.gradient.learned_bottleneck`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from taskcodec.codec import Codec
from taskcodec.evaluation.peers.own import FittedCodec
from taskcodec.evaluation.peers.protocol import CHUNK_ROWS, Faiss, FitSet, FittedPeer, Float32s, Int8, Peer
from taskcodec.fitting import adapt

Stored = Literal["float16", "int8"]


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

    def fit(self, fit_set: FitSet) -> _FittedPca:
        """At most as many components as the fit set has dimensions or samples are kept."""
        own = fit_set.own.astype(np.float64)
        mean = own.mean(axis=0)
        axes = np.linalg.eigh((own - mean).T @ (own - mean))[1][:, ::-1][:, : min(self.kept, len(own))]
        basis = axes.astype(np.float32)
        inner = None
        if self.stored == "int8":
            latent = ((own - mean) @ axes).astype(np.float32)
            inner = Int8().fit(FitSet(latent, latent[:0], latent[None, :0]))
        return _FittedPca(mean.astype(np.float32), basis, inner)


@dataclass(frozen=True, eq=False)
class _FittedPca:
    mean: Float32s
    basis: Float32s
    inner: FittedPeer | None

    def encode_decode(self, features: Float32s) -> tuple[Float32s, float]:
        latent = np.asarray((features - self.mean) @ self.basis, dtype=np.float32)
        if self.inner is None:
            coded = latent.astype(np.float16)
            decoded, bits = coded.astype(np.float32), 8.0 * coded.nbytes / len(coded)
        else:
            decoded, bits = self.inner.encode_decode(latent)
        return decoded @ self.basis.T + self.mean, bits


@dataclass(frozen=True)
class Zstandard:
    """zstd at its level 19 over float16 values, or over bytes of `Int8`'s scale."""

    stored: Stored
    setting: str = "level 19"

    @property
    def name(self) -> str:
        return f"zstd {self.stored}"

    def fit(self, fit_set: FitSet) -> _FittedZstandard:
        """float16 needs nothing; int8 takes each column's extremes, as `Int8` does."""
        if self.stored == "float16":
            return _FittedZstandard(None, None)
        inner = Int8().fit(fit_set)
        return _FittedZstandard(inner.low, inner.step)


@dataclass(frozen=True, eq=False)
class _FittedZstandard:
    low: Float32s | None
    step: Float32s | None

    def encode_decode(self, features: Float32s) -> tuple[Float32s, float]:
        from numcodecs import Zstd  # comes with zarr

        if self.low is None or self.step is None:
            cast: Any = features.astype(np.float16)
        else:
            cast = np.clip(np.rint((features - self.low) / self.step), 0, 255).astype(np.uint8)
        packer, size, parts = Zstd(level=19), 0, []
        for start in range(0, len(cast), CHUNK_ROWS):
            block = cast[start : start + CHUNK_ROWS]
            data = packer.encode(np.ascontiguousarray(block.T))
            size += len(data)
            back = np.frombuffer(packer.decode(data), dtype=cast.dtype).reshape(block.shape[::-1]).T
            parts.append(back.astype(np.float32))
        decoded = np.concatenate(parts)
        if self.low is not None and self.step is not None:
            decoded = decoded * self.step + self.low
        return decoded, 8.0 * size / len(features)


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

    def fit(self, fit_set: FitSet) -> FittedPeer:
        """Takes about a minute of one core for 1,280 dimensions."""
        from taskcodec.fitting.gradient.learned_bottleneck import fit_learned_bottleneck

        pooled = fit_set.pooled
        codec = fit_learned_bottleneck(pooled, self.share * float(pooled.std()), max_steps=self.max_steps)
        return _Refitted(codec) if self.refit else FittedCodec(codec, None)


@dataclass(frozen=True, eq=False)
class _Refitted:
    codec: Codec

    def encode_decode(self, features: Float32s) -> tuple[Float32s, float]:
        return FittedCodec(adapt(self.codec, features), None).encode_decode(features)


def _few_iterations(index: Any) -> None:
    import faiss

    inner: Any = faiss.downcast_index(index.index)
    quantizer = inner.lsq
    quantizer.train_iters, quantizer.train_ils_iters, quantizer.encode_ils_iters = 6, 2, 4


PCA_KEPT = {"float16": (8, 16, 32, 64), "int8": (16, 32, 64, 128)}  # both 128, 256, 512 and 1024 bits
LSQ_CODEBOOKS = (32, 64, 128)  # of 16 entries: 128, 256 and 512 bits
SHARES = (0.3, 0.5, 1.0, 2.0, 3.5, 6.0)  # about 1,550 to 200 bits on lite0 features


def more_peers() -> list[Peer]:
    """The further peers of the benchmark.

    LSQ with codebooks of 256 entries fits as many free vectors as a small fit set has samples (its error on unseen
    samples is then worse than PQ's) and takes hours, since its codebooks are solved for together; codebooks of 16
    entries after a PCA to 256 dimensions take seconds to minutes.
    """
    peers: list[Peer] = [PcaTruncation(kept, "float16") for kept in PCA_KEPT["float16"]]
    peers += [PcaTruncation(kept, "int8") for kept in PCA_KEPT["int8"]]
    peers += [Faiss("LSQ", f"PCA256,LSQ{m}x4", pooled=True, most=9000, adjust=_few_iterations) for m in LSQ_CODEBOOKS]
    peers += [Zstandard("float16"), Zstandard("int8")]
    peers += [LearnedBottleneck(share, refit) for refit in (False, True) for share in SHARES]
    return peers
