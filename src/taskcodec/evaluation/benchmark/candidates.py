"""Which codecs the benchmark runs: ours, feature codecs, pixel codecs and the user's own, by regime and name.

as is       nothing to fit before: float32 (the raw features), float16, zstd over it, every pixel codec, codecs' files,
            and `default`, what `taskcodec encode` writes by itself, its codec fitted to what it holds
zero-shot   fitted on other images; ours is the bundled codec, as `taskcodec encode` takes it
fitted      fitted, without labels, on the set's own training samples
"""

from __future__ import annotations

import hashlib
import importlib
import math
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from taskcodec.codec import Codec
from taskcodec.errors import UsageError
from taskcodec.evaluation.peers.codec_files import codec_files, is_codec_file
from taskcodec.evaluation.peers.measured import Measured, OfFeatures, OfPixels
from taskcodec.evaluation.peers.own import DefaultCodec, OwnCodec
from taskcodec.evaluation.peers.pixels import NAMES, Format, available, standard_pixel_codecs
from taskcodec.evaluation.peers.protocol import FitSet, Peer
from taskcodec.evaluation.peers.roster import STEP_BITS, fitted_peers, trained_peers, unfitted_peers
from taskcodec.evaluation.rates.regimes import AS_IS, FITTED, RAW, REGIMES, ZERO_SHOT
from taskcodec.fitting import at_bits, fit
from taskcodec.loading import BUNDLED, load_codec

RAW_KEY = (AS_IS, RAW, "")
OWN_BITS = (64.0, 128.0, 256.0, 512.0, 768.0, 900.0, 1024.0, 1200.0)
FLOAT_BITS = 32
_ALIASES = {"jxl": "jpegxl", "jpg": "jpeg", "lclp": "lclplearned"}
Key = tuple[str, str, str]
"""Regime, name and setting of a codec."""


@dataclass(frozen=True)
class Choice:
    """What to run, in plain values from which every process makes the same codecs.

    Attributes:
        codecs: names of curves, "all", files of codecs (FILE.codec, or any path with a slash), and "MODULE:FUNCTION",
            which takes a regime and gives codecs (this imports and runs the user's code); none: all.
        regimes: "zero-shot", "fitted".
        rates: in bits, for the codecs that take any; none: each codec's own sweep.
        backbone: the name of what made the features.
        fit_on: whether there are other images to fit on.
        pixels: whether there are images, not only features.
        sizes: how many features a sample has, in each of the sets; none: not known yet.
    """

    codecs: tuple[str, ...] = ()
    regimes: tuple[str, ...] = REGIMES
    rates: tuple[float, ...] = ()
    backbone: str = "lite0"
    fit_on: bool = False
    pixels: bool = True
    sizes: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        wrong = [rate for rate in self.rates if not (math.isfinite(rate) and rate > 0)]
        if wrong:
            raise UsageError(f"--rates: every rate must be a positive number of bits, found {wrong[0]:g}")
        unknown = [regime for regime in self.regimes if regime not in REGIMES]
        if unknown or not self.regimes:
            raise UsageError(f"--regime {', '.join(unknown) or 'of none'}: known are {', '.join(REGIMES)}")

    @property
    def bundled(self) -> bool:
        """Whether a codec for these features comes with the package."""
        if self.backbone not in BUNDLED:
            return False
        return not self.sizes or set(self.sizes) == {load_codec(self.backbone).dimension}


def check_rates(rates: Sequence[float], sizes: Sequence[int]) -> None:
    """Raise UsageError where a rate is beyond what raw features take. sizes: features of a sample, for each set."""
    most = FLOAT_BITS * max(sizes)
    if max(rates) > most:
        raise UsageError(
            f"--rates {max(rates):g}: more bits a sample than the {most:,} that raw features take (float32)"
        )


def roster(choice: Choice) -> dict[Key, Measured]:
    """All codecs to run, the raw features first. Raises UsageError on a name that is none."""
    named = [name for name in choice.codecs if not is_codec_file(name)]
    custom = [name for name in named if ":" in name]
    names = {_plain(name) for name in named if ":" not in name}
    found = _known(choice)
    known = sorted({codec.name.partition(",")[0] for codec in found.values()}, key=str.lower)
    strange = [n for n in named if ":" not in n and _plain(n) not in {"all", *map(_plain, known)}]
    if strange:
        elsewhere = _known(replace(choice, regimes=REGIMES, fit_on=True, pixels=True, sizes=()))
        for (regime, _, _), codec in elsewhere.items():
            if _plain(strange[0]) == _plain(codec.name.partition(",")[0]):
                needs = "every set to be a folder of images" if regime == AS_IS else "--fit-on FOLDER"
                raise UsageError(f"--codecs {strange[0]}: {codec.name} needs {needs} to run here")
        raise UsageError(
            f"--codecs {strange[0]}: no such codec here; known are all, {', '.join(known)}, FILE.codec, MODULE:FUNCTION"
        )
    chosen = {
        key: codec
        for key, codec in found.items()
        if key == RAW_KEY or not choice.codecs or "all" in names or _plain(codec.name.partition(",")[0]) in names
    }
    for codec in codec_files(choice.codecs, choice.backbone, choice.pixels):
        if (key := (AS_IS, codec.name, codec.setting)) in found or codec.name in OUR_NAMES:
            raise UsageError(f"--codecs {codec.path}: {codec.name} is the name of a known codec; rename the file")
        chosen[key] = codec
    for spec in custom:
        for regime in choice.regimes:
            for codec in _custom(spec, regime):
                if hasattr(codec, "fit"):
                    chosen |= _of_features(regime, [codec])
                else:
                    chosen[AS_IS, codec.name, codec.setting] = OfPixels(codec)
    return chosen


def left_out(choice: Choice) -> list[str]:
    """What cannot run here or is not comparable, one line each."""
    notes = [
        f"{name}: fitted before, not with the labels of one of these very sets (by `fit --tolerance`); beyond that, "
        "nothing here knows whether on images that are measured"
        for name in filter(is_codec_file, choice.codecs)
    ]
    if find_spec("faiss") is None:
        notes.append("SQ, PQ, OPQ, RQ and LSQ left out: pip install 'taskcodec[evaluation]'")
    if find_spec("torch") is None:
        notes.append("LCLP's learned bottleneck left out: pip install 'taskcodec[images]'")
    formats: tuple[Format, ...] = ("avif", "jxl")
    asked = {_plain(name) for name in choice.codecs} or {"all"}
    missing = [name for name in formats if not available(name) and asked & {"all", _plain(NAMES[name])}]
    if missing and choice.pixels:
        notes.append(f"{' and '.join(missing)} left out: this Pillow cannot write them (taskcodec[jxl] brings JPEG XL)")
    if not choice.pixels:
        notes.append("pixel codecs left out: not every set is a folder of images")
    if ZERO_SHOT in choice.regimes and not choice.fit_on:
        if choice.bundled:
            notes.append("zero-shot: only our bundled codec; the others need images to fit on: --fit-on FOLDER")
        else:
            notes.append("zero-shot: nothing, no codec for these features is bundled: --fit-on FOLDER makes one")
    return notes


def source_of(choice: Choice, key: Key) -> str:
    """SHA-256 of the user's code, for a codec that comes from it; nothing for ours."""
    own = tuple(name for name in choice.codecs if is_codec_file(name) or ":" not in name)
    standard = roster(replace(choice, codecs=own))
    if key in standard:
        return ""
    digest = hashlib.sha256()
    for spec in sorted(set(choice.codecs) - set(own)):
        file = getattr(importlib.import_module(spec.partition(":")[0]), "__file__", None)
        digest.update(b"" if file is None else Path(file).read_bytes())
    return digest.hexdigest()


def _known(choice: Choice) -> dict[Key, Measured]:
    found = _of_features(AS_IS, [*unfitted_peers(), DefaultCodec(), DefaultCodec(whole=True)])
    if choice.pixels:
        found |= {(AS_IS, codec.name, codec.setting): OfPixels(codec) for codec in standard_pixel_codecs()}
    # Trained once, on images of all kinds, as its paper does: a training for every fold would take hours.
    trained_once = choice.fit_on and ZERO_SHOT in choice.regimes
    for regime in choice.regimes:
        peers: list[Peer] = [*own_codecs(regime, choice)]
        if regime == FITTED or choice.fit_on:
            peers += fitted_peers(choice.rates or STEP_BITS)
            peers += [] if regime == FITTED and trained_once else trained_peers()
        found |= _of_features(regime, peers)
    return found


def _of_features(regime: str, peers: Sequence[Peer]) -> dict[Key, Measured]:
    return {(regime, peer.name, peer.setting): OfFeatures(peer, once=regime == ZERO_SHOT) for peer in peers}


def own_codecs(regime: str, choice: Choice) -> list[OwnCodec]:
    """Ours, by growing rate."""
    rates = choice.rates or OWN_BITS

    def shipped(fit_set: FitSet, bits: float) -> Codec:
        return at_bits(load_codec(choice.backbone), bits)

    def zero_shot(fit_set: FitSet, bits: float) -> Codec:
        return fit(fit_set.features, bits=bits, method="dimensionwise")

    def fitted(fit_set: FitSet, bits: float) -> Codec:
        return fit(fit_set.features, bits=bits)

    if regime == FITTED:
        return [OwnCodec("taskcodec", bits, fitted, refit=True) for bits in rates]
    if not choice.bundled and not choice.fit_on:
        return []
    make = shipped if choice.bundled else zero_shot
    own = [OwnCodec("taskcodec", bits, make, refit=True) for bits in rates]
    return own + [OwnCodec("taskcodec, tables as shipped", bits, make) for bits in rates]


OUR_NAMES = ("taskcodec", "float32", "default")
"""What others are compared with, by name."""


def _custom(spec: str, regime: str) -> Sequence[Any]:
    module, _, function = spec.partition(":")
    if (here := os.getcwd()) not in sys.path:
        sys.path.insert(0, here)  # as `python -m` does
    try:
        found = list(getattr(importlib.import_module(module), function)(regime))
    except (Exception, SystemExit) as error:  # the user's own code raises what it likes
        raise UsageError(f"--codecs {spec}: gives no codecs ({type(error).__name__}: {error})") from error
    strange = [
        codec for codec in found if not all(isinstance(getattr(codec, n, None), str) for n in ("name", "setting"))
    ]
    if strange or not found:
        raise UsageError(f"--codecs {spec}: expected a list of codecs with a name and a setting, found {found!r:.80}")
    if any(codec.name.partition(",")[0] in OUR_NAMES for codec in found):
        raise UsageError(f"--codecs {spec}: {' and '.join(OUR_NAMES)} are names of ours; give it another")
    return found


def _plain(name: str) -> str:
    plain = "".join(letter for letter in name.lower() if letter.isalnum())
    return _ALIASES.get(plain, plain)
