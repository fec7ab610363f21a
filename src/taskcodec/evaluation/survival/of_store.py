"""`taskcodec evaluate`: a store, or a folder of images or vectors, from its bytes to verdicts.

    store  --decode--> decoded features --+--> what_is_kept --> recall@10, variance, cosine
    source --backbone--> raw features ----+
    labels (the store's own, or CSV) -----+--> evaluate_features --> rows

A source that is no store is encoded as `taskcodec encode` does by itself, into a store that is thrown away afterwards.
"""

from __future__ import annotations

import os
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from taskcodec.data import ImageSource, open_source
from taskcodec.engines.encode.execute import encode_job
from taskcodec.engines.encode.local import Progress
from taskcodec.engines.encode.places import finished_store
from taskcodec.errors import SourceError, UsageError, as_name, check_kind, listed
from taskcodec.evaluation.survival.of_features import Coded, Compared, EvaluationPlan, JudgedRow, evaluate_features
from taskcodec.evaluation.survival.raw_features import (
    Making,
    RawFeatures,
    all_finite,
    kept_features,
    out_of_order,
    raw_of_store,
)
from taskcodec.evaluation.survival.unlabelled import Kept, what_is_kept
from taskcodec.evaluation.tasks.holdout import refuse_labelled_fit, unit_numbers
from taskcodec.evaluation.tasks.targets import Column, Target, label_columns, make_targets
from taskcodec.loading import load_codec
from taskcodec.store import Store
from taskcodec.store.backend import open_blobs
from taskcodec.store.format.manifest import GROUP_KEY
from taskcodec.transforms.spec import DEFAULT
from taskcodec.words import counted


@dataclass(frozen=True)
class StorePlan(EvaluationPlan):
    """How to measure a store: beside predictors, splits and deltas, the following.

    Attributes:
        kinds: "KIND" for all tasks or "COLUMN=KIND" for one, one or several.
        groups: "FILE.csv:COLUMN"; samples of one value are never on both sides of a split.
        cache, device, codec: how raw features are computed and kept (see `Making`).
    """

    kinds: str | Sequence[str] = ()
    groups: str | None = None
    cache: str | None = None
    device: str | None = None
    codec: str | None = None


@dataclass(frozen=True)
class Evaluation:
    """What was measured.

    Attributes:
        name: of the store or source.
        samples: how many the store holds.
        bits_per_sample: from real bytes.
        kept: what needs no labels.
        rows: one for each (task, predictor, metric), a task's headline first; none without labels.
        notes: what the reader should know: where raw features came from, duplicates, doubts.
    """

    name: str
    samples: int
    bits_per_sample: float
    kept: Kept
    rows: tuple[JudgedRow, ...]
    notes: tuple[str, ...]


def evaluate(
    place: str | Path,
    *,
    source: str | Path | None = None,
    raw: str | Path | None = None,
    labels: str | Path | Sequence[str | Path] = (),
    plan: StorePlan | None = None,
    progress: Progress | None = None,
) -> Evaluation:
    """Say whether prediction survives in a store, or in images or vectors through the codec that `encode` fits to them.

    What `taskcodec evaluate` does.

    Args:
        place: store or source.
        source, raw: where raw features come from, or are (see `raw_of_store`).
        labels: "FILE.csv" or "FILE.csv:COLUMN", one task a column, one or several; the labels in the store by default.
            Without any, and where those in the store are no task, there are no rows.
        plan: how to measure.
        progress: called with (steps done, steps in all).

    Raises:
        UsageError: no raw features or such in another order, kinds or groups without labels, labels that are no task,
            leakage (samples on both sides of folders, a codec that was fitted with the labels of these samples), or too
            little to measure.
        MismatchError: raw features that are not of these samples.
    """
    place = as_name("what is evaluated", place, "a store or a source, by name")
    plan = StorePlan() if plan is None else plan
    check_kind("plan", plan, StorePlan, "a StorePlan")
    raw = None if raw is None else as_name("raw", raw, "the name of a .npy file")
    source = None if source is None else as_name("source", source, "what the store was encoded from, by name")
    tables = [as_name("labels", one, "FILE.csv or FILE.csv:COLUMN") for one in listed(labels)]
    if is_store(place):
        store = finished_store(place)
        found = raw_of_store(store, raw, source, Making(plan.cache, plan.device, plan.codec), progress)
        return _evaluate(store, place, found, tables, plan, progress)
    try:
        opened = open_source(place)
    except SourceError as error:
        if os.path.isfile(place):
            raise SourceError(f"{error}; nor is it a taskcodec store (a folder, .zip or URL)") from error
        raise
    if any(given is not None for given in (raw, source, plan.codec)):
        words = "--raw, --source and --codec go with a store; a source is encoded here and now"
        raise UsageError(f"{place}: not a taskcodec store; {words}")
    words = opened.name
    if isinstance(opened, ImageSource):
        spec = load_codec(DEFAULT).backbone
        assert spec is not None
        opened, words = kept_features(opened, spec, plan.cache, plan.device, progress)
    with tempfile.TemporaryDirectory(prefix="taskcodec-evaluate-") as folder:
        store = encode_job(opened, f"{folder}/store.tcz", progress=progress).store
        found = RawFeatures(all_finite(opened)[1], words)
        return _evaluate(store, place, found, tables, plan, progress)


def is_store(place: str) -> bool:
    """Whether a store lies there, rather than a source."""
    path = Path(place)
    if "://" not in place and not path.is_dir() and not zipfile.is_zipfile(path):
        return False
    return open_blobs(place).get(GROUP_KEY) is not None


def _evaluate(
    store: Store,
    name: str,
    given: RawFeatures,
    labels: Sequence[str],
    plan: StorePlan,
    progress: Progress | None,
) -> Evaluation:
    codec: Any = store.codec
    ids = store.ids.tolist()
    raw, words, groups = given.features, given.words, plan.groups
    targets, doubts = targets_of(store, name, labels, listed(plan.kinds))
    if targets:
        refuse_labelled_fit(codec.provenance, sources_of(store), name)
    elif groups is not None:
        raise UsageError(f"--groups: {name} has no task to split; give --labels FILE.csv or FILE.csv:COLUMN")
    group_of = None if groups is None else column_of(groups, ids)
    decoded, info = store.to_numpy(), store.info()
    if out_of_order(raw, decoded):  # shuffled raw features predict nothing, and nothing would seem to be lost
        raise UsageError(
            f"{name}: its decoded features do not follow the raw ones row by row ({words}): give those of the same "
            "samples in the same order, as `taskcodec features` writes them"
        )
    coded = Coded(name, "taskcodec", info.fingerprint[:16], info.bits_per_sample)
    rows = evaluate_features(Compared(raw, decoded, ids, group_of), targets, coded, plan=plan, progress=progress)
    units = unit_numbers(raw, ids)
    kept = what_is_kept(raw, decoded, units, seed=plan.seed, progress=progress)
    notes = [f"raw features: {words}", *doubts]
    copies = len(ids) - len(np.unique(units))
    if copies:
        notes.append(
            f"{counted(copies, 'sample is a copy', 'samples are copies')} of others (one id, or equal "
            "raw features): kept on one side together"
        )
    return Evaluation(name, len(ids), info.bits_per_sample, kept, tuple(rows), tuple(notes))


def sources_of(store: Store) -> list[str]:
    """The SHA-256 of each source that a store was encoded from."""
    found = store.manifest.source
    entries = [found, *found.get("appended", [])]
    return [str(entry["sha256"]) for entry in entries if isinstance(entry, dict) and "sha256" in entry]


def targets_of(
    store: Store, name: str, labels: Sequence[str], kinds: Sequence[str]
) -> tuple[list[Target], tuple[str, ...]]:
    """The tasks, and what to note where there are none: nobody asked for those of the labels that a store holds.

    labels: "FILE.csv" or "FILE.csv:COLUMN"; those in the store without any. Raises as `make_targets` does.
    """
    if labels:
        columns: dict[str, Column] = {}
        for spec in labels:
            columns.update(label_columns(spec, store.ids.tolist()))
        return make_targets(columns, kinds), ()
    if store.labels is None:
        if kinds:
            raise UsageError(f"--kind: {name} holds no labels; give --labels FILE.csv or FILE.csv:COLUMN")
        return [], ("no labels, so no predictors: --labels FILE.csv or FILE.csv:COLUMN gives them tasks",)
    try:
        return make_targets({"label": store.labels.tolist()}, kinds), ()
    except (UsageError, SourceError) as error:
        if kinds:
            raise
        return [], (f"no predictors: the labels in it are no task ({error})",)


def column_of(spec: str, ids: Sequence[str]) -> Column:
    """One label for each id, of "FILE.csv:COLUMN". Raises UsageError where it names several columns."""
    columns = label_columns(spec, ids)
    if len(columns) != 1:
        raise UsageError(f"--groups {spec}: name one column (FILE.csv:COLUMN) of {', '.join(columns)}")
    return next(iter(columns.values()))
