"""Who computes: this process, or a cluster."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from taskcodec.data.sources import Source
from taskcodec.engines.computing import Asked, Computing, computing_here
from taskcodec.engines.encode.decide import EncodeOptions
from taskcodec.engines.encode.execute import Encoded, encode_job
from taskcodec.engines.encode.local import Progress
from taskcodec.errors import UsageError

LOCAL, RAY = "local", "ray"


def encode_with(
    engine: str,
    workers: int | None,
    given: str | Path | Source,
    store: Any,
    options: EncodeOptions,
    progress: Progress | None = None,
) -> Encoded:
    """Encode a source with an engine: "local", "ray" or "ray:ADDRESS", of so many workers; see `encode_job`.

    Raises UsageError where there is no such engine, or where it has no workers to be counted, and what engines raise.
    """
    address = address_of(engine, workers)
    if address is None:
        return encode_job(given, store, options, progress)
    from taskcodec.engines.ray.engine import encode_on_ray

    return encode_on_ray(given, store, options, progress, address or None, workers)


@contextmanager
def computing_with(engine: str, workers: int | None, asked: Asked) -> Iterator[Computing]:
    """Who computes features of a source, for as long as they are needed; raises what `encode_with` does."""
    address = address_of(engine, workers)
    if address is None:
        yield computing_here(asked)
        return
    from taskcodec.engines.ray.features import computing_on_ray

    with computing_on_ray(asked, address or None, workers) as computing:
        yield computing


def address_of(engine: str, workers: int | None) -> str | None:
    """Of an engine's cluster, "" where it has none yet; None of this process, which has no workers to be counted."""
    name, _, address = engine.partition(":")
    if name == RAY:
        return address
    if engine != LOCAL:
        raise UsageError(f"--engine {engine}: local, ray or ray:ADDRESS is expected")
    if workers is not None:
        raise UsageError("--workers goes with --engine ray: this process takes all processors by itself")
    return None
