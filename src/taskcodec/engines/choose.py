"""Who encodes: this process, or a cluster."""

from pathlib import Path
from typing import Any

from taskcodec.data.sources import Source
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
    name, _, address = engine.partition(":")
    if name == RAY:
        from taskcodec.engines.ray.engine import encode_on_ray

        return encode_on_ray(given, store, options, progress, address or None, workers)
    if engine != LOCAL:
        raise UsageError(f"--engine {engine}: local, ray or ray:ADDRESS is expected")
    if workers is not None:
        raise UsageError("--workers goes with --engine ray: this process takes all processors by itself")
    return encode_job(given, store, options, progress)
