"""What the verbs do, put together from the floors below; `encode` is in `encoding.py`."""

import math
from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from taskcodec.codec import Codec
from taskcodec.data import FeatureSource, ImageSource, Source, open_source, read_labels
from taskcodec.data.labels import LabelTable
from taskcodec.engines.local import Batches, Progress, sample_features, write_features
from taskcodec.engines.notes import left_out, noted
from taskcodec.errors import SourceError, UsageError
from taskcodec.fitting import fit as fit_codec
from taskcodec.store import OK, SampleRecord
from taskcodec.store.samples import readable
from taskcodec.transforms.spec import DEFAULT as DEFAULT_BACKBONE

FIT_SAMPLES = 20_000
BITS_PER_FIT_SAMPLE = 5
"""A codec fitted to fewer samples for its rate has learned them by heart: 28 images at 512 bits gave 7,900 bits to a
further image, at 128 bits 135; 167 images at 512 bits gave 574."""
NO_BACKBONE = "none"
"""What may stand for a backbone where features are given."""
MISSED_SHARE = 0.05
"""A rate this far from the one asked for is worth a word; usual collections come within 0.02."""
METHODS = ("bottleneck", "dimensionwise")


def fit_job(
    source_name: str,
    backbone_name: str | None,
    bits: float | None,
    step: float | None,
    tolerance: float | None,
    labels: str | None,
    kind: str | None,
    method: str,
    own_views: bool,
    device: str | None,
    progress: Progress,
    say: Callable[[str], None],
    truncated: str = "keep",
) -> tuple[Codec, float]:
    """See `taskcodec fit`: the codec, and the bits that a sample of what it was fitted on takes."""
    check_bits(bits)
    check_device(device)
    if sum(value is not None for value in (bits, step, tolerance)) > 1:
        raise UsageError("give one of --bits, --step and --tolerance")
    if step is not None and not (math.isfinite(step) and step > 0):
        raise UsageError(f"--step must be a positive number, found {step:g}")
    if method not in METHODS:
        raise UsageError(f"--method {method} is neither of {', '.join(METHODS)}")
    if kind is not None and tolerance is None:
        raise UsageError("--kind says what the labels of --tolerance are: give both")
    source, table = labelled(open_source(source_name, truncated), labels)
    backbone = backbone_for(source, backbone_name, device)
    if note := left_out(source):
        say(note)
    batches = Batches(source, backbone)
    features = sample_features(batches, FIT_SAMPLES, progress)
    if len(features) < 2:
        raise SourceError(
            f"{source_name}: a fit needs at least 2 samples that can be read, found {len(features)}{batches.fault()}"
        )
    options: dict[str, Any] = {"method": method, "backbone": None if backbone is None else backbone.spec}
    if own_views:
        if method != "bottleneck" or not isinstance(source, ImageSource):
            raise UsageError("--views needs a folder of images, and the bottleneck method")
        from taskcodec.engines.views import view_features  # which needs Pillow

        options["views"] = view_features(source, backbone, backbone.preprocess.crop, progress)
    records = [record for number in sorted(batches.kept) for record in batches.kept[number].records]
    if note := noted(source.name, ((record.id, record.note) for record in records if record.status == OK)):
        say(note)
    failed = {readable(record.id) for record in records if record.status != OK}
    if labels is not None and (note := unmatched(labels, table, source, failed)):
        say(note)
    if tolerance is None:
        codec = fit_codec(features, bits=bits, step=step, **options)
        reached = _rate_of(codec, features)
        if reached > BITS_PER_FIT_SAMPLE * len(features):
            say(
                f"warning: {len(features):,} samples are few for {reached:.0f} bits each: further samples may take "
                "many times that; give more samples, or fewer bits"
            )
        return codec, reached
    from taskcodec.evaluation.holdout import LABELLED_SOURCE
    from taskcodec.evaluation.tolerance import cheapest_within

    targets = np.array([record.label for record in records if record.status == OK], dtype=object)
    known = np.array([target is not None for target in targets])
    if not known.any():
        raise UsageError("--tolerance needs labels: folders named by class, or --labels FILE.csv")
    by_folders = labels is None and isinstance(source, ImageSource)  # names of classes, also where they are numbers
    found = cheapest_within(
        features[known],
        targets[known],
        tolerance,
        lambda rate: fit_codec(features, bits=rate, **options),
        kind or ("classification" if by_folders else None),
    )
    say(f"{found}: the cheapest of those tried that loses at most {tolerance:g} points")
    measured = {"points": tolerance, "metric": found.metric, "raw": found.raw, "kept": found.kept}
    marks = {LABELLED_SOURCE: source.descriptor()["sha256"], "tolerance": measured}
    codec = replace(found.codec, provenance={**found.codec.provenance, **marks})
    return codec, _rate_of(codec, features)


def _rate_of(codec: Codec, features: Any) -> float:
    return float(codec.tables.code_length(codec.encode(features)).mean())


def missed(bits: float | None, reached: float, asked: bool = True) -> str | None:
    """What to say where another rate came out than the one to meet, or next to none; None where all is well.

    `asked`: whether the user asked for that rate, or it is the usual one.
    """
    if bits is None:
        return f"warning: {reached:.2f} bits a sample: such a step keeps next to nothing" if reached < 1 else None
    if abs(reached - bits) <= MISSED_SHARE * bits:
        return None
    rate = f"--bits {bits:g}" if asked else f"the usual rate of {bits:g} bits"
    return f"warning: {rate} was not met: {reached:.1f} bits a sample (too few samples, or too much alike)"


def features_job(
    source_name: str,
    output: Path,
    backbone_name: str | None,
    device: str | None,
    progress: Progress,
    say: Callable[[str], None],
    truncated: str = "keep",
) -> tuple[int, list[SampleRecord]]:
    """See `taskcodec features`."""
    check_device(device)
    source = open_source(source_name, truncated)
    return write_features(source, output, backbone_for(source, backbone_name, device), progress, say)


def backbone_for(source: Source, name: str | None, device: str | None) -> Any:
    """The backbone of that name, or the default one; None where the source has features already."""
    check_no_backbone(source, name)
    if isinstance(source, FeatureSource):
        return None
    from taskcodec.transforms.backbones import load_backbone

    return load_backbone(name or DEFAULT_BACKBONE, device)


def check_no_backbone(source: Source, name: str | None) -> None:
    """Raise UsageError where a backbone is named for vectors, which it would never see."""
    if name not in (None, NO_BACKBONE) and isinstance(source, FeatureSource):
        raise UsageError(f"--backbone {name}: {source.name} holds vectors; a backbone makes vectors of images")


def labelled(source: Source, labels: str | None) -> tuple[Source, dict[str, str]]:
    """The source with the labels of a table, and that table. Raises UsageError where they match none of it."""
    if labels is None:
        return source, {}
    table = read_labels(labels)
    found = source.with_labels(table)
    matched = (
        any(item.label is not None for item in found.items)
        if isinstance(found, ImageSource)
        else any(label is not None for label in found.labels or ())
    )
    if not matched:
        raise UsageError(f"{labels}: none of its {len(table)} ids is in {source.name}")
    return found, table


def unmatched(spec: str, table: dict[str, str], source: Source, failed: Collection[str]) -> str | None:
    """What to say of ids in a table that name no sample, and of samples without a label; None where all match.

    `failed` are the ids, as a store has them, of samples that are none: the table itself often lies among its images.
    """
    if isinstance(source, ImageSource):
        pairs = [(item.id, item.label) for item in source.items]
    else:
        pairs = [(source.id_of(row), label) for row, label in enumerate(source.labels or ())]
    names = {name for name, _ in pairs}
    numbered = isinstance(source, FeatureSource) and source.ids is None  # these are looked up as they stand
    unused = table.keys() - names if numbered else LabelTable(table).unused(names)
    samples = [label for name, label in pairs if readable(name) not in failed]
    without = sum(label is None for label in samples)
    parts = [f"{len(unused):,} of {len(table):,} ids name no sample"] * bool(unused)
    parts += [f"{without:,} of {len(samples):,} samples have no label"] * bool(without)
    return f"warning: {spec}: {'; '.join(parts)}" if parts else None


def check_device(device: str | None) -> None:
    """Raise UsageError on a device that is none, or that is not to be had here."""
    if device is None:
        return
    import torch

    try:
        torch.empty(0, device=device).cpu()  # "meta" makes tensors, but holds nothing
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0].split(": ", 1)[0]
        raise UsageError(f"--device {device}: cannot be used here ({reason})") from error


def check_bits(bits: float | None) -> None:
    """Raise UsageError on a rate that is none."""
    if bits is not None and not (np.isfinite(bits) and bits > 0):
        raise UsageError(f"--bits must be positive, found {bits:g}")
