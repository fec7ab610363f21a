"""`taskcodec.benchmark`: the command from Python."""

import os
from collections.abc import Sequence
from pathlib import Path

from taskcodec.evaluation.benchmark.extras import write_benchmark_report
from taskcodec.evaluation.benchmark.run import Bars, BenchmarkPlan, Outcome, silent
from taskcodec.evaluation.benchmark.run import benchmark as measure


def benchmark(
    places: str | Path | Sequence[str | Path],
    out: str | Path,
    plan: BenchmarkPlan | None = None,
    *,
    jobs: int | None = None,
    bars: Bars = silent,
    command: Sequence[str] = (),
) -> Outcome:
    """Measure rate against accuracy on labelled sets and write the report, as `taskcodec benchmark` does.

    Processes are started anew (spawn): a script that calls this needs `if __name__ == "__main__":`.

    Args:
        places: labelled folders of images, or files of features; one or several.
        out: folder for results.json, report.html, its plots, and what lets a stopped run go on.
        plan: what to measure and how.
        jobs: processes; one a core by default.
        bars: title -> context manager of a progress callback.
        command: kept in run.json.

    Raises what `taskcodec.evaluation.benchmark.run.benchmark` raises.
    """
    several = [places] if isinstance(places, str | Path) else places
    names = [str(place) for place in several]
    outcome = measure(names, out, plan, jobs=jobs or os.cpu_count() or 1, bars=bars, command=command)
    write_benchmark_report(outcome, out)
    return outcome
