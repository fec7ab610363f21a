"""Encoding on a Ray cluster: what is decided, and every byte, is as with one process; who computes differs.

    decide --> stretches of batches --Ray Data: actors with backbone and codec--> blocks --tasks--> chunks
                                                                      └─ records, counts ─> command: commits in order

Batches are cut by place in the source, as on one machine. A codec is fitted where the command runs, to features of at
most a few thousand samples, which the workers compute.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from taskcodec.data.sources import FeatureSource, ImageSource, Source
from taskcodec.engines.encode.decide import Decision, EncodeOptions, decide
from taskcodec.engines.encode.execute import Encoded, Tally, execute
from taskcodec.engines.encode.local import Batch, Batches, Progress
from taskcodec.engines.encode.records import BackboneLike
from taskcodec.engines.picture_coder import PictureCoder
from taskcodec.engines.ray.chunks import Chunks
from taskcodec.engines.ray.cluster import Workers, cluster, nodes_of, sized
from taskcodec.engines.ray.coder import FEATURES, Job, Told, rows_of, summary_of
from taskcodec.engines.ray.opening import looking_of, opening_of
from taskcodec.engines.ray.stream import blocks, stretch_length
from taskcodec.errors import TaskcodecError, UsageError
from taskcodec.store import StoreWriter

IMAGE_BATCHES = 8
STRETCH_BYTES = 2**25
"""A stretch is at most so many batches of images, or vectors whose features and symbols take so many bytes."""
READ_AHEAD = 2
"""Blocks whose summaries are asked for before they are needed."""


def encode_on_ray(
    given: str | Path | Source,
    store: Any,
    options: EncodeOptions,
    progress: Progress | None = None,
    address: str | None = None,
    workers: int | None = None,
) -> Encoded:
    """As `encode_job`, on the Ray cluster at an address, or one that is started on this machine for this call.

    Args:
        given: the source by name, or vectors in memory.
        store: folder that every worker sees, or URL; a zip file is packed where the command runs.
        options, progress: as those of `encode_job`; a `device` is that of the workers, "cpu" or "cuda".
        address: of a cluster; that of RAY_ADDRESS, where it is set.
        workers: how many; by default as many as the cluster has room for.

    Raises:
        ProcessError: there is no cluster, or it lost what it computed; the same call goes on.
        What `encode_job` does.
    """
    _check(given, store, workers)
    here = replace(options, device=None if options.device is None else "cpu")
    decision = decide(given, store, here)
    if decision.action == "nothing":
        return execute(decision, progress)
    if isinstance(decision.backbone, PictureCoder):
        raise UsageError("--engine ray: a codec of pictures codes on this machine alone; leave it out")
    with cluster(address, workers) as ray:
        images = isinstance(decision.request.source, ImageSource)
        engine = OnRay(ray, given, decision, sized(nodes_of(ray), workers, images, options.device))
        return execute(decision, progress, engine)


def _check(given: Any, store: Any, workers: int | None) -> None:
    if workers is not None and workers < 1:
        raise UsageError(f"--workers must be at least 1, found {workers}")
    if not isinstance(store, str | Path) or str(store).startswith("memory://"):
        raise UsageError(f"{store}: the workers of a cluster write to a folder or a URL, not to memory")
    if isinstance(given, ImageSource):
        raise UsageError(f"{given.name}: give the source by its name, by which each worker opens it")


class OnRay:
    """The workers of a cluster; see `taskcodec.engines.encode.execute.Engine`."""

    def __init__(self, ray: Any, given: Any, decision: Decision, workers: Workers) -> None:
        self.ray, self.workers = ray, workers
        opening = opening_of(str(given) if isinstance(given, str | Path) else given, decision)
        looking = looking_of(decision, workers.device)
        self.job = Job(opening, looking, workers.cpus, decision.first_index)
        self.summary = ray.remote(summary_of).options(num_cpus=0)
        self.rows = ray.remote(rows_of).options(num_cpus=0)

    def batches(self, source: Source, backbone: BackboneLike | None, first_index: int) -> Batches:
        """Batches that the workers compute, where there is something to compute."""
        if isinstance(source, FeatureSource):
            return Batches(source, backbone, first_index=first_index)
        return _Elsewhere(self, source, backbone, first_index)

    def write(self, batches: Batches, writer: StoreWriter, tally: Tally, progress: Progress | None) -> None:
        numbers = range(batches.number_of(tally.next_index), len(batches))
        most = IMAGE_BATCHES
        if isinstance(batches.source, FeatureSource):
            row_bytes = 4 * (tally.codec.dimension + tally.codec.columns)
            most = max(1, STRETCH_BYTES // (batches.size * row_bytes))
        ready = {number: self.ray.put(batch) for number, batch in batches.kept.items()} if self.job.looking else {}
        batches.kept.clear()
        job = replace(self.job, codec=tally.codec, next_index=tally.next_index, ready=ready)
        chunks = Chunks(self.ray, writer, ahead=2 * self.workers.count + 2)
        try:
            for block, told in self.run(job, numbers, stretch_length(len(numbers), self.workers.count, most)):
                self._watch(tally, block, told)
                records = [record for batch in told for record in tally.take(batch.coded)]
                chunks.append(records, block, sum(batch.rows for batch in told))
                if progress is not None:
                    progress(batches.end_of(told[-1].number), len(batches.source))
            chunks.close()
        except BaseException:
            chunks.leave()
            raise

    def run(self, job: Job, numbers: Iterable[int], length: int) -> Iterator[tuple[Any, list[Told]]]:
        """The blocks of stretches of so many batches, with their summaries. Raises what workers raised."""
        listed = list(numbers)
        stretches = [listed[start : start + length] for start in range(0, len(listed), length)]
        waiting = deque[tuple[Any, Any]]()
        for block in blocks(self.ray, job, stretches, self.workers) if stretches else ():
            waiting.append((block, self.summary.remote(block)))
            if len(waiting) > READ_AHEAD:
                yield self._told(*waiting.popleft())
        while waiting:
            yield self._told(*waiting.popleft())

    def _told(self, block: Any, summary: Any) -> tuple[Any, list[Told]]:
        found = self.ray.get(summary)
        if isinstance(found, TaskcodecError):
            raise found
        return block, found

    def _watch(self, tally: Tally, block: Any, told: list[Told]) -> None:
        """Look at those features of a block that tell of shift."""
        seen = sum(batch.seen for batch in told)
        if not seen:
            return
        wanted = tally.watch.wanted(seen)
        part = np.empty((0, 0), np.float32)
        if wanted.start < seen:
            part = self.ray.get(self.rows.remote(block, FEATURES, wanted))
        tally.watch.take(tally.codec, seen, part)


class _Elsewhere(Batches):
    """Batches of images that workers compute."""

    def __init__(self, engine: OnRay, source: Source, backbone: BackboneLike | None, first_index: int) -> None:
        super().__init__(source, backbone, first_index=first_index)
        self._engine = engine

    def run(self, numbers: Iterable[int]) -> Iterator[Batch]:
        listed = list(numbers)
        computed = self._computed([number for number in listed if number not in self.kept])
        for number in listed:
            yield self._kept(number) or next(computed)

    def _computed(self, numbers: list[int]) -> Iterator[Batch]:
        engine = self._engine
        length = stretch_length(len(numbers), engine.workers.count, IMAGE_BATCHES)
        for block, told in engine.run(engine.job, numbers, length):
            features = engine.ray.get(engine.rows.remote(block, FEATURES, slice(None)))
            start = 0
            for batch in told:
                own = features[start : start + batch.seen] if batch.seen else np.empty((0, 0), np.float32)
                yield Batch(batch.number, batch.coded.records, own)
                start += batch.seen
