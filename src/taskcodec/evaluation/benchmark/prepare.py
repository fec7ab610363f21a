"""The benchmark's first stage: features of sets that were opened, their splits, and what codecs are fitted on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from taskcodec.data import ImageSource, open_source
from taskcodec.engines.encode.local import Batches, Progress, sample_features
from taskcodec.errors import SourceError, UsageError
from taskcodec.evaluation.benchmark.cache import Ready, key_of, write_fit_set, write_ready
from taskcodec.evaluation.benchmark.jobs import VIEWS, Extract, Failures, Job, Workers
from taskcodec.evaluation.benchmark.sets import Opened, check_classes, choose, digest_of, items_of, shown
from taskcodec.evaluation.npz import read_arrays
from taskcodec.evaluation.peers.protocol import FitSet, Float32s, alone
from taskcodec.evaluation.tasks.holdout import Split, Splits, Splitting, hold_out, split_by_folder, unit_numbers
from taskcodec.evaluation.tasks.targets import Target, make_target
from taskcodec.words import counted

PART = 1024
"""Images whose features are one job, and one file."""
FIT_SAMPLES, VIEWED_IMAGES = 4000, 1000
"""At most so many samples are fitted on, and at most so many of them also through augmented views."""

REGRESS = "an array of floats beside `labels` in a .npz file, or `taskcodec evaluate --kind regression`"
"""How a user of the benchmark, which guesses the kind of a column, has whole numbers regressed all the same."""


class NamedBackbone:
    """A backbone by name, loaded only where there are images."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.loaded = False

    @cached_property
    def _described(self) -> tuple[list[Any], int]:
        from taskcodec.transforms.backbones import load_backbone

        self.loaded = True
        backbone = load_backbone(self.name)
        spec = backbone.spec
        return [spec.name, spec.weights_sha256, backbone.preprocess.to_json()], spec.dimension

    @property
    def identity(self) -> list[Any]:
        """What features depend on: name, weights, preprocessing."""
        return self._described[0]

    @property
    def dimension(self) -> int:
        """d, the number of features."""
        return self._described[1]

    @property
    def record(self) -> dict[str, Any]:
        """For run.json."""
        return {"name": self.name} | ({"weights_sha256": self.identity[1]} if self.loaded else {})


@dataclass(frozen=True, eq=False)
class Stage:
    """What the sets are prepared with: a backbone, how they are split, a cache of what was computed, and workers."""

    backbone: NamedBackbone
    how: Splits
    cache: Path
    workers: Workers


@dataclass(frozen=True, eq=False)
class Sets:
    """The files of the sets, and what they are.

    Attributes:
        files: of `Ready`, one for each set.
        origins: for each set, digests of its files or rows -> the name of a sample.
        records: of the sets, for run.json.
        notes: one line each.
    """

    files: list[Path] = field(default_factory=list)
    origins: list[dict[str, str]] = field(default_factory=list)
    records: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def prepare_sets(opened: Sequence[Opened], stage: Stage, progress: Progress) -> Sets:
    """Compute the features of all sets, split them, and write each as a `Ready`.

    Raises:
        UsageError: classes that cannot be learned, or samples on both sides of a split.
        SourceError: a set of which no image could be read, or labels that are no task.
    """
    for found in opened:
        _check_split(found, stage.how.split)  # before the long work
    parts = [[] if found.features is not None else _parts(found, stage) for found in opened]
    _run([job for jobs in parts for job in jobs], stage.workers, progress)
    sets = Sets()
    for found, jobs in zip(opened, parts, strict=True):
        whole, notes = (found, list(found.notes)) if found.features is not None else _with_features(found, jobs)
        try:
            ready, more = _ready(whole, stage.how)
        except (UsageError, SourceError) as error:
            text = str(error)
            raise type(error)(text if text.startswith(f"{found.name}:") else f"{found.name}: {text}") from error
        notes += more
        file = write_ready(ready, stage.cache)
        sets.files.append(file)
        sets.origins.append(_origins(whole.digests, ready.features, whole.ids))
        sets.records.append(_record(ready, file, notes))
        sets.notes.extend(f"{found.name}: {note}" for note in notes)
    return sets


def prepare_fit_set(place: str, sets: Sets, stage: Stage, progress: Progress) -> tuple[Path, dict[str, Any]]:
    """Compute what zero-shot codecs are fitted on, and refuse what is also measured; its file, and a record of it.

    Args:
        place: folder or list of images; .npy or .parquet of features; .npz of `features` and perhaps `views` (v, m, d).
        sets: those to be measured.
        stage, progress: as above.

    Raises:
        UsageError: one of its samples lies in a set too, or its features are of another size.
        SourceError: nothing to read.
    """
    digests: list[str] = []
    if place.lower().endswith(".npz"):
        arrays = read_arrays(Path(place), ("features", "views")) or {}
        if "features" not in arrays or arrays["features"].ndim != 2:
            raise SourceError(f"{place}: not a .npz file of `features` (n, d)")
        features = arrays["features"].astype(np.float32)
        views = arrays.get("views", features[None, :0]).astype(np.float32)
        fit_set, ids = FitSet(features, features[:0], views), [str(row) for row in range(len(features))]
    else:
        source = open_source(place)
        if isinstance(source, ImageSource):
            fit_set, digests, ids = _fit_images(source, place, stage, progress)
        else:
            fit_set = alone(sample_features(Batches(source, None), FIT_SAMPLES))
            ids = [str(row) for row in range(len(fit_set.features))]
    if len(fit_set.features) < 2:
        raise SourceError(f"{place}: needs at least 2 samples to fit on, found {len(fit_set.features)}")
    own = _origins(digests, fit_set.features, ids)
    for origins, record in zip(sets.origins, sets.records, strict=True):
        # An image is found by its bytes and by its features: its name counts it once.
        shared = {own[key]: origins[key] for key in sorted(own.keys() & origins.keys())}
        if shared:
            first, found = next(iter(shared.items()))
            new = "so it would not be new" if len(shared) == 1 else "so they would not be new"
            raise UsageError(
                f"{place}: {counted(len(shared), 'sample is', 'samples are')} in {record['name']} too "
                f"({first} is {found}), {new} to codecs fitted there"
            )
        if record["dimension"] != fit_set.features.shape[1]:
            raise UsageError(
                f"{place}: {fit_set.features.shape[1]} features a sample, {record['name']} has {record['dimension']}"
            )
    file = write_fit_set(fit_set, stage.cache)
    record = {"name": Path(place).name, "samples": len(fit_set.features), "viewed": fit_set.views.shape[1]}
    return file, {**record, "hash": file.stem.partition("-")[2]}


def _parts(found: Opened, stage: Stage) -> list[Extract]:
    backbone, cache = stage.backbone, stage.cache
    starts = range(0, len(found.ids), PART)
    return [
        Extract(
            found.place,
            tuple(found.ids[start : start + PART]),
            backbone.name,
            cache / f"part-{key_of(backbone.identity, found.digests[start : start + PART])}.npz",
        )
        for start in starts
    ]


def _run(jobs: Sequence[Extract], workers: Workers, progress: Progress) -> None:
    """Do those whose files are missing, each file once."""
    missing = {job.file: job for job in jobs if read_arrays(job.file) is None}

    def done(job: Job, failures: Failures) -> None:
        pass

    workers.run(list(missing.values()), progress, done)


def _read(jobs: Sequence[Extract]) -> tuple[Float32s, npt.NDArray[np.bool_], list[str]]:
    arrays = [found for found in (read_arrays(job.file) for job in jobs) if found is not None]
    features = np.concatenate([found["features"] for found in arrays])
    reasons = [str(reason) for found in arrays for reason in found["reasons"]]
    return features, np.concatenate([found["good"] for found in arrays]), reasons


def _with_features(found: Opened, jobs: Sequence[Extract]) -> tuple[Opened, list[str]]:
    """The set without the files that could not be read."""
    features, good, reasons = _read(jobs)
    kept, notes = np.flatnonzero(good).tolist(), list(found.notes)
    if not len(kept):
        raise SourceError(
            f"{found.place}: none of its {counted(len(good), 'file')} could be read ({found.ids[0]}: {reasons[0]})"
        )
    if len(kept) < len(good):
        lost = [f"{found.ids[row]} ({reasons[row]})" for row in np.flatnonzero(~good)]
        notes.append(f"{counted(len(lost), 'file')} that cannot be read left out: {shown(lost)}")
    return found.only(kept, digests=[found.digests[row] for row in kept], features=features), notes


def _check_split(found: Opened, how: Splitting) -> None:
    """What the names alone tell: classes to learn, and to test."""
    given = split_by_folder(found.ids, how)
    for task, column in found.columns.items():
        if found.kinds.get(task) == "classification":
            rows = np.array([row for row, label in enumerate(column) if label is not None], np.intp)
            test = None if given is None else np.isin(rows, given.test)
            check_classes(found.name, [str(column[row]) for row in rows], rows, test)


def _check_classes(
    found: Opened, target: Target, units: npt.NDArray[np.int64], test: npt.NDArray[np.bool_] | None
) -> None:
    """`check_classes` of a target; where only samples that count as one make it fail, the message says which these are.

    units, test: (m,) of the target's rows.
    """
    labels = [target.names[value] for value in target.values]
    try:
        check_classes(found.name, labels, units, test)
    except UsageError as error:
        check_classes(found.name, labels, np.arange(len(labels)), test)
        raise UsageError(f"{error} (samples that share something count as one: {_shared(found)})") from error


def _shared(found: Opened) -> str:
    """What makes samples of a set count as one, in words."""
    assert found.features is not None
    rows, words = len(found.ids), []
    what = "the bytes of their file" if found.digests else "an id"
    features: list[Any] = [row.tobytes() for row in found.features]
    for name, keys in (("all features", features), (what, found.digests or found.ids), ("a group", found.groups or [])):
        sizes = Counter(key for key in keys if key is not None)
        shared = sum(size for size in sizes.values() if size > 1)
        if shared:
            first = next(row for row, key in enumerate(keys) if sizes[key] > 1)
            words.append(f"{shared:,} of {rows:,} have {name} in common with others, such as {found.ids[first]}")
    return "; ".join(words)


def _ready(found: Opened, how: Splits) -> tuple[Ready, list[str]]:
    assert found.features is not None
    rows, notes = len(found.ids), list[str]()
    targets = [
        make_target(task, column, found.kinds.get(task), regress=REGRESS) for task, column in found.columns.items()
    ]
    several = [target.name for target in targets if target.kind == "multilabel"]
    if several:
        raise UsageError(f"{several[0]}: several labels a sample; `taskcodec evaluate` measures such a task")
    same = found.digests or found.ids
    units = unit_numbers(found.features, same, found.groups)
    if rows > 1 and not units.any():
        raise UsageError(f"its {rows:,} samples count as one: {_shared(found)}")
    copies = rows - len(np.unique(unit_numbers(found.features, same)))
    if copies:
        notes.append(
            f"{counted(copies, 'sample is a copy', 'samples are copies')} of others, kept on one side together"
        )
    given = split_by_folder(found.ids, how.split)
    test = None if given is None else np.isin(np.arange(rows), given.test)
    for target in targets:
        if target.kind == "classification":
            own = None if test is None else test[target.rows]
            _check_classes(found, target, units[target.rows], own)
        if len(target) < rows:
            lost = counted(rows - len(target), "sample")
            notes.append(f"{target.name}: {lost} without its label left out of this task")
    strata = _strata(targets, rows)
    holdout = hold_out(np.arange(rows), units, strata, found.ids, how)
    for target in targets:
        _check_sides(target, holdout.splits)
    if given is None:
        holdout = replace(holdout, words=f"{how.folds} folds, seed {how.seed}")
    place = found.place if found.digests else None
    return Ready(found.name, found.features, tuple(targets), holdout, place, tuple(found.ids)), notes


def _strata(targets: Sequence[Target], rows: int) -> npt.NDArray[np.intp] | None:
    """(n,) what folds keep in proportion: the classes of the first such task, and which labels a row lacks."""
    first = next((target for target in targets if target.kind == "classification"), None)
    columns = []
    if first is not None:
        columns.append(np.full(rows, -1, np.intp))
        columns[0][first.rows] = first.values
    columns += [np.isin(np.arange(rows), target.rows).astype(np.intp) for target in targets if len(target) < rows]
    if not columns:
        return None
    return np.unique(np.stack(columns, axis=1), axis=0, return_inverse=True)[1].reshape(rows).astype(np.intp)


def _check_sides(target: Target, splits: Sequence[Split]) -> None:
    """Raise UsageError where too few rows of a split have a label of the task to learn or to test it."""
    for split in (split.among(target.rows) for split in splits):
        trained, tested = len(split.train), len(split.test)
        if trained < 2 or not tested:
            raise UsageError(
                f"{target.name}: too few samples have its label: {trained} to learn from and {tested} to test in a "
                "part of the split"
            )


def _record(ready: Ready, file: Path, notes: list[str]) -> dict[str, Any]:
    first = ready.holdout.splits[0]
    return {
        "name": ready.name, "samples": len(ready.features), "dimension": ready.features.shape[1],
        "tasks": {target.name: len(target.names) for target in ready.targets},
        "split": ready.holdout.words, "trained": len(first.train), "tested": len(first.test),
        "hash": file.stem.partition("-")[2], "notes": notes,
    }  # fmt: skip


def _origins(digests: Sequence[str], features: Float32s, ids: Sequence[str]) -> dict[str, str]:
    rows = (blake2b(row.tobytes()).hexdigest() for row in features)
    return dict(zip(rows, ids, strict=True)) | dict(zip(digests, ids, strict=False))


def _fit_images(
    source: ImageSource,
    place: str,
    stage: Stage,
    progress: Progress,
) -> tuple[FitSet, list[str], list[str]]:
    backbone, cache, seed = stage.backbone, stage.cache, stage.how.seed
    chosen = choose([None] * len(source), FIT_SAMPLES, seed)
    ids = [source.items[row].id for row in chosen]
    digests = [digest_of(item) for item in items_of(place, ids)]
    whole = Opened(Path(place).name, place, ids, {}, {}, None, None, digests)
    jobs = _parts(whole, stage)
    viewed = choose([None] * len(ids), VIEWED_IMAGES, seed)
    identity = [*backbone.identity, VIEWS]
    views = Extract(
        place,
        tuple(ids[row] for row in viewed),
        backbone.name,
        cache / f"views-{key_of(identity, [digests[row] for row in viewed])}.npz",
        views=True,
    )
    _run([views, *jobs], stage.workers, progress)
    features, good, _ = _read(jobs)
    arrays = read_arrays(views.file)
    assert arrays is not None
    kept = np.flatnonzero(good)
    fit_set = FitSet(features, features[:0], arrays["views"])
    return fit_set, [digests[row] for row in kept], [ids[row] for row in kept]
