"""Features for a fit, computed by the workers of a Ray cluster: the very ones that this process would compute."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from taskcodec.data.sources import FeatureSource
from taskcodec.engines.coded import one_blas_thread
from taskcodec.engines.computing import Asked, Computing, opened, views_of
from taskcodec.engines.encode.local import Batches, Features, Progress
from taskcodec.engines.ray.cluster import ANEW, check_workers, cluster, device_here, nodes_of, sized
from taskcodec.engines.ray.coder import Job
from taskcodec.engines.ray.opening import Opening, looking_for
from taskcodec.engines.ray.pool import Pool
from taskcodec.engines.ray.stream import RETRIES
from taskcodec.errors import TaskcodecError


@contextmanager
def computing_on_ray(asked: Asked, address: str | None, workers: int | None) -> Iterator[Computing]:
    """The workers of a cluster compute, see `encode_on_ray`; vectors, of which nothing is computed, are read here.

    Raises ProcessError where there is no cluster or it is lost, UsageError where it has no room for so many workers or
    lacks the device, and what opening the source does.
    """
    check_workers(workers)
    source, table, backbone = opened(asked, device_here(asked.device))
    if isinstance(source, FeatureSource) or backbone is None:
        yield Computing(source, table, Batches(source, backbone), partial(views_of, source, backbone))
        return
    own = None if asked.backbone is None or isinstance(asked.backbone, str) else asked.backbone
    opening = Opening(str(asked.given), asked.truncated, asked.labels, None, None, source.descriptor(), os.getcwd())
    with cluster(address, workers, ANEW) as ray:
        size = sized(nodes_of(ray), workers, True, asked.device)
        pool = Pool(ray, Job(opening, looking_for(backbone, own, size.device), size.cpus, first_index=0), size)
        yield Computing(source, table, pool.batches(source, backbone, 0), partial(_views, pool))


def _views(pool: Pool, progress: Progress | None = None) -> Features:
    """Those of one worker: they are few."""
    limits = {"num_cpus": pool.workers.cpus, "num_gpus": pool.workers.gpus or None, "max_retries": RETRIES}
    found: Features | TaskcodecError = pool.ray.get(
        pool.ray.remote(views_of_job).options(**limits).remote([pool.ray.put(pool.job)])
    )
    if isinstance(found, TaskcodecError):
        raise found
    return found


def views_of_job(held: list[Any]) -> Features | TaskcodecError:
    """What `views_of` gives of a job's source; a fault that is the user's affair is told, and not retried."""
    import ray
    import torch

    job: Job = ray.get(held[0])
    torch.set_num_threads(job.cpus)
    try:
        with one_blas_thread():
            return views_of(job.opening(), None if job.looking is None else job.looking())
    except TaskcodecError as error:
        return error
