"""The benchmark's jobs, and the processes that do them.

Each process runs one thread of arithmetic, so that figures do not depend on how many there are, and holds one set and
one codec at a time, so that memory is bounded by their number. A job writes files named by content (see
`taskcodec.evaluation.benchmark.cache`) and leaves alone what is there: whatever stops a run, the next goes on.
"""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context, parent_process
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from taskcodec.data.items import ImageSource
from taskcodec.engines.encode.local import Progress
from taskcodec.errors import StorageError, TaskcodecError
from taskcodec.evaluation.benchmark.cache import (
    Ready,
    key_of,
    point_arrays,
    read_fit_set,
    read_ready,
)
from taskcodec.evaluation.benchmark.candidates import Choice, Key, roster
from taskcodec.evaluation.benchmark.sets import items_of
from taskcodec.evaluation.npz import read_arrays, write_arrays
from taskcodec.evaluation.peers.measured import Subject
from taskcodec.evaluation.peers.protocol import FitSet, Float32s
from taskcodec.evaluation.predictors.probing import Predictor, probe_scores
from taskcodec.store import OK

VIEWS = 3
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
Failures = list[tuple[str, str]]
"""Of a job: the set and the reason, for what could not be measured."""


class Job(Protocol):
    """Something to do in another process."""

    def __call__(self) -> Failures: ...
    @property
    def words(self) -> str: ...


@dataclass(frozen=True)
class Extract:
    """Features of some images of a source, and of VIEWS augmented views of each where a file for them is given.

    The file holds `features` (m, d) of the images that could be read, `good` (n,) which these are, and `reasons` (n,).
    """

    place: str
    ids: tuple[str, ...]
    backbone: str
    file: Path
    views: bool = False

    @property
    def words(self) -> str:
        return f"features of {self.place}"

    def __call__(self) -> Failures:
        from taskcodec.transforms.backbones import load_backbone

        if read_arrays(self.file) is None:
            backbone, source = load_backbone(self.backbone), ImageSource(self.place, items_of(self.place, self.ids))
            write_arrays(self.file, {"views": _views(source, backbone)} if self.views else _features(source, backbone))
        return []


@dataclass(frozen=True)
class Measure:
    """One codec setting on some sets; a zero-shot codec is fitted once for all of them.

    sets: (the set's file, the point's file) for each.
    """

    choice: Choice
    key: Key
    sets: tuple[tuple[Path, Path], ...]
    fit_file: Path | None
    cache: Path
    probe: Predictor

    @property
    def words(self) -> str:
        return " ".join(self.key)

    def __call__(self) -> Failures:
        codec = roster(self.choice)[self.key]
        general = None if self.fit_file is None else read_fit_set(self.fit_file)
        failures: Failures = []
        for set_file, point_file in self.sets:
            if read_arrays(point_file) is not None:
                continue
            ready = read_ready(set_file)
            try:
                bits, decoded = codec.measure(self._subject(ready, general))
                scores = [probe_scores(target, ready.holdout, decoded, self.probe) for target in ready.targets]
            except (StorageError, MemoryError):
                raise
            except (Exception, SystemExit) as error:  # one codec's fault, perhaps of the user's own: told, not fatal
                failures.append((ready.name, _reason(error)))
            else:
                if math.isfinite(bits) and bits > 0:
                    write_arrays(point_file, point_arrays(bits, scores))
                else:
                    failures.append((ready.name, f"{bits:g} bits a sample are not a rate"))
        return failures

    def _subject(self, ready: Ready, general: FitSet | None) -> Subject:
        features = ready.features

        def images() -> ImageSource:
            assert ready.place is not None
            # Named by what is in them, so that the cache serves only these very images.
            return ImageSource(key_of(features), items_of(ready.place, ready.ids))

        return Subject(features, ready.holdout.splits, general, images, self.choice.backbone, self.cache)


def _features(source: ImageSource, backbone: Any) -> dict[str, Any]:
    from taskcodec.engines.encode.local import Batches

    records, features = Batches(source, backbone, readers=2).whole()
    features = features.reshape(-1, backbone.spec.dimension)
    finite = np.isfinite(features).all(axis=1)
    reasons = np.array([record.status for record in records], dtype=np.str_)
    good = reasons == OK
    reasons[np.flatnonzero(good)[~finite]] = "NaN or infinity (as float32) among its features"
    good[np.flatnonzero(good)[~finite]] = False
    return {"features": features[finite], "good": good, "reasons": reasons}


def _views(source: ImageSource, backbone: Any) -> Float32s:
    from taskcodec.engines.encode.augmented_views import drawn_views
    from taskcodec.engines.encode.local import BATCH

    squares = []
    for number in range(len(source)):
        generators = [np.random.default_rng([view, number]) for view in range(VIEWS)]
        squares += drawn_views(source, number, generators, backbone.preprocess.crop)
    parts = [backbone(np.stack(squares[i : i + BATCH])) for i in range(0, len(squares), BATCH)]
    found = np.concatenate(parts) if parts else np.empty((0, backbone.spec.dimension), np.float32)
    return np.ascontiguousarray(found.reshape(-1, VIEWS, backbone.spec.dimension).transpose(1, 0, 2))


def _reason(error: Exception | SystemExit) -> str:
    """One line that says what went wrong; faiss puts its own file and line in front."""
    text = " ".join(str(error).split()) or type(error).__name__
    text = text.rpartition("failed: ")[2] if " at /" in text or " at faiss/" in text else text
    return text if isinstance(error, TaskcodecError) else f"{type(error).__name__}: {text}"


def _start() -> None:
    """A worker whose parent was killed would go on with the jobs it has been handed."""
    parent = parent_process()

    def watch() -> None:
        if parent is not None:
            parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _call(job: Job) -> Failures:
    return job()


@contextmanager
def _environment() -> Iterator[None]:
    """One thread for every process started inside."""
    before = {name: os.environ.get(name) for name in _THREADS}
    os.environ.update(dict.fromkeys(_THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


class Workers:
    """Processes that do jobs, kept from one stage to the next.

    Raises TaskcodecError where a process dies, as it does when memory runs out.
    """

    def __init__(self, processes: int) -> None:
        self._pool = ProcessPoolExecutor(processes, get_context("spawn"), initializer=_start)

    def run(self, jobs: Sequence[Job], progress: Progress, done: Callable[[Job, Failures], None]) -> None:
        """Do all jobs, in any order; `done` is called in this process as each ends."""
        progress(0, len(jobs))
        with _environment():
            futures = {self._pool.submit(_call, job): job for job in jobs}
            try:
                for count, future in enumerate(as_completed(futures), 1):
                    done(futures[future], future.result())
                    progress(count, len(jobs))
            except BrokenProcessPool as error:
                raise TaskcodecError(
                    "a worker process was killed, perhaps for want of memory: the same command with fewer --jobs or "
                    "--samples goes on where this one stopped"
                ) from error

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)
