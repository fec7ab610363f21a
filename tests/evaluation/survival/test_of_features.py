"""Whole evaluations of features: what they say about codecs whose effect is known."""

import numpy as np
import pytest

import taskcodec
from taskcodec.errors import MismatchError, UsageError
from taskcodec.evaluation.scores.verdict import LOSSLESS, LOSSY, UNDECIDED
from taskcodec.evaluation.survival.of_features import Coded, Compared, EvaluationPlan, evaluate_features, headlines
from taskcodec.evaluation.tasks.targets import make_target

CODED = Coded("set", "codec", "setting", 12.5)
QUICK = EvaluationPlan(predictors=("ridge",), folds=3, repeats=1)


def data(seed, n=240, d=12):
    """Three classes, a number and a set of labels that the features speak of, with noise."""
    rng = np.random.default_rng(seed)
    classes = rng.integers(0, 3, n)
    x = 1.2 * np.eye(3, d)[classes] * 2 + rng.normal(size=(n, d))
    number = x[:, 3] + 0.5 * x[:, 4] + 0.5 * rng.normal(size=n)
    flags = x[:, 5:8] + 0.5 * rng.normal(size=(n, 3)) > 0
    columns = {
        "class": [f"c{c}" for c in classes],
        "number": [f"{v:.6f}" for v in number],
        "flags": [";".join(["any"] + [str(i) for i in np.flatnonzero(row)]) for row in flags],
    }
    return x.astype("f4"), columns


def run(raw, decoded, columns, plan=QUICK, ids=None, groups=None, progress=None):
    targets = [make_target(name, column) for name, column in columns.items()]
    names = [str(i) for i in range(len(raw))] if ids is None else ids
    return evaluate_features(Compared(raw, decoded, names, groups), targets, CODED, plan=plan, progress=progress)


def test_rows_hold_everything_there_is_to_know():
    x, columns = data(0)
    rows = run(x, x, columns)
    found = {(row.task, row.probe, row.metric) for row in rows}
    assert found == {
        *(("class", "ridge", metric) for metric in ("accuracy", "log_loss")),
        *(("class", "retrieval", metric) for metric in ("recall@1", "recall@5", "recall@10", "retrieval_map")),
        *(("class", f"{k}-shot", "accuracy") for k in (1, 5, 10)),
        *(("number", "ridge", metric) for metric in ("r2", "mae")),
        *(("flags", "ridge", metric) for metric in ("map", "subset_accuracy")),
    }
    assert [(row.task, row.metric) for row in headlines(rows)] == [
        ("class", "accuracy"), ("number", "r2"), ("flags", "map"),
    ]  # fmt: skip
    for row in rows:
        assert (row.codec, row.set, row.bits_per_sample, row.samples) == ("codec", "set", 12.5, 240)
        assert row.low <= row.value <= row.high
        assert row.value == row.raw_value
        assert row.difference == 0
        assert row.difference_low <= 0 <= row.difference_high
        assert row.verdict in (LOSSLESS, UNDECIDED)
    assert next(row for row in rows if row.metric == "mae").delta == pytest.approx(0.02 * 0.9, rel=0.25)


@pytest.mark.slow
def test_codecs_that_lose_nothing_are_not_called_lossy():
    """The features themselves, a rotation of them, and noise far below theirs, over many sets."""
    rng, called, told = np.random.default_rng(0), 0, 0
    for seed in range(2):
        x, columns = data(seed)
        turned = x @ np.linalg.qr(rng.normal(size=(12, 12)))[0]
        for decoded in (x, 3 * turned, x + 0.01 * rng.normal(size=x.shape)):
            rows = run(x, decoded.astype("f4"), columns)
            called += sum(row.verdict == LOSSY for row in rows)
            told += len(rows)
    assert called <= 0.025 * told


@pytest.mark.slow
def test_fresh_noise_in_useless_features_is_not_called_a_loss():
    """Predictors differ by the luck of training, but none is better on average: intervals must know of that luck."""
    lossy, told = 0, 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        useful, y = rng.normal(size=(150, 6)), None
        y = useful[:, 0] + 0.5 * useful[:, 1] + 0.7 * rng.normal(size=150)
        raw, decoded = (np.hstack([useful, rng.normal(size=(150, 12))]).astype("f4") for _ in range(2))
        rows = run(raw, decoded, {"y": [f"{v:.5f}" for v in y]}, EvaluationPlan(repeats=1))
        lossy += sum(row.verdict == LOSSY for row in rows)
        told += len(rows)
    assert lossy <= told * 0.025 + 2.6 * np.sqrt(told * 0.025)


@pytest.mark.parametrize("destroy", ["shuffled", "constant", "noise"])
@pytest.mark.slow
def test_a_codec_that_destroys_the_label_is_always_caught(destroy):
    rng = np.random.default_rng(0)
    for seed in range(3):
        x, columns = data(seed)
        decoded = {"shuffled": rng.permutation(x), "constant": np.ones_like(x), "noise": rng.normal(size=x.shape)}[
            destroy
        ]
        assert {row.verdict for row in headlines(run(x, decoded.astype("f4"), columns))} == {LOSSY}


@pytest.mark.slow
def test_lossless_where_raw_features_only_guess_says_so():
    x, columns = data(0, n=600)
    rng = np.random.default_rng(5)
    rare, noise = (np.where(rng.random(len(x)) < 0.03, "yes", "no").tolist(), rng.random(len(x)).astype(str).tolist())
    for row in headlines(run(x, x, {"rare": rare, "noise": noise})):
        assert row.verdict == LOSSLESS
        assert "nothing to lose" in row.words
    assert all("nothing to lose" not in row.words for row in headlines(run(x, x, columns)))


def test_a_task_outside_the_kept_information_shows_as_such():
    x, columns = data(1)
    kept = np.zeros_like(x)
    kept[:, :3] = x[:, :3]  # what the classes need
    verdicts = {row.task: row for row in headlines(run(x, kept, columns))}
    assert verdicts["class"].difference > -0.02
    assert verdicts["number"].verdict == verdicts["flags"].verdict == LOSSY


@pytest.mark.slow
def test_the_codec_of_few_bits_loses_and_that_of_many_does_not():
    x, columns = data(2, n=1000)
    many, few = (taskcodec.fit(x, bits=bits) for bits in (90, 4))
    for codec, verdict in ((many, LOSSLESS), (few, LOSSY)):
        row = headlines(run(x, codec.decode(codec.encode(x)), {"class": columns["class"]}))[0]
        assert row.verdict == verdict, row.words


@pytest.mark.slow
def test_the_same_seed_says_the_same():
    x, columns = data(3)
    decoded = x + np.float32(0.5) * np.random.default_rng(1).normal(size=x.shape).astype("f4")
    assert run(x, decoded, columns) == run(x, decoded, columns)
    assert run(x, decoded, columns) != run(
        x, decoded, columns, EvaluationPlan(predictors=("ridge",), folds=3, repeats=1, seed=1)
    )


def test_deltas_decide():
    x, columns = data(4)
    decoded = x + np.float32(0.3) * np.random.default_rng(1).normal(size=x.shape).astype("f4")
    loose, strict = (
        run(
            x,
            decoded,
            {"class": columns["class"]},
            EvaluationPlan(predictors=("ridge",), folds=3, repeats=1, deltas={"accuracy": delta}),
        )[0]
        for delta in (0.5, 1e-6)
    )
    assert (loose.verdict, loose.delta) == (LOSSLESS, 0.5)
    assert strict.verdict != LOSSLESS


def test_twins_stay_together_and_groups_too():
    """Labels by chance, every sample twice: only leakage could predict them."""
    rng = np.random.default_rng(5)
    x = np.repeat(rng.normal(size=(80, 30)), 2, axis=0).astype("f4")
    labels = {"class": np.repeat(rng.choice(["a", "b"], 80), 2).tolist()}
    plan = EvaluationPlan(predictors=("knn",))
    for raw, groups in (
        (x, None),
        (x + rng.normal(scale=1e-3, size=x.shape).astype("f4"), np.repeat(np.arange(80), 2)),
    ):
        rows = run(raw, raw, labels, plan, groups=groups)
        assert all(row.raw_value < 0.68 for row in rows if row.metric == "accuracy")
    assert run(x + rng.normal(scale=1e-3, size=x.shape).astype("f4"), x, labels, plan)[0].raw_value > 0.8


def test_leakage_between_folders_is_refused():
    x, columns = data(6)
    x[200] = x[10]
    ids = [f"{'train' if i < 150 else 'test'}/{i}.jpg" for i in range(240)]
    with pytest.raises(UsageError, match="both sides"):
        run(x, x, columns, ids=ids)
    x[200] += 1
    assert {row.samples for row in run(x, x, columns, ids=ids)} == {90}


def test_samples_without_a_label_are_left_out_of_their_task():
    x, columns = data(7)
    columns["class"] = [label if i % 2 else None for i, label in enumerate(columns["class"])]
    assert {row.task: row.samples for row in headlines(run(x, x, columns))} == {
        "class": 120,
        "number": 240,
        "flags": 240,
    }


def test_progress_reaches_its_end():
    x, columns = data(8)
    seen = []
    run(x, x, columns, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1][0] == seen[-1][1]


def test_misuse_is_refused():
    x, columns = data(9)
    with pytest.raises(MismatchError, match="decoded"):
        run(x, x[:, :5], columns)
    with pytest.raises(MismatchError, match="NaN"):
        run(x, np.where(np.arange(12) == 0, np.nan, x), columns)
    with pytest.raises(UsageError, match="--predictors"):
        run(x, x, columns, EvaluationPlan(predictors=("magic",)))


@pytest.mark.parametrize("outlier", [1e9, 1e12, 1e30])
def test_one_number_far_from_all_others_leaves_a_verdict_in_words(outlier):
    """Draws without it have a deviation that is lost where numbers are taken from their mean."""
    x, columns = data(0)
    columns = {"number": [*columns["number"][:-1], f"{outlier:g}"]}
    row = headlines(run(x, x + 0.3 * np.random.default_rng(0).normal(size=x.shape).astype("f4"), columns))[0]
    assert np.isfinite([row.low, row.high, row.difference_low, row.difference_high]).all()
    assert row.verdict == UNDECIDED
    assert "(more than a million tested samples would be)" in row.words


@pytest.mark.parametrize("odd", ["6", "1e200"])
def test_numbers_that_cannot_be_scored_are_refused_by_the_name_of_their_task(odd):
    x, columns = data(0)
    column = ["5"] * 239 if odd == "6" else columns["number"][:-1]
    target = make_target("price", [*column, odd], "regression")
    with np.errstate(over="ignore"), pytest.raises(UsageError, match=r"price: r2 cannot be scored: .* leave outliers"):
        evaluate_features(Compared(x, x, [str(i) for i in range(240)]), [target], CODED, plan=QUICK)
