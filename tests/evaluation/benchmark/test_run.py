import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from taskcodec.errors import SourceError, StorageError, UsageError
from taskcodec.evaluation.benchmark.candidates import Choice, roster
from taskcodec.evaluation.benchmark.diagnosis import extras_of
from taskcodec.evaluation.benchmark.run import BenchmarkPlan, benchmark
from taskcodec.evaluation.benchmark.sets import choose, class_of, digest_of, items_of, set_names
from taskcodec.evaluation.rates.curves import MEAN_SET

FITTED = ("fitted",)
RAW_ONLY = BenchmarkPlan(codecs=("float32",), regimes=("fitted",))
CHEAP = BenchmarkPlan(codecs=("taskcodec", "sign", "int8"), rates=(12.0, 40.0), regimes=("fitted",))


def save_features(path, rows=90, shift=0.0, seed=0, **more):
    rng = np.random.default_rng(seed)
    labels = np.arange(rows) % 3
    features = np.abs(np.eye(3, 24)[labels] * 3 + rng.normal(size=(rows, 24)) + shift).astype("f4")
    np.savez(path, features=features, labels=labels, **more)
    return str(path)


def save_image(path, base, seed, side=24):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(base, base + 70, size=(side, side, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)


def image_folder(root, names=("cat", "dög 猫"), count=6, prefix=""):
    for number, name in enumerate(names):
        for i in range(count):
            save_image(root / prefix / name / f"{i}.png", 20 + 110 * number, 100 * number + i)
    return root


def row(outcome, codec, name, setting="", task="class"):
    return next(r for r in outcome.rows if (r.codec, r.set, r.setting, r.task) == (codec, name, setting, task))


@pytest.fixture(scope="module")
def toys(tmp_path_factory):
    folder = tmp_path_factory.mktemp("toys")
    save_features(folder / "a.npz")
    save_features(folder / "b.npz", rows=60, seed=1, price=np.arange(60.0), groups=np.arange(60) // 2)
    return folder


@pytest.fixture(scope="module")
def measured(toys):
    places = [str(toys / "a.npz"), str(toys / "b.npz")]
    return places, toys / "out", benchmark(places, toys / "out", CHEAP)


@pytest.mark.slow
def test_rows_hold_every_set_task_and_the_mean(measured):
    _, out, outcome = measured
    records = json.loads((out / "results.json").read_text())
    assert len(records) == len(outcome.rows) == 5 * (3 + 1)
    assert {(r["set"], r["task"], r["metric"]) for r in records} == {
        ("a", "class", "accuracy"), ("b", "class", "accuracy"), ("b", "price", "r2"),
        (MEAN_SET, "mean accuracy", "accuracy"),
    }  # fmt: skip
    assert all(r["low"] <= r["value"] <= r["high"] for r in records)
    raw = row(outcome, "float32", "a")
    assert (raw.regime, raw.bits_per_sample, raw.value, raw.difference) == ("as is", 24 * 32, raw.raw_value, 0)
    assert row(outcome, "float32", "b").samples == 30, "what the bootstrap draws are groups"
    assert row(outcome, "taskcodec", "a", "40").bits_per_sample == pytest.approx(40, rel=0.05)
    values = [row(outcome, "taskcodec", name, "40").value for name in ("a", "b")]
    assert row(outcome, "taskcodec", MEAN_SET, "40", "mean accuracy").value == pytest.approx(np.mean(values))
    record = json.loads((out / "run.json").read_text())
    assert record["seed"] == 0
    assert [found["name"] for found in record["sets"]] == ["a", "b"]
    assert all(found["hash"] and found["split"] == "3 folds, seed 0" for found in record["sets"])


@pytest.mark.parametrize("jobs", [1, pytest.param(2, marks=pytest.mark.slow)])
@pytest.mark.slow
def test_the_bytes_do_not_depend_on_the_jobs_and_points_are_read_again(measured, jobs):
    places, out, _ = measured
    whole = (out / "results.json").read_bytes()
    benchmark(places, out.parent / f"jobs{jobs}", CHEAP, jobs=jobs)
    assert (out.parent / f"jobs{jobs}" / "results.json").read_bytes() == whole
    points = {file: file.stat().st_mtime_ns for file in (out / "points").iterdir()}
    benchmark(places, out, CHEAP)
    assert points == {file: file.stat().st_mtime_ns for file in (out / "points").iterdir()}
    next(iter(points)).write_bytes(b"PK\x03\x04 cut off")
    benchmark(places, out, CHEAP)
    assert (out / "results.json").read_bytes() == whole


@pytest.mark.slow
def test_another_input_is_not_mixed_with_old_points(tmp_path):
    plan = BenchmarkPlan(codecs=("sign",), regimes=("fitted",))
    place = save_features(tmp_path / "a.npz")
    first = benchmark([place], tmp_path / "out", plan)
    save_features(tmp_path / "a.npz", shift=2.0, seed=5)
    second = benchmark([place], tmp_path / "out", plan)
    assert row(first, "sign", "a").value != row(second, "sign", "a").value
    assert len(list((tmp_path / "out" / "points").iterdir())) == 4


@pytest.mark.slow
def test_a_killed_run_goes_on(tmp_path):
    """kill -9 once a point is there: the workers end as well, the next run does only the rest."""
    (tmp_path / "slow.py").write_text(
        "import time\n"
        "from dataclasses import dataclass\n"
        "from taskcodec.evaluation.peers.scalar import Cast\n"
        "@dataclass(frozen=True)\n"
        "class Slow:\n"
        "    setting: str\n"
        "    name: str = 'slow'\n"
        "    def fit(self, fit_set):\n"
        "        open(f'fitted-{self.setting}', 'a').write('x')\n"
        "        if self.setting != '0': time.sleep(0 if __import__('os').path.exists('quick') else 60)\n"
        "        return Cast('float16')\n"
        "def codecs(regime):\n"
        "    return [Slow(str(i)) for i in range(3)]\n"
    )
    place = save_features(tmp_path / "a.npz", rows=30)
    script = "from taskcodec.cli.main import main; main()"
    command = [sys.executable, "-c", script, "benchmark", place, "--out", "out", "--codecs", "slow:codecs"]
    command += ["--regime", "fitted", "--jobs", "1"]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE) as first:
        deadline = time.monotonic() + 60
        while not list(tmp_path.glob("out/points/*slow-0*.npz")) and time.monotonic() < deadline:
            time.sleep(0.05)
        os.kill(first.pid, signal.SIGKILL)
        first.wait()
        first.stderr.read()  # ends once the workers have ended too
    assert list(tmp_path.glob("out/points/*slow-0*.npz"))
    assert not (tmp_path / "out" / "results.json").exists()
    (tmp_path / "quick").touch()
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    records = json.loads((tmp_path / "out" / "results.json").read_text())
    assert {r["setting"] for r in records if r["codec"] == "slow"} == {"0", "1", "2"}
    assert (tmp_path / "fitted-0").read_text() == "xxx", "three folds, once"


@pytest.mark.slow
def test_images_go_through_the_backbone_and_pixel_codecs_too(tmp_path):
    root = image_folder(tmp_path / "pets 猫", count=6)
    (root / "cat" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    (root / "notes.txt").write_text("no image")
    plan = BenchmarkPlan(codecs=("taskcodec", "PNG"), rates=(100.0,), regimes=("zero-shot",))
    outcome = benchmark([str(root)], tmp_path / "out", plan)
    assert {(r.regime, r.codec) for r in outcome.rows} >= {
        ("as is", "float32"), ("as is", "PNG"), ("zero-shot", "taskcodec"),
    }  # fmt: skip
    assert {r.set for r in outcome.rows} == {"pets 猫"}
    assert {r.samples for r in outcome.rows} == {12}
    notes = "\n".join(outcome.notes)
    assert "cat/broken.png" in notes
    assert "notes.txt" in notes
    assert "only our bundled codec" in notes
    whole = [r for r in outcome.rows if r.codec == "PNG" and r.setting.endswith("32")]
    sizes = [file.stat().st_size for file in root.rglob("*/[0-9].png")]
    assert whole[0].bits_per_sample == pytest.approx(8 * np.mean(sizes), rel=0.1)
    assert whole[0].difference == 0, "PNG keeps every pixel"
    strips = extras_of(outcome).neighbours
    assert strips[0].query.caption == "cat"
    assert len(strips[0].raw) == len(strips[0].decoded) == 5


def test_the_report_shows_where_our_bits_go_and_which_classes_suffer(measured):
    _, _, outcome = measured
    extras = extras_of(outcome)
    (picture,) = extras.dimensions
    assert picture.name.startswith("taskcodec, ")
    assert len(picture.rate_bits) == len(picture.step) > 0
    assert {change.name for change in extras.classes} == {f"{name}: {number}" for name in "ab" for number in range(3)}
    assert extras.neighbours == (), "features have no pictures"
    assert extras.notes == outcome.notes


@pytest.mark.slow
def test_the_given_split_is_the_split_and_what_lies_on_both_sides_is_refused(tmp_path):
    """The names of feature rows have folders too."""
    names = np.array([f"{'train' if i % 2 else 'test'}/{i}.png" for i in range(60)])
    place = save_features(tmp_path / "pets.npz", rows=60, ids=names)
    outcome = benchmark([place], tmp_path / "out", RAW_ONLY)
    assert {(r.split, r.samples) for r in outcome.rows} == {("by folder", 30)}
    (split,) = outcome.sets[0].holdout.splits
    assert all(name.startswith("train/") for name in names[split.train])
    assert all(name.startswith("test/") for name in names[split.test])
    with np.load(place) as file:
        arrays = dict(file)
    arrays["features"][6] = arrays["features"][3]
    np.savez(place, **arrays)
    with pytest.raises(UsageError, match=r"pets: .*train/3.png and test/6.png"):
        benchmark([place], tmp_path / "out", RAW_ONLY)
    told = benchmark([place], tmp_path / "out", replace(RAW_ONLY, split="folds"))
    assert "1 sample is a copy of others" in "\n".join(told.notes)


@pytest.mark.slow
def test_copies_of_a_file_in_train_and_test_are_refused_before_they_are_measured(tmp_path):
    for side, base in (("train", 0), ("test", 1000)):
        for number, name in enumerate(("cat", "dog")):
            save_image(tmp_path / "pets" / side / name / "0.png", 20 + 110 * number, base + number)
            save_image(tmp_path / "pets" / side / name / "1.png", 20 + 110 * number, base + 10 + number)
    (tmp_path / "pets/test/dog/1.png").write_bytes((tmp_path / "pets/train/dog/0.png").read_bytes())
    with pytest.raises(UsageError, match=r"pets: .*train/dog/0.png and test/dog/1.png"):
        benchmark([str(tmp_path / "pets")], tmp_path / "out", RAW_ONLY)


@pytest.mark.slow
def test_what_is_fitted_on_must_not_be_measured(toys, tmp_path):
    plan = BenchmarkPlan(codecs=("sign",), fit_on=str(toys / "a.npz"))
    with pytest.raises(UsageError, match=r"90 samples are in a too"):
        benchmark([str(toys / "a.npz")], tmp_path / "out", plan)
    other = save_features(tmp_path / "other.npz", seed=7)
    np.save(tmp_path / "narrow.npy", np.ones((50, 5), "f4"))
    with pytest.raises(UsageError, match=r"5 features a sample, a has 24"):
        benchmark(
            [str(toys / "a.npz")], tmp_path / "out", BenchmarkPlan(("sign",), fit_on=str(tmp_path / "narrow.npy"))
        )
    outcome = benchmark([str(toys / "a.npz")], tmp_path / "out", BenchmarkPlan(("sign",), fit_on=other))
    assert {(r.regime, r.codec) for r in outcome.rows} == {
        ("as is", "float32"),
        ("zero-shot", "sign"),
        ("fitted", "sign"),
    }


@pytest.mark.slow
def test_images_that_are_measured_and_fitted_on_are_counted_once(tmp_path):
    """By its bytes and by its features it is the same image; a copy saved anew in another format is found too."""
    pets, others = image_folder(tmp_path / "pets", count=4), image_folder(tmp_path / "others", ("bird",), 3)
    (others / "bird" / "cat.png").write_bytes((pets / "cat" / "1.png").read_bytes())
    Image.open(pets / "cat" / "2.png").save(others / "bird" / "cat.bmp")
    (others / "bird" / "0.png").write_bytes(b"")
    for name in ("1.png", "2.png"):
        save_image(others / "bird" / name, 20, 999 + int(name[0]))
    plan = BenchmarkPlan(codecs=("sign",), regimes=("zero-shot",), fit_on=str(others))
    with pytest.raises(UsageError, match=r"others: 2 samples are in pets too .*, so they would not be new"):
        benchmark([str(pets)], tmp_path / "out", plan)
    (others / "bird" / "cat.bmp").unlink()
    with pytest.raises(UsageError, match=r"1 sample is in pets too \(bird/cat.png is cat/1.png\), so it would"):
        benchmark([str(pets)], tmp_path / "out", plan)


def test_a_codec_that_cannot_be_fitted_is_told_and_the_rest_goes_on(tmp_path):
    place = save_features(tmp_path / "small.npz", rows=60)
    outcome = benchmark([place], tmp_path / "out", BenchmarkPlan(codecs=("pq", "sign"), regimes=("fitted",)))
    assert {r.codec for r in outcome.rows} == {"float32", "sign"}
    assert any(note.startswith("PQ (fitted, PQ16x8; PQ32x8; ") for note in outcome.notes)
    assert len(outcome.complete) == 2


@pytest.mark.slow
def test_codecs_that_exit_or_give_back_what_is_no_result_are_told_and_the_rest_goes_on(tmp_path, monkeypatch):
    (tmp_path / "faulty_codecs.py").write_text(
        "import sys\n"
        "from dataclasses import dataclass\n"
        "@dataclass(frozen=True)\n"
        "class Faulty:\n"
        "    name: str\n"
        "    setting: str = ''\n"
        "    def fit(self, fit_set):\n"
        "        return sys.exit(3) if self.name == 'leaves early' else self\n"
        "    def encode_decode(self, x):\n"
        "        if self.name == 'leaves': sys.exit(3)\n"
        "        return {'short': (x[1:], 8.0), 'narrow': (x[:, :9], 8), 'list': (x.tolist(), 8.0), 'bare': x,\n"
        "                'whole': (x.astype(int), 8.0), 'text': (x, '8'), 'good': (x, 8)}[self.name]\n"
        "def codecs(regime):\n"
        "    return [Faulty(n) for n in 'leaves early|leaves|short|narrow|list|bare|whole|text|good'.split('|')]\n"
        "def leave(regime):\n"
        "    sys.exit(3)\n"
    )
    monkeypatch.chdir(tmp_path)
    place = save_features(tmp_path / "a.npz")
    plan = BenchmarkPlan(codecs=("faulty_codecs:codecs",), regimes=("fitted",))
    outcome = benchmark([place], tmp_path / "out", plan)
    assert {r.codec for r in outcome.rows} == {"float32", "good"}
    told = {note.partition(" (fitted")[0]: note.partition("not measured on a: ")[2] for note in outcome.notes}
    must = "encode_decode must return"
    assert {name: told[name] for name in ("leaves early", "leaves", "short", "narrow", "list", "bare", "whole")} == {
        "leaves early": "SystemExit: 3",
        "leaves": "SystemExit: 3",
        "short": f"{must} features of shape (90, 24), found (89, 24)",
        "narrow": f"{must} features of shape (90, 24), found (90, 9)",
        "list": f"{must} features as a numpy array of floats, found list",
        "bare": f"{must} features and bits, found ndarray",
        "whole": f"{must} features as a numpy array of floats, found int64",
    }
    assert told["text"] == f"{must} the mean bits a sample as a number, found '8'"
    with pytest.raises(UsageError, match=r"gives no codecs \(SystemExit: 3\)"):
        roster(Choice(("faulty_codecs:leave",)))


def test_an_interrupt_is_no_codecs_fault(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "stopped_codecs.py").write_text(
        "class Stopped:\n"
        "    name, setting = 'stopped', ''\n"
        "    def fit(self, fit_set):\n"
        "        raise KeyboardInterrupt\n"
        "def codecs(regime):\n"
        "    return [Stopped()]\n"
    )
    with pytest.raises(KeyboardInterrupt):
        benchmark(
            [save_features(tmp_path / "a.npz")], tmp_path / "out", BenchmarkPlan(("stopped_codecs:codecs",), (), FITTED)
        )


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda root: image_folder(root, ("cat",)), "at least two classes, found cat"),
        (lambda root: save_image(image_folder(root) / "bird" / "0.png", 0, 1), "1 class with a single sample.*bird"),
        (lambda root: (root / "cat").mkdir(parents=True), "empty"),
        (lambda root: [save_image(root / f"{i}.png", 0, i) for i in range(4)], "no labels"),
        (
            lambda root: [
                image_folder(root, ("a", "b"), prefix="train"),
                image_folder(root, ("b", "c"), prefix="test"),
            ],
            "c$",
        ),
    ],
)
def test_folders_that_cannot_be_measured_are_refused_in_one_line(tmp_path, make, says):
    make(tmp_path / "set")
    with pytest.raises((UsageError, SourceError), match=says) as caught:
        benchmark([str(tmp_path / "set")], tmp_path / "out", CHEAP)
    assert "\n" not in str(caught.value)


def test_wrong_usage(toys, tmp_path):
    place = str(toys / "a.npz")
    for plan, says in (
        ({"codecs": ("magic",)}, "known are all, .*float16.*taskcodec"),
        ({"codecs": ("nowhere:codecs",)}, "gives no codecs"),
        ({"codecs": ("png",)}, "PNG needs every set to be a folder"),
        ({"codecs": ("sign",), "regimes": ("zero-shot",)}, "sign needs --fit-on"),
        ({"rates": (0.0,)}, "positive"),
        ({"rates": (float("nan"),)}, "positive"),
        ({"rates": (40.0, 769.0)}, r"--rates 769: more bits a sample than the 768"),
        ({"regimes": ("warm",)}, "warm"),
    ):
        with pytest.raises(UsageError, match=says):
            benchmark([place], tmp_path / "out", BenchmarkPlan(**plan))
    with pytest.raises(UsageError, match="given twice"):
        benchmark([place, place], tmp_path / "out", CHEAP)
    image_folder(tmp_path / "pets")
    with pytest.raises(UsageError, match="lies in the source"):
        benchmark([str(tmp_path / "pets")], tmp_path / "pets" / "out", CHEAP)


def test_large_sets_are_thinned_in_proportion_by_the_seed():
    keys = ["a"] * 900 + ["b"] * 90 + ["c"] * 10
    rows = choose(keys, 100, 0)
    counts = [sum(keys[row] == name for row in rows) for name in "abc"]
    assert sum(counts) == 100
    assert 85 <= counts[0] <= 92
    assert counts[2] >= 2
    assert np.array_equal(rows, choose(keys, 100, 0))
    assert not np.array_equal(rows, choose(keys, 100, 1))
    assert np.array_equal(choose(keys, 1000, 0), np.arange(1000))


def test_names(tmp_path):
    assert class_of("train/cat/deep/1.png") == class_of("cat/1.png") == class_of("images/test/cat/1.png") == "cat"
    assert class_of("1.png") is class_of("train/1.png") is None
    for name in ("x/pets", "y/pets"):
        (tmp_path / name).mkdir(parents=True)
    assert set_names([str(tmp_path / "x/pets"), str(tmp_path / "y/pets")]) == ["pets", "pets (2)"]
    save_image(tmp_path / "x/pets/a/1.png", 0, 0)
    (item,) = items_of(str(tmp_path / "x/pets"), ["a/1.png"])
    assert len(digest_of(item)) == 64
    with pytest.raises(SourceError, match=r"2\.png is gone"):
        items_of(str(tmp_path / "x/pets"), ["a/2.png"])


def test_feature_files_that_hold_nothing_to_use_say_so(tmp_path):
    np.savez(tmp_path / "huge.npz", features=np.full((40, 4), 1e300), labels=np.arange(40) % 2)
    np.savez(tmp_path / "flat.npz", features=np.zeros(40), labels=np.arange(40) % 2)
    (tmp_path / "text.npz").write_text("hello")
    for name, says in (
        ("huge", "every row holds NaN or infinity"),
        ("flat", r"features \(40,\)"),
        ("text", "not a .npz file"),
    ):
        with pytest.raises(SourceError, match=says):
            benchmark([str(tmp_path / f"{name}.npz")], tmp_path / "out", BenchmarkPlan(codecs=("sign",)))


@pytest.mark.slow
def test_codecs_of_the_users_that_go_wrong_are_told_and_stop_nothing_else(tmp_path, monkeypatch):
    (tmp_path / "odd.py").write_text(
        "class Odd:\n"
        "    setting = ''\n"
        "    def __init__(self, name, bits): self.name, self.bits = name, bits\n"
        "    def fit(self, fit_set): return self\n"
        "    def encode_decode(self, x): return x, self.bits\n"
        "def bits(regime): return [Odd('free', 0.0), Odd('endless', float('inf')), Odd('good', 8.0)]\n"
        "def ours(regime): return [Odd('taskcodec', 8.0)]\n"
        "def nothing(regime): return None\n"
        "def raises(regime): raise KeyError('x')\n"
        "def junk(regime): return [1]\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    place = save_features(tmp_path / "a.npz", rows=30)
    plan = BenchmarkPlan(codecs=("odd:bits",), regimes=("fitted",))
    outcome = benchmark([place], tmp_path / "out", plan)
    assert {row.codec for row in outcome.rows} == {"float32", "good"}
    assert sum("not a rate" in note for note in outcome.notes) == 2
    for name in ("ours", "nothing", "raises", "junk"):
        with pytest.raises(UsageError, match=f"odd:{name}"):
            benchmark([place], tmp_path / "out", BenchmarkPlan(codecs=(f"odd:{name}",), regimes=("fitted",)))


def test_results_of_something_else_are_not_replaced(tmp_path):
    place = save_features(tmp_path / "a.npz", rows=30)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "results.json").write_text('{"mine": 1}')
    with pytest.raises(StorageError, match="not replaced"):
        benchmark([place], tmp_path / "out", BenchmarkPlan(codecs=("sign",)))
    assert (tmp_path / "out" / "results.json").read_text() == '{"mine": 1}'


@pytest.mark.parametrize(("key", "says"), [("split", "auto, folders, folds"), ("probe", "ridge nor logistic")])
def test_a_plan_of_what_there_is_not_is_refused(key, says):
    with pytest.raises(UsageError, match=says):
        BenchmarkPlan(**{key: "halves"})
