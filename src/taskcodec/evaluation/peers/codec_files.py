"""Codecs from their files beside the peers: what `taskcodec fit` or `taskcodec train` made, as `encode` uses it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from taskcodec.data import open_source
from taskcodec.errors import MismatchError, UsageError
from taskcodec.evaluation.peers.measured import Measurement, OfFeatures, Subject
from taskcodec.evaluation.peers.own import FittedCodec
from taskcodec.evaluation.peers.protocol import FitSet, Float32s, Returned
from taskcodec.evaluation.tasks.holdout import LABELLED_SOURCE, refuse_labelled_fit
from taskcodec.loading import load_codec
from taskcodec.transforms.spec import CARRIED
from taskcodec.words import counted


@dataclass(frozen=True)
class CodecFile:
    """A codec in a file.

    Attributes:
        name: the curve it belongs to: the file's name without its beta.
        setting: its point on the curve: the beta, or the file's name where it has none.
        path: of the file.
        fingerprint: of the codec.
    """

    name: str
    setting: str
    path: str = field(repr=False)
    fingerprint: str


class FeatureCodecFile(CodecFile):
    """A codec of features, or of vectors that its own network reads first. `fit` changes nothing: it is fitted."""

    def measure(self, subject: Subject) -> Measurement:
        """Its own network may make fewer features, or more."""
        return OfFeatures(self, same_size=False).measure(subject)

    def fit(self, fit_set: FitSet) -> FeatureCodecFile:
        return self

    def encode_decode(self, features: Float32s) -> Returned:
        codec = load_codec(Path(self.path))
        return FittedCodec(codec, refit=True).encode_decode(codec.analyse(list(features)))


class ImageCodecFile(CodecFile):
    """A codec that reads images through a network of its own."""

    def measure(self, subject: Subject) -> Measurement:
        """Its own decoded features of a set's images. Raises MismatchError where one is gone."""
        from taskcodec.engines.encode.local import Batches
        from taskcodec.transforms.backbones import load_backbone

        source = subject.images()
        _, features = Batches(source, load_backbone(CARRIED + self.path), readers=2).whole()
        if len(features) != len(source):
            raise MismatchError(f"{counted(len(source) - len(features), 'image')} could not be read again")
        decoded, bits = FittedCodec(load_codec(Path(self.path)), refit=True).encode_decode(features)
        return bits, [decoded] * len(subject.splits)


def is_codec_file(name: str) -> bool:
    """Whether a name on the command line is that of a codec's file rather than of a known codec."""
    return name.endswith(".codec") or "/" in name


def codec_files(names: tuple[str, ...], backbone: str, pixels: bool) -> list[Any]:
    """The codecs in these files.

    Args:
        names: paths, or names of other codecs, which are passed over.
        backbone: the name of what makes the features.
        pixels: whether every set is of images.

    Raises:
        UsageError: a codec for another backbone, for images where there are none, or two of one name.
        CorruptFileError, SourceError: a file that is no codec, or not there.
    """
    found: dict[tuple[str, str], Any] = {}
    for name in filter(is_codec_file, names):
        codec, stem = load_codec(Path(name)), Path(name).name.removesuffix(".codec")
        of_images = codec.inputs is None
        if of_images and not pixels:
            raise UsageError(f"--codecs {name}: reads images, so every set must be a folder of images")
        if not of_images and codec.backbone is not None and not codec.backbone.answers_to(backbone):
            raise UsageError(f"--codecs {name}: made for features of {codec.backbone.name}, not of {backbone}")
        curve, _, beta = stem.rpartition("-beta")
        key = (curve, f"beta {beta}") if curve and _is_number(beta) else (stem, Path(name).name)
        if key in found:
            raise UsageError(f"--codecs {name}: another file has the same name; rename one of them")
        found[key] = (ImageCodecFile if of_images else FeatureCodecFile)(*key, str(name), codec.fingerprint)
    return list(found.values())


def refuse_labelled_files(names: Iterable[str], sets: Iterable[tuple[str, str]]) -> None:
    """Raise UsageError where a codec's file was fitted with the labels of a very set that is measured.

    names: as of `codec_files`; sets: where each lies, and its name.
    """
    loaded = {name: load_codec(Path(name)).provenance for name in names if is_codec_file(name)}
    found = {name: provenance for name, provenance in loaded.items() if LABELLED_SOURCE in provenance}
    if not found:
        return
    for place, known_as in sets:
        if not place.lower().endswith(".npz"):  # features and labels in one file, which no fit reads
            source = str(open_source(place).descriptor()["sha256"])
            for name, provenance in found.items():
                refuse_labelled_fit(provenance, [source], f"--codecs {name} on {known_as}")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
