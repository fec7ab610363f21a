"""`taskcodec usable`: what of a target can be used of each layer of a store, or of what a codec makes of a source.

store --decode upto each layer--> features --restricted families of predictors--> bits of the target, with intervals
"""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from taskcodec.data import open_source
from taskcodec.engines.encode.decide import EncodeOptions
from taskcodec.engines.encode.execute import encode_job
from taskcodec.engines.encode.places import finished_store
from taskcodec.errors import UsageError, as_name, check_kind, check_one_of, listed
from taskcodec.evaluation.scores.intervals import Interval
from taskcodec.evaluation.survival.of_store import column_of, is_store, sources_of, targets_of
from taskcodec.evaluation.tasks.holdout import Splits, hold_out, refuse_labelled_fit, unit_numbers
from taskcodec.evaluation.usable.information import FAMILIES, usable_bits
from taskcodec.evaluation.usable.pooled import pooled_layer
from taskcodec.loading import load_codec
from taskcodec.store import Store
from taskcodec.store.backend import open_blobs

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class UsablePlan(Splits):
    """How to measure: on which splits, and the following.

    Attributes:
        families: of predictors, "linear" and "mlp".
        layers: names of those that are looked at, each with all that lies below it; all by default.
        kinds: "KIND" for all targets or "COLUMN=KIND" for one.
        groups: "FILE.csv:COLUMN"; samples of one value are never on both sides of a split.
        device: where a backbone runs, of a codec's source.
    """

    families: Sequence[str] = tuple(FAMILIES)
    layers: Sequence[str] = ()
    kinds: str | Sequence[str] = ()
    groups: str | None = None
    device: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        for family in self.families:
            check_one_of("--families", family, FAMILIES)


@dataclass(frozen=True)
class UsableRow:
    """What one family can use of one target, read from one layer and those below it.

    Attributes:
        target: its name.
        kind: "classification", "multilabel" or "regression".
        layer: the highest that is read.
        family: of predictors.
        usable_bits: bits a sample, with their 95 % interval over held-out samples; below 0 where all that was learned
            misleads.
        entropy_bits: what the target takes without the layer; of numbers a differential entropy, in units of their own
            spread, so that only differences mean something.
        rate_bits: bits a sample of the layer and those that it depends on, from files.
        samples: with this target.
    """

    target: str
    kind: str
    layer: str
    family: str
    usable_bits: Interval
    entropy_bits: float
    rate_bits: float
    samples: int


@dataclass(frozen=True)
class Usable:
    """What was measured of a store or codec, a row for each target, layer and family, and what to know of it."""

    name: str
    rows: tuple[UsableRow, ...]
    notes: tuple[str, ...]


def usable(
    place: str | Path,
    *,
    source: str | Path | None = None,
    labels: str | Path | Sequence[str | Path] = (),
    plan: UsablePlan | None = None,
    progress: Progress | None = None,
) -> Usable:
    """Bits of each target that restricted families of predictors can use of each layer: predictive V-information.

    What `taskcodec usable` does.

    Args:
        place: a store, or a codec's file.
        source: of a codec, what it codes: a folder of images or vectors, ... with labels, or with `labels`.
        labels: "FILE.csv" or "FILE.csv:COLUMN", a target a column, one or several; those in the store by default.
        plan: how to measure.
        progress: called with (steps done, steps in all).

    Raises:
        UsageError: no labels, labels in the store that are no target, no such layer, a codec without a source, leakage.
        SourceError, ForeignFileError: nothing that can be measured there, or labels that are no target.
    """
    place = as_name("what is measured", place, "a store or a codec, by name")
    plan = UsablePlan() if plan is None else plan
    check_kind("plan", plan, UsablePlan, "a UsablePlan")
    tables = [as_name("labels", one, "FILE.csv or FILE.csv:COLUMN") for one in listed(labels)]
    if is_store(place):
        if source is not None:
            raise UsageError(f"{place}: a store holds its samples: --source goes with a codec")
        return _of_store(finished_store(place), place, tables, plan, progress)
    if source is None:
        load_codec(place)  # what is no codec, or not there at all, needs no source
        raise UsageError(f"{place}: not a taskcodec store; of a codec, say what it is to code (--source)")
    opened = open_source(as_name("source", source, "what the codec codes, by name"))
    with tempfile.TemporaryDirectory(prefix="taskcodec-usable-") as folder:
        options = EncodeOptions(codec=place, device=plan.device)
        store = encode_job(opened, f"{folder}/store.tcz", options).store
        return _of_store(store, place, tables, plan, progress)


def _of_store(store: Store, name: str, tables: Sequence[str], plan: UsablePlan, progress: Progress | None) -> Usable:
    targets, notes = targets_of(store, name, tables, listed(plan.kinds))
    if not targets:
        raise UsageError(f"{name}: {'; '.join(notes)}")
    refuse_labelled_fit(store.codec.provenance, sources_of(store), name)
    ids = store.ids.tolist()
    groups = None if plan.groups is None else column_of(plan.groups, ids)
    names = [layer.name for layer in store.codec.layers]
    for layer in plan.layers:
        check_one_of(f"{name}: --layer", layer, names)
    wanted = list(plan.layers) or names
    units = unit_numbers(_features(store, names[-1]), ids, groups)
    rows: list[UsableRow] = []
    for layer in wanted:
        features, rate = _features(store, layer), _rate_bits(store, layer)
        for target in targets:
            classes = target.values if target.kind == "classification" else None
            holdout = hold_out(target.rows, units, classes, ids, plan)
            for family in plan.families:
                found, entropy = usable_bits(features, target, holdout, family, seed=plan.seed)
                rows.append(UsableRow(target.name, target.kind, layer, family, found, entropy, rate, len(target)))
                if progress is not None:
                    progress(len(rows), len(wanted) * len(targets) * len(plan.families))
    return Usable(name, tuple(rows), notes)


def _features(store: Store, layer: str) -> npt.NDArray[np.float32]:
    """(n, d) what a layer and those below it give to predictors."""
    return pooled_layer(store, layer) if store.codec.of_pictures else Store(store.place, upto=layer).to_numpy()


def _rate_bits(store: Store, layer: str) -> float:
    """Bits a sample of a layer and those that it depends on, from the bytes of their chunks."""
    sizes, manifest = open_blobs(store.place).sizes(), store.manifest
    needed = {each.name for each in store.codec.needed(layer)}
    keys = [
        manifest.chunk_key(each, index)
        for each in manifest.layers
        if each.name in needed
        for index in range(manifest.chunks)
    ]
    return 8 * sum(sizes[key] for key in keys) / max(len(store), 1)
