"""What a benchmark's report shows beside the curves: where our codec spends its bits, neighbours, worst-hit classes.

All of it is about our codec at one setting, the cheapest that stays within a point of the raw features' mean accuracy
(else its most accurate one), fitted once more as it was for its point.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from taskcodec.errors import TaskcodecError
from taskcodec.evaluation.benchmark.cache import Ready, read_fit_set
from taskcodec.evaluation.benchmark.candidates import Key, own_codecs
from taskcodec.evaluation.benchmark.run import Outcome
from taskcodec.evaluation.benchmark.sets import items_of
from taskcodec.evaluation.peers.codec_files import ImageCodecFile, codec_files
from taskcodec.evaluation.peers.own import OwnCodec
from taskcodec.evaluation.peers.protocol import FitSet, Float32s, alone
from taskcodec.evaluation.predictors.probing import Predictor, probed
from taskcodec.evaluation.rates.curves import Point
from taskcodec.evaluation.rates.regimes import FITTED
from taskcodec.evaluation.report.diagnosis import (
    ClassChange,
    Extras,
    NeighbourStrip,
    extras_of_codec,
    neighbour_strips,
    worst_classes,
)
from taskcodec.evaluation.report.rebuilt import rebuilt_strips
from taskcodec.evaluation.report.write import write_report
from taskcodec.fitting import adapt
from taskcodec.loading import load_codec
from taskcodec.samples import spread_rows

OURS = "taskcodec"
NEAR = 0.01
WORST = 10
REFIT_SAMPLES = 1000


def write_benchmark_report(outcome: Outcome, out: str | Path, title: str = "Rate and accuracy") -> Path:
    """Write report.html, its plots and table.csv into `out`; the page."""
    record = outcome.record
    return write_report(
        outcome.rows,
        Path(out),
        title=title,
        command=record["command"],
        versions=record["versions"],
        extras=extras_of(outcome),
    )


def extras_of(outcome: Outcome) -> Extras:
    """The extras of a benchmark; notes alone where ours was not measured or no task is one of classes."""
    extras = _of_trained(outcome, Extras(notes=outcome.notes))
    chosen = _chosen(outcome)
    if chosen is None:
        return extras
    codec = next(own for own in own_codecs(chosen[0], outcome.choice) if (own.name, own.setting) == chosen[1:])
    general = None if outcome.fit_file is None else read_fit_set(outcome.fit_file)
    classes: list[ClassChange] = []
    strips: tuple[NeighbourStrip, ...] = ()
    for ready in outcome.sets:
        coded, decoded = _coded(codec, chosen, ready, general)
        if ready is outcome.sets[0]:
            name = f"{codec.name}, {codec.setting} bits, {chosen[0]}, on {ready.name}"
            dimensions = (*extras_of_codec(coded, name).dimensions, *extras.dimensions)
            extras = replace(extras, dimensions=dimensions)
        classes += _class_changes(ready, decoded, outcome.record["probe"], len(outcome.sets) > 1)
        if not strips and ready.place is not None:
            strips = _strips(ready, decoded)
    worst = sorted(classes, key=lambda change: (change.decoded - change.raw, change.name))[:WORST]
    return replace(extras, classes=tuple(worst), neighbours=strips)


def _of_trained(outcome: Outcome, extras: Extras) -> Extras:
    """With where the first trained codec of images spends its bits, and what the first with a synthesis rebuilds."""
    choice = outcome.choice
    files = codec_files(choice.codecs, choice.backbone, choice.pixels)
    trained = [file for file in files if isinstance(file, ImageCodecFile)]
    place = next((ready for ready in outcome.sets if ready.place is not None), None)
    if not trained or place is None:
        return extras
    codecs = [load_codec(Path(codec.path)) for codec in trained]
    images, captions = _images(place)
    try:
        # Refitted, as it was measured.
        shown = adapt(codecs[0], codecs[0].analyse([images[row] for row in spread_rows(len(images), REFIT_SAMPLES)]))
        name = f"{trained[0].name}, {trained[0].setting}, on {place.name}"
        extras = replace(extras, dimensions=extras_of_codec(shown, name).dimensions)
        strips = (rebuilt_strips(codec, images, captions) for codec in codecs)
        return replace(extras, rebuilt=next(filter(None, strips), ()))
    except (TaskcodecError, OSError):  # gone since they were measured: the report does without
        return extras


def _chosen(outcome: Outcome) -> Key | None:
    """Our setting that the extras are about: zero-shot where there is one."""
    if not outcome.raw.accuracies:
        return None
    own = [point for point in outcome.complete if point.codec == OURS]
    first = [point for point in own if point.regime == own[0].regime]
    near = [point for point in first if _mean(point) >= _mean(outcome.raw) - NEAR]
    best = min(near, key=lambda point: point.mean_bits) if near else max(first, key=_mean, default=None)
    return None if best is None else (best.regime, best.codec, best.setting)


def _mean(point: Point) -> float:
    return float(np.mean([scores.value for scores in point.accuracies]))


def _coded(codec: OwnCodec, key: Key, ready: Ready, general: FitSet | None) -> tuple[Any, Float32s]:
    """The codec as it codes a set, and the set's features as they come back."""
    features = ready.features
    own = alone(features[ready.holdout.splits[0].train])
    if general is not None:
        own = replace(own, background=general.features, views=general.views)
    fitted = codec.fit(own if key[0] == FITTED else general or own)
    return fitted.refitted(features), fitted.encode_decode(features)[0]


def _class_changes(ready: Ready, decoded: Float32s, probe: Predictor, several: bool) -> list[ClassChange]:
    found: list[ClassChange] = []
    for target in ready.targets:
        if target.kind == "classification":
            tested = [
                probed(target, ready.holdout, [features] * len(ready.holdout.splits), probe)
                for features in (ready.features, decoded)
            ]
            raw, after = (np.concatenate([one.outputs.scores.argmax(axis=1) for one in side]) for side in tested)
            truth = np.concatenate([one.targets for one in tested[0]])
            shown = [f"{ready.name}: {name}" for name in target.names] if several else list(target.names)
            found += worst_classes(truth, raw, after, shown, WORST)
    return found


def _strips(ready: Ready, decoded: Float32s) -> tuple[NeighbourStrip, ...]:
    images, captions = _images(ready)
    try:
        return neighbour_strips(images, ready.features, decoded, captions)
    except (TaskcodecError, OSError):  # gone since they were measured: the report does without
        return ()


def _images(ready: Ready) -> tuple[_Images, list[str]]:
    """The images of a set, and their labels in words."""
    assert ready.place is not None
    target = ready.targets[0]
    captions = [""] * len(ready.ids)
    for row, value in zip(target.rows, target.values, strict=True):
        captions[row] = target.names[value] if target.names else f"{value:g}"
    return _Images(items_of(ready.place, ready.ids)), captions


class _Images(Sequence[Any]):
    """The images of items, each opened when it is asked for."""

    def __init__(self, items: Sequence[Any]) -> None:
        self._items = items

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, index: Any) -> Any:
        from taskcodec.transforms.pictures.images import open_image

        return open_image(self._items[index].read(), 96, keep_truncated=True)
