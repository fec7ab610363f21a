"""What commands do, one call each from Python; `taskcodec` has them by name."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from taskcodec.data import open_source
from taskcodec.engines.local import Progress, feature_blocks
from taskcodec.engines.sources import backbone_for, check_device
from taskcodec.errors import SkippedWarning
from taskcodec.store import OK, SampleRecord

if TYPE_CHECKING:
    from taskcodec.evaluation.benchmark import BenchmarkPlan, Outcome


def features(
    source: str | Path, *, backbone: str | None = None, device: str | None = None, progress: Progress | None = None
) -> npt.NDArray[np.float32]:
    """(n, d) uncompressed features of a source, in the order of a store's samples, as `taskcodec features` writes them.

    Args:
        source: folder of images, list, shards, .npy or .parquet.
        backbone: what makes features of images, by name; the default one where it is not given.
        device: "cpu", "cuda", ...; CUDA where there is one by default.
        progress: called with (samples done, samples in all).

    Raises SourceError where nothing can be read, and warns (`SkippedWarning`) where some cannot.
    """
    check_device(device)
    opened, records = open_source(source), list[SampleRecord]()
    found = np.concatenate(list(feature_blocks(opened, records, backbone_for(opened, backbone, device), progress)))
    if failures := [record for record in records if record.status != OK]:
        first = failures[0]
        words = f"{source}: {len(failures)} of {len(opened)} samples left out (the first: {first.id}: {first.status})"
        warnings.warn(words, SkippedWarning, stacklevel=2)
    return found


def benchmark(
    places: str | Path | Sequence[str | Path],
    out: str | Path,
    plan: BenchmarkPlan | None = None,
    *,
    jobs: int | None = None,
) -> Outcome:
    """Measure rate against accuracy on labelled sets and write the report, as `taskcodec benchmark` does.

    Processes are started anew (spawn): a script that calls this needs `if __name__ == "__main__":`.

    Args:
        places: labelled folders of images, or files of features; one or several.
        out: folder for results.json, report.html, its plots, and what lets a stopped run go on.
        plan: what to measure and how, a `taskcodec.evaluation.benchmark.BenchmarkPlan`.
        jobs: processes; one a core by default.

    Raises what `taskcodec.evaluation.benchmark.benchmark` raises.
    """
    from taskcodec.evaluation.benchmark import benchmark as measure
    from taskcodec.evaluation.benchmark_report import write_benchmark_report

    several = [places] if isinstance(places, str | Path) else places
    outcome = measure([str(place) for place in several], out, plan, jobs=jobs or os.cpu_count() or 1)
    write_benchmark_report(outcome, out)
    return outcome
