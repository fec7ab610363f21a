"""taskcodec's codecs behind the peers' protocol, so that one run measures them beside the peers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from tempfile import TemporaryDirectory

import numpy as np

from taskcodec.codec import Codec
from taskcodec.coding import decode_block, encode_block
from taskcodec.engines.encode.execute import encode_job
from taskcodec.evaluation.peers.protocol import CHUNK_ROWS, FitSet, Float32s
from taskcodec.fitting import adapt


@dataclass(frozen=True)
class OwnCodec:
    """A way to make a `Codec` from a fit set.

    Attributes:
        name: the curve it belongs to.
        bits: its point on the curve, the rate asked of `make`.
        make: fits a codec at a rate in bits a sample.
        refit: refit centre and tables, without labels, to the features about to be coded, as `encode` does.
    """

    name: str
    bits: float
    make: Callable[[FitSet, float], Codec]
    refit: bool = False

    @property
    def setting(self) -> str:
        return f"{self.bits:g}"

    def fit(self, fit_set: FitSet) -> FittedCodec:
        return FittedCodec(self.make(fit_set, self.bits), self.bits if self.refit else None)


@dataclass(frozen=True)
class DefaultCodec:
    """What `taskcodec encode` writes by itself: a real store, whose codec is fitted to all that it holds.

    Attributes:
        whole: count every byte of the store, codec and records (of rows named by number) included, not codes alone.
    """

    whole: bool = False

    @property
    def name(self) -> str:
        return "default, whole store" if self.whole else "default"

    setting = "usual"

    def fit(self, fit_set: FitSet) -> DefaultCodec:
        """Itself: the store fits its own."""
        return self

    def encode_decode(self, features: Float32s) -> tuple[Float32s, float]:
        with TemporaryDirectory() as folder:
            np.save(f"{folder}/features.npy", features)
            store = encode_job(f"{folder}/features.npy", f"{folder}/store.tcz").store
            info = store.info()
            return store.to_numpy(), 8.0 * (info.store_bytes if self.whole else info.code_bytes) / len(features)


@dataclass(frozen=True, eq=False)
class FittedCodec:
    """A codec that writes blocks of a store's default length. refit_bits: refit to the features given, at this rate."""

    codec: Codec
    refit_bits: float | None

    def encode_decode(self, features: Float32s) -> tuple[Float32s, float]:
        codec = self.codec if self.refit_bits is None else adapt(self.codec, features, self.refit_bits)
        decoded, size = [], 0
        for start in range(0, len(features), CHUNK_ROWS):
            part = features[start : start + CHUNK_ROWS]
            data = encode_block(codec.encode(part), codec.tables)
            decoded.append(codec.decode(decode_block(data, len(part), codec.tables)))
            size += len(data)
        return np.concatenate(decoded), 8.0 * size / len(features)
