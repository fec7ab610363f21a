"""`taskcodec fit` from Python: a codec for a source by name; `taskcodec.fit` fits one to an array."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from taskcodec.codec import Codec
from taskcodec.data import ImageSource, Source
from taskcodec.data.arrays import open_npy
from taskcodec.engines.choose import computing_with
from taskcodec.engines.computing import Asked
from taskcodec.engines.encode.local import Progress, sample_features
from taskcodec.engines.encode.notes import far_off, left_out, noted
from taskcodec.engines.encode.records import BackboneLike
from taskcodec.engines.encode.sources import check_bits, missed, unmatched
from taskcodec.errors import SourceError, UsageError, check_kind, check_number
from taskcodec.evaluation.tasks.holdout import LABELLED_SOURCE
from taskcodec.fitting import fit as fit_codec
from taskcodec.fitting.closed_form.default import axes_bits
from taskcodec.fitting.closed_form.fit import FEW_SAMPLES
from taskcodec.fitting.effort import with_effort
from taskcodec.fitting.probe import keeping
from taskcodec.store import OK, SampleRecord
from taskcodec.symbol_choice.efforts import check_effort
from taskcodec.words import counted

FIT_SAMPLES = 20_000
METHODS = ("bottleneck", "dimensionwise")
_Fit = Callable[..., Codec]


@dataclass(frozen=True)
class FitOptions:
    """The options of `taskcodec fit`.

    Attributes:
        backbone: what makes features of images, by name or itself.
        bits: the rate to meet, in bits a sample; without it, `step` and `tolerance` it follows from their number.
        step: the quantization step instead of a rate.
        tolerance: the cheapest rate that loses at most so many percentage points; needs labels.
        labels: `FILE.csv` or `FILE.csv:COLUMN`; those of the source without it.
        kind: what the labels are, "classification" or "regression"; without it, as they look.
        method: "bottleneck" or "dimensionwise"; without it, by the number of samples and the rate.
        views: whether to spend few bits on what crops, mirroring and colours change in images.
        truncated: "keep" or "skip" JPEG files that lack their end.
        device: where the backbone runs.
        effort: 1 to 9: from 2 on a dependent quantizer, which takes fewer bits for the same error.
        probe: a .npy file of (d, m) weights: the encoder keeps what this linear probe says of features.
    """

    backbone: str | BackboneLike | None = None
    bits: float | None = None
    step: float | None = None
    tolerance: float | None = None
    labels: str | None = None
    kind: str | None = None
    method: str | None = None
    views: bool = False
    truncated: str = "keep"
    device: str | None = None
    effort: int = 1
    probe: str | Path | None = None

    def check(self) -> None:
        """Raise UsageError on options that are none, or do not go together."""
        check_bits(self.bits)
        check_effort(self.effort)
        for name, value in (("--step", self.step), ("--tolerance", self.tolerance)):
            check_number(name, value)
        if sum(value is not None for value in (self.bits, self.step, self.tolerance)) > 1:
            raise UsageError("give one of --bits, --step and --tolerance")
        if self.step is not None and not (math.isfinite(self.step) and self.step > 0):
            raise UsageError(f"--step must be a positive number, found {self.step:g}")
        if self.method not in (None, *METHODS):
            raise UsageError(f"--method must be one of {', '.join(METHODS)}, found {self.method}")
        if self.probe is not None and self.step is not None:
            raise UsageError("--probe meets a rate at another step: it goes without --step")
        if self.kind is not None and self.tolerance is None:
            raise UsageError("--kind says what the labels of --tolerance are: give both")


@dataclass(frozen=True, eq=False)
class Fitted:
    """A codec, and what its user should know, a line each."""

    codec: Codec
    notes: tuple[str, ...]


def fit_source(
    given: str | Path,
    options: FitOptions | None = None,
    *,
    engine: str = "local",
    workers: int | None = None,
    progress: Progress | None = None,
) -> Fitted:
    """Fit a codec to a folder, list or shards of images, or a file of features, as `taskcodec fit` does.

    Args:
        given: the source, by name.
        options: as those of the command.
        engine: "local", or "ray" or "ray:ADDRESS": the workers of a Ray cluster compute features of images; the codec
            is the same.
        workers: of the cluster; by default as many as it has room for.
        progress: called with (samples done, samples in all).

    Raises:
        UsageError: options that do not go together, a rate that cannot be met, or a tolerance that cannot be kept.
        SourceError: nothing to read, or labels that are too few or no classes.
        ProcessError: there is no cluster, or it was lost.
    """
    options, notes = FitOptions() if options is None else options, list[str | None]()
    check_kind("options", options, FitOptions, "FitOptions")
    options.check()
    asked = Asked(given, options.truncated, options.labels, options.backbone, options.device)
    with computing_with(engine, workers, asked) as computing:
        source, table, batches = computing.source, computing.table, computing.batches
        backbone = batches.backbone
        notes.append(left_out(source))
        features = sample_features(batches, FIT_SAMPLES, progress)
        if not len(features):
            raise SourceError(f"{given}: a fit needs a sample that can be read, found none{batches.fault()}")
        how: dict[str, Any] = {"method": options.method, "backbone": None if backbone is None else backbone.spec}
        made = _fit_of(options, how)
        if options.views:
            if options.method == "dimensionwise" or not isinstance(source, ImageSource):
                raise UsageError("--views needs a folder of images, and the bottleneck method")
            how["views"] = computing.views(progress)
    records = [record for number in sorted(batches.kept) for record in batches.kept[number].records]
    ok = [record for record in records if record.status == OK]
    notes.append(noted(source.name, [(record.id, record.note) for record in ok], len(ok)))
    notes.append(far_off(source.name, [record.id for record in ok], features))
    if options.labels is not None:
        failed = {record.id for record in records if record.status != OK}
        notes.append(unmatched(options.labels, table, source, failed))
    if options.tolerance is None:
        codec, doubts = _at_rate(features, len(source), options, made)
    else:
        codec, doubts = _within(features, ok, source, options, made)
    return Fitted(codec, tuple(note for note in (*notes, *doubts) if note is not None))


def _fit_of(options: FitOptions, how: dict[str, Any]) -> _Fit:
    """How a codec is fitted to (n, d) features, at a rate or a step, effort apart."""
    weights = None
    if options.probe is not None:
        opened = open_npy(Path(options.probe))
        weights = opened.block(0, len(opened))

    def made(features: npt.NDArray[np.float32], bits: float | None = None, step: float | None = None) -> Codec:
        codec = fit_codec(features, bits=bits, step=step, **how)
        return codec if weights is None else keeping(codec, features, weights)

    return made


def _at_rate(
    features: npt.NDArray[np.float32], samples: int, options: FitOptions, made: _Fit
) -> tuple[Codec, Sequence[str | None]]:
    """The codec at the rate or step that is asked for, or at the usual rate of so many samples."""
    usual = axes_bits(samples, features.shape[1]) if options.bits is options.step is None else None
    bits = options.bits or usual
    codec = made(features, bits=bits, step=options.step)
    codec = with_effort(codec, features, options.effort, options.bits)
    reached = codec.rate_of(features)
    few = codec.base.transform.columns < codec.dimension and reached > FEW_SAMPLES * len(features)
    warning = (
        f"warning: {counted(len(features), 'sample is', 'samples are')} few for {reached:.0f} bits each: "
        "further samples may take many times that; give more samples, or fewer bits"
    )
    wanted = bits if options.effort == 1 else options.bits
    return codec, (missed(wanted, reached, asked=usual is None), warning if few else None)


def _within(
    features: npt.NDArray[np.float32],
    records: Sequence[SampleRecord],
    source: Source,
    options: FitOptions,
    made: _Fit,
) -> tuple[Codec, Sequence[str | None]]:
    """The cheapest codec within the tolerance; `records` are those of the features."""
    from taskcodec.evaluation.survival.tolerance import cheapest_within  # which needs scikit-learn

    assert options.tolerance is not None
    targets = np.array([record.label for record in records], dtype=object)
    known = np.array([target is not None for target in targets])
    if not known.any():
        raise UsageError("--tolerance needs labels: folders named by class, or --labels FILE.csv")
    by_folders = options.labels is None and isinstance(source, ImageSource)  # names of classes, even where numbers
    found = cheapest_within(
        features[known],
        targets[known],
        options.tolerance,
        lambda rate: with_effort(made(features, bits=rate), features, options.effort, rate),
        options.kind or ("classification" if by_folders else None),
    )
    measured = {"points": options.tolerance, "metric": found.metric, "raw": found.raw, "kept": found.kept}
    marks = {LABELLED_SOURCE: source.descriptor()["sha256"], "tolerance": measured}
    codec = replace(found.codec, provenance={**found.codec.provenance, **marks})
    return codec, (f"{found}: the cheapest of those tried that loses at most {options.tolerance:g} points",)
