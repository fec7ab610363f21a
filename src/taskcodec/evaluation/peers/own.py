"""taskcodec's codecs behind the peers' protocol, so that one run measures them beside the peers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from tempfile import TemporaryDirectory

import numpy as np

from taskcodec.codec import Codec
from taskcodec.coding import decode_block, encode_block
from taskcodec.engines.encode.execute import encode_job
from taskcodec.evaluation.peers.protocol import FitSet, Float32s, Returned, in_blocks
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
        return FittedCodec(self.make(fit_set, self.bits), self.refit, self.bits)


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

    def encode_decode(self, features: Float32s) -> Returned:
        with TemporaryDirectory() as folder:
            np.save(f"{folder}/features.npy", features)
            store = encode_job(f"{folder}/features.npy", f"{folder}/store.tcz").store
            info = store.info()
            return store.to_numpy(), 8.0 * (info.store_bytes if self.whole else info.code_bytes) / len(features)


@dataclass(frozen=True, eq=False)
class FittedCodec:
    """A codec that writes blocks of a store's default length.

    Attributes:
        codec: as it was fitted.
        refit: refit it to the features about to be coded.
        bits: at this rate; None keeps its step.
    """

    codec: Codec
    refit: bool = False
    bits: float | None = None

    def refitted(self, features: Float32s) -> Codec:
        """The codec as it codes these features."""
        return adapt(self.codec, features, self.bits) if self.refit else self.codec

    def encode_decode(self, features: Float32s) -> Returned:
        codec = self.refitted(features)

        def code(block: Float32s) -> tuple[Float32s, int]:
            data = encode_block(codec.encode(block), codec.tables)
            return codec.decode(decode_block(data, len(block), codec.tables)), len(data)

        return in_blocks(features, code)
