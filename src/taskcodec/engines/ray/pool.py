"""The workers of a cluster as who computes batches: of any, in any order, wherever they are wanted."""

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from taskcodec.data.sources import FeatureSource, Source
from taskcodec.engines.encode.local import Batch, Batches
from taskcodec.engines.encode.records import BackboneLike
from taskcodec.engines.ray.cluster import Workers
from taskcodec.engines.ray.coder import FEATURES, Job, Told, rows_of, summary_of
from taskcodec.engines.ray.stream import blocks, stretch_length
from taskcodec.errors import TaskcodecError

IMAGE_BATCHES = 8
"""Batches of images in a stretch, at most."""
READ_AHEAD = 2
"""Blocks whose summaries are asked for before they are needed."""


class Pool:
    """Workers that have been told of a source, and perhaps of a backbone."""

    def __init__(self, ray: Any, job: Job, workers: Workers) -> None:
        self.ray, self.job, self.workers = ray, job, workers
        self.summary = ray.remote(summary_of).options(num_cpus=0)
        self.rows = ray.remote(rows_of).options(num_cpus=0)

    def batches(self, source: Source, backbone: BackboneLike | None, first_index: int) -> Batches:
        """Batches that the workers compute, where there is something to compute."""
        if isinstance(source, FeatureSource):
            return Batches(source, backbone, first_index=first_index)
        return _Elsewhere(self, source, backbone, first_index)

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


class _Elsewhere(Batches):
    """Batches of images that workers compute."""

    def __init__(self, pool: Pool, source: Source, backbone: BackboneLike | None, first_index: int) -> None:
        super().__init__(source, backbone, first_index=first_index)
        self._pool = pool

    def run(self, numbers: Iterable[int]) -> Iterator[Batch]:
        listed = list(numbers)
        computed = self._computed([number for number in listed if number not in self.kept])
        for number in listed:
            yield self._kept(number) or next(computed)

    def _computed(self, numbers: list[int]) -> Iterator[Batch]:
        pool = self._pool
        length = stretch_length(len(numbers), pool.workers.count, IMAGE_BATCHES)
        for block, told in pool.run(pool.job, numbers, length):
            features = pool.ray.get(pool.rows.remote(block, FEATURES, slice(None)))
            start = 0
            for batch in told:
                own = features[start : start + batch.seen] if batch.seen else np.empty((0, 0), np.float32)
                yield Batch(batch.number, batch.coded.records, own)
                start += batch.seen
