"""Ray Data at work: stretches of a source go to a pool of actors, their blocks come back in the order of the source.

The executor streams: it starts no more than the object store has room for while the command takes blocks one by one.
"""

import inspect
import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pyarrow as pa

from taskcodec.engines.ray.cluster import Workers
from taskcodec.engines.ray.coder import NUMBERS, Coder, Job

RESTARTS, RETRIES = 100, 3
"""How often an actor is started again, and a stretch tried again: a sample that kills whoever reads it ends the run."""
_LIMITING = "ray_remote_args_fn"
MOST_STRETCHES = 10_000
"""Beyond, stretches get longer: Ray Data holds a handle of each."""


def stretch_length(batches: int, workers: int, most: int) -> int:
    """How many batches a worker takes at once: about four turns for each worker, but at most so many batches."""
    short = min(most, max(1, batches // (4 * workers)))
    return max(short, -(-batches // MOST_STRETCHES))


def blocks(ray: Any, job: Job, stretches: Sequence[Sequence[int]], workers: Workers) -> Iterator[Any]:
    """The references of the blocks of stretches of batches, one for each, in their order."""
    import ray.data as data

    held = [ray.put(job)]
    with _in_order(data.DataContext.get_current()):
        for bundle in _coded(data, held, stretches, workers).iter_internal_ref_bundles():
            yield from bundle.block_refs


def _coded(data: Any, held: list[Any], stretches: Sequence[Sequence[int]], workers: Workers) -> Any:
    """The data set of the blocks; nothing is computed yet."""
    numbers = [pa.table({NUMBERS: pa.array([list(stretch)], pa.list_(pa.int64()))}) for stretch in stretches]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", f"`{_LIMITING}` is deprecated")
        return data.from_arrow(numbers).map_batches(
            Coder,
            fn_constructor_args=(held,),
            batch_size=1,
            batch_format="pyarrow",
            compute=data.ActorPoolStrategy(size=min(workers.count, len(stretches))),
            num_cpus=workers.cpus / 2,  # the workers of a machine that is lost then find room on the others
            num_gpus=workers.gpus or None,
            **_limits(data.Dataset.map_batches),
        )


def _limits(map_batches: Any) -> dict[str, Any]:
    """What limits the retries of a pool's actors; newer versions of Ray Data have limits of their own alone."""
    limits = {"max_restarts": RESTARTS, "max_task_retries": RETRIES}
    return {_LIMITING: lambda: limits} if _LIMITING in inspect.signature(map_batches).parameters else {}


@contextmanager
def _in_order(context: Any) -> Iterator[None]:
    """Ray Data's settings for as long as a stream runs: blocks in order, nothing shown."""
    options, logger = context.execution_options, logging.getLogger("ray.data")
    before = options.preserve_order, context.enable_progress_bars, logger.level
    options.preserve_order, context.enable_progress_bars = True, False
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        options.preserve_order, context.enable_progress_bars = before[:2]
        logger.setLevel(before[2])
