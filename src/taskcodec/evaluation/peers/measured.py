"""Codecs as the benchmark measures them: one method, whatever a codec reads.

features of a set, its splits, its images --> Measured.measure --> bits a sample, and features for each split
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from taskcodec.data.items import ImageSource
from taskcodec.errors import MismatchError
from taskcodec.evaluation.peers.pixels import PixelCodec, pixel_features
from taskcodec.evaluation.peers.protocol import FitSet, FittedPeer, Float32s, Peer, alone
from taskcodec.evaluation.tasks.holdout import Split

Measurement = tuple[float, list[Float32s]]
"""The mean bits a sample, and for each split all features as they come back."""


@dataclass(frozen=True, eq=False)
class Subject:
    """What codecs are measured on.

    Attributes:
        features: (n, d) of the samples.
        splits: each codec in the fitted regime sees the training rows of one alone.
        general: other samples to fit on; None where there are none.
        images: opens the images that the features were made of.
        backbone: the name of what made them.
        cache: folder for what takes long.
    """

    features: Float32s
    splits: tuple[Split, ...]
    general: FitSet | None
    images: Callable[[], ImageSource]
    backbone: str
    cache: Path

    def fit_set(self, split: Split) -> FitSet:
        """The training side of a split, with the other samples as its background."""
        own = alone(self.features[split.train])
        return own if self.general is None else replace(own, background=self.general.features, views=self.general.views)


class Measured(Protocol):
    """A codec in the benchmark. Its `repr` holds all that it does."""

    @property
    def name(self) -> str: ...
    @property
    def setting(self) -> str: ...
    def measure(self, subject: Subject) -> Measurement:
        """Code all samples of a set. Raises what the codec raises, which may be the user's own."""


class OfFeatures:
    """A codec of features.

    Args:
        peer: the codec.
        once: fit it once for all sets, on other samples; else for each split, on its training side.
        same_size: what comes back has as many features as what is coded.
    """

    def __init__(self, peer: Peer, *, once: bool = False, same_size: bool = True) -> None:
        self.peer, self.once, self.same_size = peer, once, same_size
        self.name, self.setting = peer.name, peer.setting
        self._fitted: FittedPeer | None = None

    def __repr__(self) -> str:
        return repr(self.peer)

    def measure(self, subject: Subject) -> Measurement:
        features = subject.features
        if self.once:
            self._fitted = self._fitted or self.peer.fit(subject.general or alone(features))
            decoded, bits = self._coded(self._fitted, features)
            return bits, [decoded] * len(subject.splits)
        coded = [self._coded(self.peer.fit(subject.fit_set(split)), features) for split in subject.splits]
        return float(np.mean([bits for _, bits in coded])), [decoded for decoded, _ in coded]

    def _coded(self, fitted: FittedPeer, features: Float32s) -> tuple[Float32s, float]:
        """What comes back; raises MismatchError where it is not what every codec must give."""
        found: Any = fitted.encode_decode(features)
        if not isinstance(found, tuple) or len(found) != 2:
            raise MismatchError(f"encode_decode must return features and bits, found {type(found).__name__}")
        decoded, bits = found
        if not isinstance(decoded, np.ndarray) or decoded.dtype.kind != "f":
            what = decoded.dtype if isinstance(decoded, np.ndarray) else type(decoded).__name__
            raise MismatchError(f"encode_decode must return features as a numpy array of floats, found {what}")
        free = not self.same_size and decoded.ndim == 2
        shape = (len(features), decoded.shape[1] if free else features.shape[1])
        if decoded.shape != shape:
            raise MismatchError(f"encode_decode must return features of shape {shape}, found {decoded.shape}")
        if not isinstance(bits, int | float | np.integer | np.floating) or isinstance(bits, bool):
            raise MismatchError(f"encode_decode must return the mean bits a sample as a number, found {bits!r:.40}")
        return decoded, float(bits)


class OfPixels:
    """A codec of images, whose decoded images go through the backbone."""

    def __init__(self, codec: PixelCodec) -> None:
        self.codec, self.name, self.setting = codec, codec.name, codec.setting

    def __repr__(self) -> str:
        return repr(self.codec)

    def measure(self, subject: Subject) -> Measurement:
        from taskcodec.transforms.backbones import load_backbone

        features, bits = pixel_features(self.codec, subject.images(), load_backbone(subject.backbone), subject.cache)
        return float(bits.mean()), [features] * len(subject.splits)
