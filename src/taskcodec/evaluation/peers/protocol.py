"""Peers: other ways to store feature vectors, behind one small protocol, so that one run measures them all.

        fit set --> Peer.fit --> FittedPeer.encode_decode(features) --> decoded features, bits per sample

A peer sees exactly what a taskcodec codec sees: unlabelled features and augmented views of some of them. Bits are
counted from the bytes that the peer really writes per sample, with any scale or offset it stores per vector. What is
stored once (codebooks, rotation, tables) is left out for all alike. A taskcodec codec joins by wearing the protocol.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from taskcodec.coding import SharedTables, Tables, decode_block, encode_block
from taskcodec.errors import UsageError
from taskcodec.fitting.closed_form.rate import search_step
from taskcodec.quantization.uniform import quantize
from taskcodec.transforms.companding import compand, expand

Float32s = npt.NDArray[np.float32]


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


class FittedPeer(Protocol):
    """A codec that is ready to code features."""

    def encode_decode(self, features: Float32s) -> tuple[Float32s, float]:
        """Features (n, d) as they come back, (n, d) float32, and the mean bits a sample that were really written."""


class Peer(Protocol):
    """A way to make a codec. `name` is the curve it belongs to, `setting` its point on the curve."""

    @property
    def name(self) -> str: ...
    @property
    def setting(self) -> str: ...
    def fit(self, fit_set: FitSet) -> FittedPeer:
        """Fit without labels."""


@dataclass(frozen=True)
class Cast:
    """float32 or fp16 values as they are."""

    dtype: str

    @property
    def name(self) -> str:
        return self.dtype

    @property
    def setting(self) -> str:
        return ""

    def fit(self, fit_set: FitSet) -> Cast:
        return self

    def encode_decode(self, features: Float32s) -> tuple[Float32s, float]:
        coded = features.astype(self.dtype)
        return coded.astype(np.float32), 8.0 * coded.nbytes / len(coded)


@dataclass(frozen=True)
class Int8:
    """One byte a dimension between its least and greatest value in the fit set; values outside are clipped."""

    name: str = "int8"
    setting: str = ""

    def fit(self, fit_set: FitSet) -> _FittedInt8:
        pooled = fit_set.pooled
        low = pooled.min(axis=0)
        return _FittedInt8(low, np.maximum(pooled.max(axis=0) - low, np.float32(1e-12)) / np.float32(255))


@dataclass(frozen=True, eq=False)
class _FittedInt8:
    low: Float32s
    step: Float32s

    def encode_decode(self, features: Float32s) -> tuple[Float32s, float]:
        coded = np.clip(np.rint((features - self.low) / self.step), 0, 255).astype(np.uint8)
        return coded * self.step + self.low, 8.0 * coded.nbytes / len(coded)


@dataclass(frozen=True)
class Sign:
    """One bit a dimension: above its fit-set median or not. Decodes to the fit set's mean on that side."""

    name: str = "sign"
    setting: str = ""

    def fit(self, fit_set: FitSet) -> _FittedSign:
        pooled = fit_set.pooled
        threshold = np.median(pooled, axis=0).astype(np.float32)
        above = pooled > threshold
        count = above.sum(axis=0)
        mean_above = (pooled * above).sum(axis=0) / np.maximum(count, 1)
        mean_below = (pooled * ~above).sum(axis=0) / np.maximum(len(pooled) - count, 1)
        return _FittedSign(threshold, mean_below.astype(np.float32), mean_above.astype(np.float32))


@dataclass(frozen=True, eq=False)
class _FittedSign:
    threshold: Float32s
    below: Float32s
    above: Float32s

    def encode_decode(self, features: Float32s) -> tuple[Float32s, float]:
        coded = np.packbits(features > self.threshold, axis=1)
        bits = np.unpackbits(coded, axis=1, count=features.shape[1])
        return np.where(bits, self.above, self.below), 8.0 * coded.nbytes / len(coded)


@dataclass(frozen=True)
class Faiss:
    """A faiss codec by its factory string, for example "SQ4", "PQ64x8", "OPQ64,PQ64x8", "RQ64x8".

    companded: code the signed square roots instead of the values.
    pooled: train on the background too, where there is one; where the set has less than CENTROIDS, all do.
    most: train on at most this many vectors, evenly picked.
    adjust: sets training parameters on the faiss index before it is trained.
    """

    name: str
    factory: str
    companded: bool = False
    pooled: bool = False
    most: int | None = None
    adjust: Callable[[Any], None] | None = None

    @property
    def setting(self) -> str:
        return self.factory

    def fit(self, fit_set: FitSet) -> _FittedFaiss:
        import faiss

        train = fit_set.pooled if self.pooled or len(fit_set.own) < CENTROIDS else fit_set.own
        if self.most is not None and len(train) > self.most:
            train = train[np.linspace(0, len(train) - 1, self.most).astype(np.intp)]
        index = faiss.index_factory(train.shape[1], self.factory)
        inner = faiss.downcast_index(getattr(index, "index", index))
        if hasattr(inner, "do_polysemous_training"):
            inner.do_polysemous_training = False  # slow, and only serves a search by Hamming distance
        for quantizer in (getattr(inner, name) for name in ("pq", "rq") if hasattr(inner, name)):
            quantizer.cp.min_points_per_centroid = 1  # small collections are what they are: no warning a subspace
        if self.adjust is not None:
            self.adjust(index)
        index.train(np.ascontiguousarray(compand(train, "sqrt") if self.companded else train))
        return _FittedFaiss(index, self.companded)


@dataclass(frozen=True, eq=False)
class _FittedFaiss:
    index: Any
    companded: bool

    def encode_decode(self, features: Float32s) -> tuple[Float32s, float]:
        source = np.ascontiguousarray(compand(features, "sqrt") if self.companded else features)
        coded = self.index.sa_encode(source)
        decoded: Float32s = self.index.sa_decode(coded)
        return expand(decoded, "sqrt") if self.companded else decoded, 8.0 * coded.nbytes / len(coded)


@dataclass(frozen=True)
class UniformStep:
    """One uniform step for all dimensions, a frozen table for each, entropy coded (LCLP's bottleneck, fitted).

    bits: the rate that the step is searched for.
    klt: rotate to the principal axes first.
    refit: centre, step and tables are fitted anew to the features about to be coded, as taskcodec's encoder may do;
        without it they stay as the fit set made them.
    """

    name: str
    bits: float
    klt: bool = False
    companded: bool = False
    refit: bool = False

    @property
    def setting(self) -> str:
        return f"{self.bits:g}"

    def fit(self, fit_set: FitSet) -> _FittedStep:
        own = self._source(fit_set.own)
        basis = np.linalg.eigh(_covariance(own))[1].astype(np.float32) if self.klt else None
        part = own[:: max(1, len(own) // 2000)]
        mean = own.mean(axis=0)
        latent = _rotate(part - mean, basis)
        step, frozen = search_step(latent, self.bits, float(latent.std()), ROUNDING)
        return _FittedStep(self, mean, basis, step, frozen.model, latent[:PRIOR_ROWS])

    def _source(self, features: Float32s) -> Float32s:
        return compand(features, "sqrt") if self.companded else features


@dataclass(frozen=True, eq=False)
class _FittedStep:
    peer: UniformStep
    mean: Float32s
    basis: Float32s | None
    step: float
    tables: Tables | SharedTables
    prior: Float32s

    def encode_decode(self, features: Float32s) -> tuple[Float32s, float]:
        source = self.peer._source(features)
        mean, step, tables = self.mean, self.step, self.tables
        if self.peer.refit:
            mean = source.mean(axis=0)
            latent = _rotate(source - mean, self.basis)
            step, frozen = search_step(latent, self.peer.bits, step, ROUNDING, self.prior)
            tables = frozen.model
        decoded, size = [], 0
        for start in range(0, len(source), CHUNK_ROWS):
            latent = _rotate(source[start : start + CHUNK_ROWS] - mean, self.basis)
            data = encode_block(quantize(latent, step, ROUNDING), tables)
            symbols = decode_block(data, len(latent), tables).astype(np.float32)
            decoded.append(_rotate(symbols * np.float32(step), None if self.basis is None else self.basis.T) + mean)
            size += len(data)
        result = np.concatenate(decoded)
        return expand(result, "sqrt") if self.peer.companded else result, 8.0 * size / len(features)


CENTROIDS = 256  # of a codebook of 8 bits: faiss asks for as many vectors
CHUNK_ROWS = 1024  # a store's default
PRIOR_ROWS = 512
ROUNDING = 0.5  # to the nearest


def _rotate(rows: Float32s, basis: Float32s | None) -> Float32s:
    return rows if basis is None else rows @ basis


def _covariance(rows: Float32s) -> npt.NDArray[np.float64]:
    centred = rows.astype(np.float64) - rows.mean(axis=0, dtype=np.float64)
    return np.asarray(centred.T @ centred / len(rows))


def _short_rotation(index: Any) -> None:
    import faiss

    rotation: Any = faiss.downcast_VectorTransform(index.chain.at(0))
    rotation.niter = 10
    # Its own default, but without a warning a subspace where there are few vectors.
    quantizer = faiss.ProductQuantizer(rotation.d_out, rotation.M, 8)
    quantizer.cp.min_points_per_centroid = 1
    rotation.pq = quantizer
    index.referenced_objects = [quantizer]  # faiss does not own it: it lives as long as the index


def _short_residual(index: Any) -> None:
    import faiss

    residual: Any = faiss.downcast_index(index.index)
    quantizer = residual.rq
    quantizer.train_type = faiss.ResidualQuantizer.Train_default
    quantizer.max_beam_size = 1
    quantizer.cp.niter = 10


CODEBOOKS = (16, 32, 64, 128)  # of 256 entries: 128, 256, 512 and 1024 bits
STEP_BITS = (128.0, 192.0, 256.0, 384.0, 512.0, 768.0, 1024.0, 1536.0)


def standard_peers(step_bits: Sequence[float] = STEP_BITS) -> list[Peer]:
    """The peers of the benchmark, each in the variant that predicts best here. step_bits: rates of those that have any.

    Tuned once on six sets (EfficientNet-Lite0 features, 1,000 photographs as background, three splits):
    - Square-root companding lowers PQ, RQ and the plain step by 0.5 to 1 point and lifts SQ4 and the KLT.
    - Without a background, training on views as well lifts PQ by 0.6 and RQ by 9 points.
    - OPQ reducing to 256 dimensions beats rotating all (+2 points at 256 bits); 20 rotations add nothing to 10.
    - Fitted to a set, its own images alone are better than a background beside them: for PQ by 0.1 to 0.9, OPQ 0.5 to
      1.3, PCA 0.3 to 1.9, the KLT up to 0.3 below 900 bits; RQ and LSQ lose 0.4 to 3.9 without one.
    - RQ after a PCA to 256 dimensions beats RQ on all (+0.5) in a sixth of the time; a beam of 5 adds nothing, and
      faiss's progressive training of the dimensions costs 1 point at 1024 bits.
    """
    peers: list[Peer] = [Cast("float32"), Cast("float16"), Int8(), Sign()]
    peers += [Faiss(name, name, companded=True, pooled=True) for name in ("SQ8", "SQ4")]
    peers += [Faiss("PQ", f"PQ{m}x8") for m in CODEBOOKS]
    peers += [Faiss("OPQ", f"OPQ{m}_256,PQ{m}x8", most=5000, adjust=_short_rotation) for m in CODEBOOKS]
    peers += [Faiss("RQ", f"PCA256,RQ{m}x8", pooled=True, most=9000, adjust=_short_residual) for m in CODEBOOKS]
    peers += [UniformStep("KLT", bits, klt=True, companded=True, refit=True) for bits in step_bits]
    peers += [UniformStep("step", bits, refit=True) for bits in step_bits]
    peers += [UniformStep("step, tables as shipped", bits) for bits in step_bits]
    return peers
