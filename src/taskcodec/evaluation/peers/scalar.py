"""Peers that store each number by itself: casts, one byte or one bit a number, and zstd over casts.

zstd takes bytes that were cast before; it sees blocks of a store's default length, column after column, which packs
better than row after row.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from taskcodec.evaluation.peers.protocol import FitSet, Fitted, Float32s, Returned, in_blocks, returned

Stored = Literal["float16", "int8"]


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

    def encode_decode(self, features: Float32s) -> Returned:
        coded = features.astype(self.dtype)
        return returned(coded, coded)


def _scale(fit_set: FitSet) -> tuple[Float32s, Float32s]:
    """(d,) the least value of each column of the fit set, and a 255th of the way to its greatest."""
    pooled = fit_set.pooled
    low = pooled.min(axis=0)
    return low, np.maximum(pooled.max(axis=0) - low, np.float32(1e-12)) / np.float32(255)


def _in_bytes(features: Float32s, low: Float32s, step: Float32s) -> Any:
    return np.clip(np.rint((features - low) / step), 0, 255).astype(np.uint8)


@dataclass(frozen=True)
class Int8:
    """One byte a dimension between its least and greatest value in the fit set; values outside are clipped."""

    name: str = "int8"
    setting: str = ""

    def fit(self, fit_set: FitSet) -> Fitted:
        low, step = _scale(fit_set)

        def encode_decode(features: Float32s) -> Returned:
            coded = _in_bytes(features, low, step)
            return returned(coded * step + low, coded)

        return Fitted(encode_decode)


@dataclass(frozen=True)
class Sign:
    """One bit a dimension: above its fit-set median or not. Decodes to the fit set's mean on that side."""

    name: str = "sign"
    setting: str = ""

    def fit(self, fit_set: FitSet) -> Fitted:
        pooled = fit_set.pooled
        threshold = np.median(pooled, axis=0).astype(np.float32)
        above = pooled > threshold
        count = above.sum(axis=0)
        mean_above = (pooled * above).sum(axis=0) / np.maximum(count, 1)
        mean_below = (pooled * ~above).sum(axis=0) / np.maximum(len(pooled) - count, 1)

        def encode_decode(features: Float32s) -> Returned:
            coded = np.packbits(features > threshold, axis=1)
            bits = np.unpackbits(coded, axis=1, count=features.shape[1])
            return returned(np.where(bits, mean_above, mean_below), coded)

        return Fitted(encode_decode)


@dataclass(frozen=True)
class Zstandard:
    """zstd at its level 19 over float16 values, or over bytes of `Int8`'s scale."""

    stored: Stored
    setting: str = "level 19"

    @property
    def name(self) -> str:
        return f"zstd {self.stored}"

    def fit(self, fit_set: FitSet) -> Fitted:
        """float16 needs nothing; int8 takes each column's extremes, as `Int8` does."""
        from numcodecs import Zstd  # comes with zarr

        scale = None if self.stored == "float16" else _scale(fit_set)
        packer = Zstd(level=19)

        def code(block: Float32s) -> tuple[Float32s, int]:
            cast = block.astype(np.float16) if scale is None else _in_bytes(block, *scale)
            data = packer.encode(np.ascontiguousarray(cast.T))
            back = np.frombuffer(packer.decode(data), dtype=cast.dtype).reshape(cast.shape[::-1]).T.astype(np.float32)
            return back if scale is None else back * scale[1] + scale[0], len(data)

        return Fitted(lambda features: in_blocks(features, code))
