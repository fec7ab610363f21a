"""`taskcodec.benchmark`: the command from Python."""

import os
from collections.abc import Sequence
from pathlib import Path

from taskcodec.errors import as_name, check_kind, listed
from taskcodec.evaluation.benchmark.diagnosis import write_benchmark_report
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

    The arguments, and what is raised, are those of `taskcodec.evaluation.benchmark.run.benchmark`; one place may stand
    alone, and there is a process for each core unless `jobs` says how many. They are started anew (spawn): a script
    that calls this needs `if __name__ == "__main__":`.
    """
    names = [as_name("what is measured", place, "a labelled folder or file, by name") for place in listed(places)]
    as_name("out", out, "the name of a folder")
    check_kind("plan", plan, (BenchmarkPlan, type(None)), "a BenchmarkPlan")
    outcome = measure(names, out, plan, jobs=jobs or os.cpu_count() or 1, bars=bars, command=command)
    write_benchmark_report(outcome, out)
    return outcome
