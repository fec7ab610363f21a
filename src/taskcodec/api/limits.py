"""`taskcodec.limits` and `taskcodec.task_limits`: the command from Python."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from taskcodec.api.fit import FIT_SAMPLES
from taskcodec.api.stores import there
from taskcodec.atomic import replacing
from taskcodec.codec import Codec
from taskcodec.data import open_source
from taskcodec.engines.encode.local import Batches, Progress, sample_features
from taskcodec.engines.encode.places import finished_store
from taskcodec.engines.encode.sources import backbone_for, check_device, labelled
from taskcodec.errors import SourceError, StorageError, UsageError
from taskcodec.evaluation.limits.of_features import Limits, LimitsPlan, limits_of_features
from taskcodec.evaluation.limits.of_tasks import TaskLimits, limits_of_task
from taskcodec.evaluation.limits.plot import write_plot
from taskcodec.evaluation.survival.of_store import is_store, targets_of
from taskcodec.evaluation.survival.raw_features import Making, raw_of_store
from taskcodec.evaluation.tasks.targets import make_target
from taskcodec.store import OK, Store
from taskcodec.words import counted, few


def limits(
    source: Any,
    *,
    of: str | Path | None = None,
    raw: str | Path | None = None,
    plan: LimitsPlan | None = None,
    progress: Progress | None = None,
) -> Limits:
    """How few bits a source could take at an error, by the best known bounds, and how far our codecs are from that.

    >>> import numpy as np, taskcodec
    >>> found = taskcodec.limits(np.random.default_rng(0).normal(size=(400, 20)))
    >>> all(point.rate_upper_bits < point.codec_bits for point in found.points)
    True

    Args:
        source: folder of images, list, shards, .npy, .parquet, or a store, by name; or (n, d) vectors in any form.
        of: what a store was encoded from.
        raw: or its raw features, as `taskcodec features` writes them.
        plan: rates, and whose errors are meant.
        progress: called with (steps done, steps in all).

    Raises:
        UsageError: a store without what it was made of.
        SourceError: too few samples that differ; and as `taskcodec.fit_source` does.
        MismatchError, BackboneError: as `taskcodec.fit_source` does.
    """
    plan = plan or LimitsPlan()
    check_device(plan.device)
    if not isinstance(source, str | Path):
        return limits_of_features("features", source, plan, progress=progress)
    name, of, raw = str(source), _named(of), _named(raw)
    if is_store(name):
        features, codec = _of_store(name, of, raw, plan, progress)[1:]
        return limits_of_features(name, features, plan, codec, progress)
    read = _of_source(name, None, of, raw, plan, progress)
    found = limits_of_features(name, read.features, plan, progress=progress)
    return replace(found, notes=(*read.notes, *found.notes))


def task_limits(
    source: Any,
    *,
    labels: str | Path | Sequence[Any] | None = None,
    of: str | Path | None = None,
    raw: str | Path | None = None,
    plan: LimitsPlan | None = None,
    progress: Progress | None = None,
) -> TaskLimits:
    """How few bits would do for one task of classes alone, by the best known bound, and what our codecs take.

    >>> import numpy as np, taskcodec
    >>> y = np.arange(400) % 4
    >>> x = 4 * np.eye(4, 20)[y] + np.random.default_rng(0).normal(size=(400, 20))
    >>> found = taskcodec.task_limits(x, labels=y, plan=LimitsPlan(bits=(30,), peers=False))
    >>> found.points[0].rate_upper_bits < 3 < found.points[0].codec_bits
    True

    Args:
        source: as of `limits`.
        labels: "FILE.csv" or "FILE.csv:COLUMN"; or one for each of (n, d) vectors; by default those of folders or of
            the store. Samples without one are left out.
        of, raw, progress: as of `limits`.
        plan: rates and effort.

    Raises:
        UsageError: no labels, numbers to regress for labels, or a store without what it was made of.
        SourceError: too few samples that differ, or labels that are no classes; and as `taskcodec.fit_source` does.
        MismatchError, BackboneError: as `taskcodec.fit_source` does.
    """
    plan = plan or LimitsPlan()
    check_device(plan.device)
    if not isinstance(source, str | Path):
        if labels is None or isinstance(labels, str | Path):
            raise UsageError("features: labels of vectors are a sequence, one for each")
        return limits_of_task("features", source, labels, plan, progress=progress)
    if not isinstance(labels, str | Path | None):
        raise UsageError(f"{source}: labels of a source are named, FILE.csv or FILE.csv:COLUMN")
    name, of, raw, table = str(source), _named(of), _named(raw), _named(labels)
    if is_store(name):
        store, features, codec = _of_store(name, of, raw, plan, progress)
        targets, faults = targets_of(store, name, [] if table is None else [table], ())
        if len(targets) != 1:
            raise UsageError(f"{name}: {'; '.join(faults) or 'name one column of labels (FILE.csv:COLUMN)'}")
        target = targets[0]
        notes = list[str]()
    else:
        codec = None
        read = _of_source(name, table, of, raw, plan, progress)
        features, given, notes = read.features, read.labels, read.notes
        if not any(label is not None for label in given):
            raise UsageError(f"{name}: no labels; folders named by class have some, or give --labels FILE.csv:COLUMN")
        target = make_target("label" if table is None else table, given)
    if target.kind != "classification":
        raise UsageError(f"{name}: {target.name} is of the kind {target.kind}; log loss is of classes")
    found = limits_of_task(name, features[target.rows], target.values.tolist(), plan, codec, progress)
    return replace(found, notes=(*notes, *found.notes))


@dataclass(frozen=True, eq=False)
class _Read:
    """Features of a source, a label or None for each, and what to know of those that could not be read."""

    features: npt.NDArray[np.float32]
    labels: list[str | None]
    notes: list[str]


def _named(given: str | Path | None) -> str | None:
    return None if given is None else str(given)


def _of_store(
    name: str, of: str | None, raw: str | None, plan: LimitsPlan, progress: Progress | None
) -> tuple[Store, npt.NDArray[np.float32], Codec]:
    """A store, its raw features and its codec."""
    store = finished_store(there(name))
    return store, raw_of_store(store, raw, of, Making(device=plan.device), progress).features, store.codec


def _of_source(
    name: str, labels: str | None, of: str | None, raw: str | None, plan: LimitsPlan, progress: Progress | None
) -> _Read:
    """Features of a source, of FIT_SAMPLES samples of it or some more."""
    if of is not None or raw is not None:
        raise UsageError(f"{name}: --raw and --source go with a store")
    opened = labelled(open_source(name), labels)[0]
    batches = Batches(opened, backbone_for(opened, plan.backbone, plan.device))
    found = sample_features(batches, FIT_SAMPLES, progress)
    if not len(found):
        raise SourceError(f"{name}: limits need samples that can be read, found none{batches.fault()}")
    records = [record for number in sorted(batches.kept) for record in batches.kept[number].records]
    left_out = [f"{record.id}: {record.status}" for record in records if record.status != OK]
    notes = (
        [f"{name}: {counted(len(left_out), 'sample is', 'samples are')} left out: {few(left_out)}"] if left_out else []
    )
    return _Read(found, [record.label for record in records if record.status == OK], notes)


def write_limits(found: Limits | TaskLimits, folder: Path) -> None:
    """Write limits.json and limits.svg. Raises StorageError where the folder cannot be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with replacing(folder / "limits.json") as temporary:
            temporary.write_text(json.dumps(asdict(found), indent=2) + "\n", encoding="utf-8")
        write_plot(found, folder / "limits.svg")
    except OSError as error:
        raise StorageError(f"{folder}: cannot be written ({error.strerror})") from error
