"""Labels of the benchmark's sets: gaps in them, numbers among them, and samples that count as one."""

from dataclasses import replace

import numpy as np
import pytest

from taskcodec.errors import SourceError, UsageError
from taskcodec.evaluation.benchmark.diagnosis import extras_of
from taskcodec.evaluation.benchmark.run import benchmark
from tests.evaluation.benchmark.test_run import CHEAP, RAW_ONLY


def test_gaps_in_one_column_thin_out_that_task_alone(tmp_path):
    """Codecs see all samples, the mean over tasks is of all, and the report is drawn."""
    rng = np.random.default_rng(0)
    kinds = np.arange(90) % 3
    np.save(tmp_path / "x.npy", (3 * np.eye(3, 16)[kinds] + rng.normal(size=(90, 16))).astype("f4"))
    rare = ["" if i % 3 else f"r{i % 2}" for i in range(90)]
    price = ["" if i < 50 else f"{i / 7:.3f}" for i in range(90)]
    kind = ["" if i == 6 else f"k{k}" for i, k in enumerate(kinds)]
    lines = [",".join(map(str, line)) for line in zip(range(90), kind, rare, price, strict=True)]
    (tmp_path / "y.csv").write_text("\n".join(["id,kind,rare,price", *lines]))
    plan = replace(CHEAP, labels=(f"{tmp_path}/y.csv",))
    outcome = benchmark([str(tmp_path / "x.npy")], tmp_path / "out", plan)
    assert {(r.task, r.metric, r.samples) for r in outcome.rows} == {
        ("kind", "accuracy", 89), ("rare", "accuracy", 30), ("price", "r2", 40), ("mean accuracy", "accuracy", 89),
    }  # fmt: skip
    notes = "\n".join(outcome.notes)
    for says in ("kind: 1 sample without its label", "rare: 60 samples without", "price: 50 samples without"):
        assert says in notes
    for split in outcome.sets[0].holdout.splits:
        assert len(split.train) + len(split.test) == 90
    assert [change.samples for change in extras_of(outcome).classes if change.name in ("r0", "r1")] == [15, 15]
    mean = [r for r in outcome.rows if r.task == "mean accuracy" and r.codec == "taskcodec"]
    assert all(np.isfinite([r.low, r.high, r.difference_low, r.difference_high]).all() for r in mean)


def test_a_task_with_too_few_labels_is_refused_by_name(tmp_path):
    rng = np.random.default_rng(0)
    names = [f"{'train' if i % 2 else 'test'}/{i}" for i in range(60)]
    np.savez(tmp_path / "x.npz", features=rng.normal(size=(60, 8)).astype("f4"), labels=np.arange(60) % 2, ids=names)
    lines = [f"{name},{i // 2 % 2},{i / 7 if i % 2 else ''}" for i, name in enumerate(names)]
    (tmp_path / "y.csv").write_text("\n".join(["id,kind,price", *lines]))
    with pytest.raises(UsageError, match="x: price: too few samples have its label: 30 to learn from and 0 to test"):
        benchmark([str(tmp_path / "x.npz")], tmp_path / "out", replace(CHEAP, labels=(f"{tmp_path}/y.csv",)))


def test_numbers_taken_for_classes_are_told_what_can_be_done_here(tmp_path):
    np.save(tmp_path / "x.npy", np.random.default_rng(0).normal(size=(12, 8)).astype("f4"))
    (tmp_path / "y.csv").write_text("\n".join(["id,rank,name", *(f"{i},{i},n{i}" for i in range(12))]))
    for column, says in (
        ("rank", r"\.npz file, or `taskcodec evaluate --kind regression`\)$"),
        ("name", "12 samples$"),
    ):
        with pytest.raises(SourceError, match=f"x: {column}: needs two classes.*{says}") as caught:
            benchmark(
                [str(tmp_path / "x.npy")], tmp_path / "out", replace(CHEAP, labels=(f"{tmp_path}/y.csv:{column}",))
            )
        assert " --kind" not in str(caught.value).replace("taskcodec evaluate --kind", "")


def test_samples_that_count_as_one_are_told_and_why(tmp_path):
    def told(name, says, **arrays):
        rng = np.random.default_rng(0)
        features = rng.normal(size=(60, 8)).astype("f4")
        np.savez(tmp_path / f"{name}.npz", **{"features": features, "labels": np.arange(60) % 3, **arrays})
        with pytest.raises(UsageError, match=rf"^{name}: {says}") as caught:
            benchmark([str(tmp_path / f"{name}.npz")], tmp_path / "out", RAW_ONLY)
        assert "\n" not in str(caught.value)

    told("flat", "its 60 samples count as one: 60 of 60 have all features in common", features=np.ones((60, 8), "f4"))
    told("one", "its 60 samples count as one: 60 of 60 have an id in common with others, such as a$", ids=["a"] * 60)
    told(
        "few",
        r"3 classes with a single sample, .* \(samples that share something count as one: 60 of 60 have an id",
        ids=np.array([f"s{i % 3}" for i in range(60)]),
    )
    told(
        "house",
        "1 class with a single sample, .*: 20 of 60 have a group",
        groups=np.where(np.arange(60) % 3, np.arange(60), -1),
    )
    np.save(tmp_path / "flat.npy", np.zeros((60, 8), "f4"))
    (tmp_path / "y.csv").write_text("\n".join(["id,kind,price", *(f"{i},{i % 3},{i / 7}" for i in range(60))]))
    for column in ("kind", "price"):
        plan = replace(RAW_ONLY, labels=(f"{tmp_path}/y.csv:{column}",))
        with pytest.raises(UsageError, match=r"^flat: its 60 samples count as one: 60 of 60 have all features"):
            benchmark([str(tmp_path / "flat.npy")], tmp_path / "out", plan)
