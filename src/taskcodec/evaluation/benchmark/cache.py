"""What the benchmark keeps between its stages and between runs, each file named by the content it comes from.

    cache/part-KEY.npz     features of some images of a set         KEY: backbone, bytes of the images
    cache/views-KEY.npz    features of their augmented views        the same
    cache/pixels-KEY.npz   features of images after a pixel codec   see `taskcodec.evaluation.peers.pixels`
    cache/set-KEY.npz      a set ready to be measured               features, labels, splits
    cache/fit-KEY.npz      what zero-shot codecs are fitted on      features
    points/NAME-KEY.npz    one codec setting on one set             the set's KEY, the fit's KEY, codec, probe

Nothing is ever looked up by name or time alone: other images, weights, labels, splits or settings are other files. All
are written whole or not at all.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from taskcodec.evaluation.npz import Arrays, read_arrays, write_arrays
from taskcodec.evaluation.peers.protocol import FitSet
from taskcodec.evaluation.scores.intervals import Scores
from taskcodec.evaluation.tasks.holdout import Holdout, Split
from taskcodec.evaluation.tasks.targets import Kind, Target

Float32s = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Ready:
    """A set ready to be measured.

    Attributes:
        name: of the set.
        features: (n, d) float32.
        targets: of classes or numbers.
        holdout: how it is split, for all tasks alike.
        place: where its images lie; None for a set of features.
        ids: (n,) names of the samples.
    """

    name: str
    features: Float32s
    targets: tuple[Target, ...]
    holdout: Holdout
    place: str | None
    ids: tuple[str, ...]


def key_of(*parts: Any) -> str:
    """24 hex digits that stand for arrays, bytes and plain values."""
    digest = hashlib.sha256()
    for part in parts:
        if isinstance(part, np.ndarray):
            head, body = f"{part.dtype} {part.shape}", np.ascontiguousarray(part).tobytes()
        else:
            head, body = "value", json.dumps(part, sort_keys=True).encode()
        digest.update(f"{head} {len(body)}\n".encode())
        digest.update(body)
    return digest.hexdigest()[:24]


def write_ready(ready: Ready, folder: Path) -> Path:
    """Write a set under a name made of all that a measurement sees of it."""
    targets, holdout, count = ready.targets, ready.holdout, len(ready.features)
    arrays: Arrays = {"features": ready.features}
    if holdout.grouped:
        arrays["groups"] = holdout.units
    for number, target in enumerate(targets):
        arrays[f"targets-{number}"] = target.spread(count)
        if len(target) < count:
            arrays[f"rows-{number}"] = target.rows
    for number, split in enumerate(holdout.splits):
        arrays[f"train-{number}"], arrays[f"test-{number}"] = split.train, split.test
    record = {
        "name": ready.name, "tasks": [[target.name, target.metric] for target in targets],
        "names": [target.names for target in targets], "place": ready.place, "ids": ready.ids, "words": holdout.words,
    }  # fmt: skip
    path = folder / f"set-{key_of(*(part for pair in sorted(arrays.items()) for part in pair), record)}.npz"
    if read_arrays(path) is None:
        write_arrays(path, {**arrays, "record": np.frombuffer(json.dumps(record).encode(), np.uint8)})
    return path


def read_ready(path: Path) -> Ready:
    """Invert `write_ready`."""
    with np.load(path, allow_pickle=False) as file:
        record = json.loads(file["record"].tobytes())
        features, targets = file["features"], []
        every = np.arange(len(features))
        for number, ((name, _), names) in enumerate(zip(record["tasks"], record["names"], strict=True)):
            rows = file[key] if (key := f"rows-{number}") in file.files else every
            kind: Kind = "classification" if names else "regression"
            targets.append(Target(name, kind, rows, file[f"targets-{number}"][rows], tuple(names)))
        units = file["groups"] if "groups" in file.files else every
        count = sum(name.startswith("train-") for name in file.files)
        splits = tuple(Split(file[f"train-{i}"], file[f"test-{i}"]) for i in range(count))
    holdout = Holdout(splits, units, record["words"])
    return Ready(record["name"], features, tuple(targets), holdout, record["place"], tuple(record["ids"]))


def write_fit_set(fit_set: FitSet, folder: Path) -> Path:
    """Write what codecs are fitted on, under a name made of it."""
    path = folder / f"fit-{key_of(fit_set.features, fit_set.views)}.npz"
    if read_arrays(path) is None:
        write_arrays(path, {"features": fit_set.features, "views": fit_set.views})
    return path


def read_fit_set(path: Path) -> FitSet:
    """Invert `write_fit_set`."""
    with np.load(path, allow_pickle=False) as file:
        features, views = file["features"], file["views"]
    return FitSet(features, features[:0], views)


def point_arrays(bits: float, scores: Sequence[Scores]) -> Arrays:
    """What a point's file holds: its mean bits and, for each task, the parts of its scores."""
    arrays: Arrays = {"bits": np.array(bits)}
    for number, found in enumerate(scores):
        parts = {"units": found.units, "targets": found.targets, "predictions": found.predictions}
        arrays |= {f"{name}-{number}": part for name, part in parts.items()}
    return arrays


def scores_of(arrays: Mapping[str, npt.NDArray[Any]], targets: Sequence[Target]) -> tuple[float, list[Scores]]:
    """Invert `point_arrays`."""
    found = []
    for number, target in enumerate(targets):
        units, truth, said = (arrays[f"{part}-{number}"] for part in ("units", "targets", "predictions"))
        found.append(Scores(units, truth, said, "accuracy" if target.kind == "classification" else "r2"))
    return float(arrays["bits"]), found
