"""faiss's codecs as peers: scalar, product, optimised product, residual and local search quantization.

LSQ is local search quantization (Martinez et al., "LSQ++", ECCV 2018).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from taskcodec.evaluation.peers.protocol import FitSet, Fitted, Float32s, Returned, returned
from taskcodec.samples import spread_rows
from taskcodec.transforms.companding import compand, expand

CENTROIDS = 256  # of a codebook of 8 bits: faiss asks for as many vectors


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

    def fit(self, fit_set: FitSet) -> Fitted:
        import faiss

        train = fit_set.pooled if self.pooled or len(fit_set.own) < CENTROIDS else fit_set.own
        if self.most is not None and len(train) > self.most:
            train = train[spread_rows(len(train), self.most)]
        index = faiss.index_factory(train.shape[1], self.factory)
        inner = faiss.downcast_index(getattr(index, "index", index))
        if hasattr(inner, "do_polysemous_training"):
            inner.do_polysemous_training = False  # slow, and only serves a search by Hamming distance
        for quantizer in (getattr(inner, name) for name in ("pq", "rq") if hasattr(inner, name)):
            quantizer.cp.min_points_per_centroid = 1  # small collections are what they are: no warning a subspace
        if self.adjust is not None:
            self.adjust(index)
        index.train(np.ascontiguousarray(compand(train, "sqrt") if self.companded else train))

        def encode_decode(features: Float32s) -> Returned:
            coded = index.sa_encode(np.ascontiguousarray(compand(features, "sqrt") if self.companded else features))
            decoded: Float32s = index.sa_decode(coded)
            return returned(expand(decoded, "sqrt") if self.companded else decoded, coded)

        return Fitted(encode_decode)


def short_rotation(index: Any) -> None:
    import faiss

    rotation: Any = faiss.downcast_VectorTransform(index.chain.at(0))
    rotation.niter = 10
    # Its own default, but without a warning a subspace where there are few vectors.
    quantizer = faiss.ProductQuantizer(rotation.d_out, rotation.M, 8)
    quantizer.cp.min_points_per_centroid = 1
    rotation.pq = quantizer
    index.referenced_objects = [quantizer]  # faiss does not own it: it lives as long as the index


def short_residual(index: Any) -> None:
    import faiss

    residual: Any = faiss.downcast_index(index.index)
    quantizer = residual.rq
    quantizer.train_type = faiss.ResidualQuantizer.Train_default
    quantizer.max_beam_size = 1
    quantizer.cp.niter = 10


def few_iterations(index: Any) -> None:
    import faiss

    inner: Any = faiss.downcast_index(index.index)
    quantizer = inner.lsq
    quantizer.train_iters, quantizer.train_ils_iters, quantizer.encode_ils_iters = 6, 2, 4
