"""`taskcodec.limits`: the command from Python."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from taskcodec.api.fit import FIT_SAMPLES
from taskcodec.api.stores import there
from taskcodec.atomic import replacing
from taskcodec.data import open_source
from taskcodec.engines.encode.local import Batches, Progress, sample_features
from taskcodec.engines.encode.places import finished_store
from taskcodec.engines.encode.sources import backbone_for, check_device
from taskcodec.errors import SourceError, StorageError, UsageError
from taskcodec.evaluation.limits.of_features import Limits, LimitsPlan, limits_of_features
from taskcodec.evaluation.limits.plot import write_plot
from taskcodec.evaluation.survival.of_store import is_store
from taskcodec.evaluation.survival.raw_features import Making, raw_of_store


def limits(
    source: Any,
    *,
    of: str | Path | None = None,
    raw: str | Path | None = None,
    plan: LimitsPlan | None = None,
    progress: Progress | None = None,
) -> Limits:
    """How few bits a source could take at an error, by the best known bounds, and how far our codecs are from that.

    >>> import numpy as np, taskcodec
    >>> found = taskcodec.limits(np.random.default_rng(0).normal(size=(400, 20)))
    >>> all(point.rate_upper_bits < point.codec_bits for point in found.points)
    True

    Args:
        source: folder of images, list, shards, .npy, .parquet, or a store, by name; or (n, d) vectors in any form.
        of: what a store was encoded from.
        raw: or its raw features, as `taskcodec features` writes them.
        plan: rates, and whose errors are meant.
        progress: called with (steps done, steps in all).

    Raises:
        UsageError: too few samples that differ, or a store without what it was made of.
        SourceError, MismatchError, BackboneError: as `taskcodec.fit_source` does.
    """
    plan = plan or LimitsPlan()
    check_device(plan.device)
    if not isinstance(source, str | Path):
        return limits_of_features("features", source, plan, progress=progress)
    name, of, raw = str(source), *(None if one is None else str(one) for one in (of, raw))
    if is_store(name):
        store = finished_store(there(name))
        features = raw_of_store(store, raw, of, Making(device=plan.device), progress).features
        return limits_of_features(name, features, plan, store.codec, progress)
    if of is not None or raw is not None:
        raise UsageError(f"{name}: --raw and --source go with a store")
    opened = open_source(name)
    batches = Batches(opened, backbone_for(opened, plan.backbone, plan.device))
    found = sample_features(batches, FIT_SAMPLES, progress)
    if not len(found):
        raise SourceError(f"{name}: limits need samples that can be read, found none{batches.fault()}")
    return limits_of_features(name, found, plan, progress=progress)


def write_limits(found: Limits, folder: Path) -> None:
    """Write limits.json and limits.svg. Raises StorageError where the folder cannot be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with replacing(folder / "limits.json") as temporary:
            temporary.write_text(json.dumps(asdict(found), indent=2) + "\n", encoding="utf-8")
        write_plot(found, folder / "limits.svg")
    except OSError as error:
        raise StorageError(f"{folder}: cannot be written ({error.strerror})") from error
