"""Encoding on a Ray cluster: what is decided, and every byte, is as with one process; who computes differs.

    decide --> stretches of batches --Ray Data: actors with backbone and codec--> blocks --tasks--> chunks
                                                                      └─ records, counts ─> command: commits in order

Batches are cut by place in the source, as on one machine. A codec is fitted where the command runs, to features of at
most a few thousand samples, which the workers compute.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from taskcodec.data.sources import FeatureSource, ImageSource, Source
from taskcodec.engines.encode.decide import Decision, EncodeOptions, decide
from taskcodec.engines.encode.execute import Encoded, Tally, execute
from taskcodec.engines.encode.local import Batches, Progress
from taskcodec.engines.picture_coder import PictureCoder
from taskcodec.engines.ray.chunks import Chunks
from taskcodec.engines.ray.cluster import Workers, check_workers, cluster, device_here, nodes_of, sized
from taskcodec.engines.ray.coder import FEATURES, Job, Told
from taskcodec.engines.ray.opening import looking_of, opening_of
from taskcodec.engines.ray.pool import IMAGE_BATCHES, Pool
from taskcodec.engines.ray.stream import stretch_length
from taskcodec.errors import UsageError
from taskcodec.store import StoreWriter

STRETCH_BYTES = 2**25
"""A stretch of vectors is at most so many that their features and symbols take so many bytes."""


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
    here = replace(options, device=device_here(options.device))
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
    check_workers(workers)
    if not isinstance(store, str | Path) or str(store).startswith("memory://"):
        raise UsageError(f"{store}: the workers of a cluster write to a folder or a URL, not to memory")
    if isinstance(given, ImageSource):
        raise UsageError(f"{given.name}: give the source by its name, by which each worker opens it")


class OnRay(Pool):
    """The workers of a cluster; see `taskcodec.engines.encode.execute.Engine`."""

    def __init__(self, ray: Any, given: Any, decision: Decision, workers: Workers) -> None:
        opening = opening_of(str(given) if isinstance(given, str | Path) else given, decision)
        looking = looking_of(decision, workers.device)
        super().__init__(ray, Job(opening, looking, workers.cpus, decision.first_index), workers)

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
