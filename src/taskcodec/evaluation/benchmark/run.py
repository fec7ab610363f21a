"""`taskcodec benchmark`: rate against accuracy of codecs on labelled sets, all measured in one run on the same data.

    folders --> features (cached) --> splits --+
                                               +--> codec at a setting --> probes on what it gives back --> point
    images to fit on --> features, views ------+                           (cached)

    points --> rows with paired intervals --> results.json

Raw features are one of the codecs ("float32"). A codec sees no labels; in the fitted regime it sees the training part
of each split alone. The whole set is coded, as a store of it would be, and codecs that refit their tables do so to what
they code, as `taskcodec encode` does; the tables are not counted. Probes train on the training part as the codec gives
it back and are tested on the test part.
"""

from __future__ import annotations

import json
import platform
import re
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, get_args

from threadpoolctl import threadpool_limits

from taskcodec.atomic import replacing
from taskcodec.engines.encode.local import Progress
from taskcodec.errors import SourceError, StorageError, UsageError
from taskcodec.evaluation.benchmark.cache import Ready, key_of, read_ready, scores_of
from taskcodec.evaluation.benchmark.candidates import (
    RAW_KEY,
    Choice,
    Key,
    check_rates,
    left_out,
    roster,
    source_of,
)
from taskcodec.evaluation.benchmark.jobs import Failures, Job, Measure, Workers
from taskcodec.evaluation.benchmark.prepare import NamedBackbone, Stage, prepare_fit_set, prepare_sets
from taskcodec.evaluation.benchmark.sets import LabelFiles, open_set, set_names
from taskcodec.evaluation.npz import make_folder, read_arrays
from taskcodec.evaluation.peers.codec_files import refuse_labelled_files
from taskcodec.evaluation.predictors.probing import Predictor
from taskcodec.evaluation.rates.curves import Point, Row, as_records, mean_rows, read_rows, rows
from taskcodec.evaluation.rates.regimes import AS_IS, REGIMES, ZERO_SHOT
from taskcodec.evaluation.tasks.holdout import Splits, Splitting

SAMPLES = 10_000
"""The most samples of a set. A process holds some ten arrays of SAMPLES features."""
_PACKAGES = ("taskcodec", "numpy", "scikit-learn", "faiss-cpu", "constriction", "pillow", "pillow-jxl-plugin", "torch")
Bars = Callable[[str], AbstractContextManager[Progress]]


@dataclass(frozen=True)
class BenchmarkPlan:
    """How to measure.

    Attributes:
        codecs: names of curves, "all", files of codecs, or "MODULE:FUNCTION"; none: all.
        rates: in bits a sample, for the codecs that take any; none: each codec's own sweep.
        regimes: "zero-shot", "fitted".
        backbone: what makes features of images, by name.
        fit_on: folder of images, or features, that zero-shot codecs are fitted on.
        labels, groups: CSV files of further tasks, and of samples that stay together.
        split: "auto" (folders train/ and test/ where there are any), "folders" or "folds".
        folds, seed: of the folds; the seed also draws samples of large sets.
        samples: the most of a set.
        probe: "ridge" or "logistic".
    """

    codecs: tuple[str, ...] = ()
    rates: tuple[float, ...] = ()
    regimes: tuple[str, ...] = REGIMES
    backbone: str = "lite0"
    fit_on: str | None = None
    labels: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    split: Splitting = "auto"
    folds: int = 3
    seed: int = 0
    samples: int = SAMPLES
    probe: Predictor = "ridge"

    def __post_init__(self) -> None:
        _ = self.splits  # which checks them
        if self.probe not in get_args(Predictor):
            raise UsageError(f"--probe {self.probe} is neither {' nor '.join(get_args(Predictor))}")

    @property
    def splits(self) -> Splits:
        """How each set is split."""
        return Splits(self.split, self.folds, 1, self.seed)


@dataclass(frozen=True, eq=False)
class Outcome:
    """What was measured.

    Attributes:
        points: every codec setting, with the sets it could be measured on.
        raw: the point of the raw features.
        rows: the same with intervals, and means over sets; what results.json holds.
        sets: the sets, ready.
        notes: what the reader should know, one line each.
        record: what run.json holds: versions, seed, hashes.
        choice: what the codecs were made from.
        fit_file: what zero-shot codecs were fitted on, in the cache; None where nothing was given.
    """

    points: tuple[Point, ...]
    raw: Point
    rows: tuple[Row, ...]
    sets: tuple[Ready, ...]
    notes: tuple[str, ...]
    record: dict[str, Any]
    choice: Choice
    fit_file: Path | None

    @property
    def complete(self) -> list[Point]:
        """The points that were measured on every set, so that their means can be compared."""
        return [point for point in self.points if point.scores.keys() == self.raw.scores.keys()]


@contextmanager
def silent(title: str) -> Iterator[Progress]:
    """No progress bar."""
    yield lambda done, total: None


def benchmark(
    places: Sequence[str],
    out: str | Path,
    plan: BenchmarkPlan | None = None,
    *,
    jobs: int = 1,
    bars: Bars = silent,
    command: Sequence[str] = (),
) -> Outcome:
    """Measure codecs on labelled sets; leaves results.json and run.json in `out`, and what lets a stopped run go on.

    Processes are started anew (spawn): a script that calls this needs `if __name__ == "__main__":`.

    Args:
        places: folders of images, or files of features, with labels (see `taskcodec.evaluation.benchmark.sets`).
        out: folder for results, cache/ and points/.
        plan: what to measure and how.
        jobs: processes, each with one thread; the figures do not depend on it.
        bars: title -> context manager of a progress callback.
        command: kept in run.json.

    Raises:
        UsageError: sets that cannot be learned, samples in both train/ and test/ or in --fit-on, unknown codecs, a
            codec fitted with the labels of one of the sets, rates that none gives.
        SourceError: nothing to read.
        StorageError: `out` cannot be written.
    """
    plan, folder = plan or BenchmarkPlan(), Path(out)
    if not places:
        raise UsageError("benchmark: needs at least one labelled folder")
    if plan.folds < 2 or plan.samples < 20 or jobs < 1:
        raise UsageError("benchmark: needs 2 folds, 20 samples and 1 job, or more")
    names = set_names(places)
    _check_out(folder, [*places, *([plan.fit_on] if plan.fit_on else [])])
    choice = Choice(plan.codecs, plan.regimes, plan.rates, plan.backbone, plan.fit_on is not None)
    roster(choice)  # a wrong name is told before anything is read
    refuse_labelled_files(plan.codecs, zip(places, names, strict=True))
    started, seconds = time.monotonic(), dict[str, float]()
    tables = LabelFiles(plan.labels, plan.groups)
    with bars("reading") as progress:
        opened = []
        for done, (place, name) in enumerate(zip(places, names, strict=True)):
            progress(done, len(places))
            opened.append(open_set(place, name, tables, plan.splits, plan.samples, alone=len(places) == 1))
    choice = replace(choice, pixels=all(found.features is None for found in opened))
    backbone = NamedBackbone(plan.backbone)
    if plan.rates:  # those beyond the features are told before any image is read
        sizes = [backbone.dimension if found.features is None else found.features.shape[1] for found in opened]
        check_rates(plan.rates, sizes)
    cache = folder / "cache"
    with Workers(jobs) as workers:
        stage = Stage(backbone, plan.splits, cache, workers)
        with bars("features") as progress:
            sets = prepare_sets(opened, stage, progress)
            fit_file, fit_record = None, None
            if plan.fit_on is not None:
                fit_file, fit_record = prepare_fit_set(plan.fit_on, sets, stage, progress)
        seconds["features"], started = time.monotonic() - started, time.monotonic()
        choice = replace(choice, sizes=tuple(found["dimension"] for found in sets.records))
        codecs = roster(choice)
        files = {
            key: _point_files(folder, key, [repr(codec), source_of(choice, key)], sets.files, fit_file, plan)
            for key, codec in codecs.items()
        }
        missing = _missing(choice, files, sets.files, fit_file, cache, plan.probe)
        with bars("codecs") as progress:
            failures = _measured(missing, list(files), workers, progress)
    seconds["codecs"], started = time.monotonic() - started, time.monotonic()
    ready = [read_ready(file) for file in sets.files]
    points = [_point(key, ready, files[key]) for key in codecs]
    raw = points[0]
    unprobed = [reason for (key, _), found in failures.items() if key == RAW_KEY for reason in found]
    if unprobed:
        raise UsageError(f"raw features cannot be probed: {unprobed[0]}")
    points = [point for point in points if point.scores]
    _refuse_unmet(plan.rates, points, failures)
    with bars("intervals") as progress:
        records = _rows(points, raw, plan.probe, ready, progress)
    seconds["intervals"] = time.monotonic() - started
    notes = (*sets.notes, *left_out(choice), *_failure_notes(failures))
    record = {
        "command": list(command),
        "versions": {"python": platform.python_version(), **_versions()},
        "seed": plan.seed, "split": plan.split, "folds": plan.folds, "samples": plan.samples, "probe": plan.probe,
        "rates": list(plan.rates), "regimes": list(plan.regimes), "backbone": backbone.record, "fit_on": fit_record,
        "sets": sets.records, "notes": list(notes), "seconds": {stage: round(s, 1) for stage, s in seconds.items()},
    }  # fmt: skip
    write_json(folder / "results.json", as_records(records))
    write_json(folder / "run.json", record)
    return Outcome(tuple(points), raw, tuple(records), tuple(ready), notes, record, choice, fit_file)


def write_json(path: Path, content: Any) -> None:
    """Write a file of JSON whole or not at all. Raises StorageError."""
    make_folder(path.parent)
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _check_out(out: Path, places: Sequence[str]) -> None:
    """Refuse to write among what is read, which a second run would take for images, and over what is not ours."""
    target = out.resolve()
    for place in places:
        source = Path(place).resolve()
        if target == source or source in target.parents:
            raise UsageError(f"{out}: lies in the source {place}; give another --out")
    if out.exists() and not out.is_dir():
        raise UsageError(f"{out}: a file, not a folder for the results")
    earlier = out / "results.json"
    if earlier.exists():
        try:
            read_rows(earlier)
        except SourceError as error:
            raise StorageError(f"{earlier}: not the results of a benchmark, so it is not replaced ({error})") from error


def _point_files(
    folder: Path, key: Key, made_of: Sequence[str], sets: Sequence[Path], fit_file: Path | None, plan: BenchmarkPlan
) -> list[Path]:
    """Where the points of one codec setting lie: names made of all that they depend on."""
    regime, name, setting = key
    made = [re.sub(r" at 0x[0-9a-f]+", "", part) for part in made_of]  # with the codec's own parameters
    fitted_on = "" if fit_file is None or regime == AS_IS else fit_file.stem
    slug = re.sub(r"[^\w.]+", "-", f"{regime} {name} {setting}").strip("-")[:80]
    versions = [_versions().get(package) for package in _PACKAGES]
    keys = (key_of(list(key), made, path.stem, fitted_on, plan.probe, plan.backbone, versions) for path in sets)
    return [folder / "points" / f"{slug}-{found}.npz" for found in keys]


def _missing(
    choice: Choice,
    files: dict[Key, list[Path]],
    sets: Sequence[Path],
    fit_file: Path | None,
    cache: Path,
    probe: Predictor,
) -> list[Measure]:
    """What is yet to be measured."""
    jobs: list[Measure] = []
    for key, points in files.items():
        pairs = [pair for pair in zip(sets, points, strict=True) if read_arrays(pair[1]) is None]
        parts = [pairs] if key[0] == ZERO_SHOT else [[pair] for pair in pairs]
        jobs += [Measure(choice, key, tuple(part), fit_file, cache, probe) for part in parts if part]
    return jobs


def _measured(
    jobs: Sequence[Measure], keys: Sequence[Key], workers: Workers, progress: Progress
) -> dict[tuple[Key, str], list[str]]:
    """Measure; what could not be, by codec setting, in the order of `keys`, and set, with the reasons."""
    failures: dict[tuple[Key, str], list[str]] = defaultdict(list)

    def done(job: Job, failed: Failures) -> None:
        assert isinstance(job, Measure)
        for name, reason in failed:
            failures[job.key, name].append(reason)

    workers.run(jobs, progress, done)
    order = {key: number for number, key in enumerate(keys)}
    return dict(sorted(failures.items(), key=lambda item: (order[item[0][0]], item[0][1])))


def _point(key: Key, sets: Sequence[Ready], files: Sequence[Path]) -> Point:
    bits, scores = {}, {}
    for ready, file in zip(sets, files, strict=True):
        arrays = read_arrays(file)
        if arrays is None:
            continue
        bits[ready.name], found = scores_of(arrays, ready.targets)
        scores.update({(ready.name, target.name): one for target, one in zip(ready.targets, found, strict=True)})
    return Point(*key, bits, scores)


def _refuse_unmet(rates: Sequence[float], points: Sequence[Point], failures: dict[tuple[Key, str], list[str]]) -> None:
    """Raise UsageError where codecs that take a rate gave a point at none of those asked for."""
    asked = {f"{rate:g}" for rate in rates}
    failed = [reason for ((_, _, setting), _), found in failures.items() if setting in asked for reason in found]
    if failed and not any(point.setting in asked for point in points):
        raise UsageError(f"--rates {', '.join(f'{rate:g}' for rate in rates)}: no codec gives any of them: {failed[0]}")


def _rows(points: Sequence[Point], raw: Point, probe: str, ready: Sequence[Ready], progress: Progress) -> list[Row]:
    split = {found.name: found.holdout.words for found in ready}
    result: list[Row] = []
    with threadpool_limits(1):  # the same sums whatever the machine's number of cores
        for done, point in enumerate(points):
            progress(done, len(points))
            result += rows([point], raw, probe, split) + mean_rows([point], raw, probe)
    return result


def _failure_notes(failures: dict[tuple[Key, str], list[str]]) -> list[str]:
    """A line for each codec, set and reason, with the settings."""
    found: dict[tuple[str, str, str, str], list[str]] = defaultdict(list)
    for ((regime, codec, setting), name), reasons in failures.items():
        for reason in reasons:
            found[regime, codec, name, reason].append(setting)
    return [
        f"{codec} ({regime}{', ' if any(settings) else ''}{'; '.join(settings)}): not measured on {name}: {reason}"
        for (regime, codec, name, reason), settings in found.items()
    ]


def _versions() -> dict[str, str]:
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
