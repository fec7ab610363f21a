"""`taskcodec.benchmark`: the command, with its report."""

import numpy as np

import taskcodec
from taskcodec.evaluation.benchmark.run import BenchmarkPlan


def test_benchmark_measures_and_writes_the_report(tmp_path):
    rng = np.random.default_rng(0)
    labels = np.arange(60) % 3
    np.savez(
        tmp_path / "a.npz", features=(3 * np.eye(3, 8)[labels] + rng.normal(size=(60, 8))).astype("f4"), labels=labels
    )
    plan = BenchmarkPlan(codecs=("sign",), regimes=("fitted",))
    outcome = taskcodec.benchmark(tmp_path / "a.npz", tmp_path / "out", plan, jobs=1)
    assert {row.codec for row in outcome.rows} >= {"sign"}
    assert "<html" in (tmp_path / "out" / "report.html").read_text()
    assert (tmp_path / "out" / "results.json").exists()
