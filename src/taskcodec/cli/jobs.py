"""What `fit` does, put together from the floors below."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from taskcodec.codec import Codec
from taskcodec.data import ImageSource, open_source
from taskcodec.engines.encode.local import Batches, Progress, sample_features
from taskcodec.engines.encode.notes import left_out, noted
from taskcodec.engines.encode.sources import backbone_for, check_bits, check_device, labelled, missed, unmatched
from taskcodec.errors import SourceError, UsageError
from taskcodec.fitting import fit as fit_codec
from taskcodec.fitting.closed_form.fit import FEW_SAMPLES
from taskcodec.fitting.closed_form.usual import axes_bits
from taskcodec.store import OK
from taskcodec.store.format.samples import readable

FIT_SAMPLES = 20_000
METHODS = ("bottleneck", "dimensionwise")


def fit_job(
    source_name: str,
    backbone_name: str | None,
    bits: float | None,
    step: float | None,
    tolerance: float | None,
    labels: str | None,
    kind: str | None,
    method: str | None,
    own_views: bool,
    device: str | None,
    progress: Progress,
    say: Callable[[str], None],
    truncated: str = "keep",
) -> Codec:
    """See `taskcodec fit`."""
    check_bits(bits)
    check_device(device)
    if sum(value is not None for value in (bits, step, tolerance)) > 1:
        raise UsageError("give one of --bits, --step and --tolerance")
    if step is not None and not (math.isfinite(step) and step > 0):
        raise UsageError(f"--step must be a positive number, found {step:g}")
    if method not in (None, *METHODS):
        raise UsageError(f"--method {method} is neither of {', '.join(METHODS)}")
    if kind is not None and tolerance is None:
        raise UsageError("--kind says what the labels of --tolerance are: give both")
    source, table = labelled(open_source(source_name, truncated), labels)
    backbone = backbone_for(source, backbone_name, device)
    if note := left_out(source):
        say(note)
    batches = Batches(source, backbone)
    features = sample_features(batches, FIT_SAMPLES, progress)
    if not len(features):
        raise SourceError(f"{source_name}: a fit needs a sample that can be read, found none{batches.fault()}")
    options: dict[str, Any] = {"method": method, "backbone": None if backbone is None else backbone.spec}
    if own_views:
        if method == "dimensionwise" or not isinstance(source, ImageSource):
            raise UsageError("--views needs a folder of images, and the bottleneck method")
        from taskcodec.engines.encode.views import view_features  # which needs Pillow

        options["views"] = view_features(source, backbone, backbone.preprocess.crop, progress)
    records = [record for number in sorted(batches.kept) for record in batches.kept[number].records]
    ok = [(record.id, record.note) for record in records if record.status == OK]
    if note := noted(source.name, ok, len(ok)):
        say(note)
    failed = {readable(record.id) for record in records if record.status != OK}
    if labels is not None and (note := unmatched(labels, table, source, failed)):
        say(note)
    if tolerance is None:
        usual = axes_bits(len(source), features.shape[1]) if bits is step is None else None
        codec = fit_codec(features, bits=bits or usual, step=step, **options)
        reached = _rate_of(codec, features)
        if note := missed(bits or usual, reached, asked=usual is None):
            say(note)
        if codec.base.transform.columns < codec.dimension and reached > FEW_SAMPLES * len(features):
            say(
                f"warning: {len(features):,} samples are few for {reached:.0f} bits each: further samples may take "
                "many times that; give more samples, or fewer bits"
            )
        return codec
    from taskcodec.evaluation.survival.tolerance import cheapest_within
    from taskcodec.evaluation.tasks.holdout import LABELLED_SOURCE

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
    return codec


def _rate_of(codec: Codec, features: Any) -> float:
    return float(codec.code_length(codec.encode_features(features)).mean())
