"""Codecs from their files as peers in a benchmark, and what the report shows of them."""

import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from taskcodec import fit
from taskcodec.data import open_source
from taskcodec.data.augmentations.kinds import views
from taskcodec.errors import SourceError, UsageError
from taskcodec.evaluation.benchmark.candidates import Choice, roster
from taskcodec.evaluation.benchmark.diagnosis import write_benchmark_report
from taskcodec.evaluation.benchmark.run import BenchmarkPlan, benchmark
from taskcodec.evaluation.tasks.holdout import LABELLED_SOURCE
from taskcodec.fitting.gradient.recipe import NetworkChoice, Recipe, Schedule
from taskcodec.fitting.gradient.training import TrainingSet, train

SIDE = 12
PREPROCESSING = {"resize": SIDE, "crop": SIDE, "interpolation": "bicubic", "mean": [0.5] * 3, "std": [0.5] * 3}


def trained(folder, objective="VIC", entropy_model="factorized", name="small"):
    x = torch.randint(0, 255, (64, 1, SIDE, SIDE), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    analysis = NetworkChoice("resnet_small", {"widths": [4], "stem_stride": 2})
    synthesis = NetworkChoice("deconv", {"width": 4}) if objective == "VIC" else None
    data = TrainingSet(x, views=views("mnist", x), preprocessing=PREPROCESSING)
    recipe = Recipe(objective, 1e-4, 4, analysis, synthesis, entropy_model=entropy_model)
    codec = train(data, recipe, Schedule(steps=3, batch=16), provenance={"augmentations": "mnist"}).codec
    codec.save(folder / f"{name}-beta0.0001.codec")
    return codec


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    root = tmp_path_factory.mktemp("set")
    for number, name in enumerate(("dark", "light")):
        (root / name).mkdir()
        for i in range(8):
            pixels = np.random.default_rng([number, i]).integers(120 * number, 120 * number + 90, (20, 20), np.uint8)
            Image.fromarray(pixels).save(root / name / f"{i}.png")
    return root


@pytest.mark.slow
def test_a_trained_codec_of_images_is_measured_on_its_own_features_and_shown(images, tmp_path):
    codec = trained(tmp_path)
    file = tmp_path / "small-beta0.0001.codec"
    plan = BenchmarkPlan(codecs=(str(file),), regimes=("fitted",), folds=2)
    outcome = benchmark([str(images)], tmp_path / "out", plan)
    assert any("nothing here knows whether on images that are measured" in note for note in outcome.notes)
    found = {(row.codec, row.setting): row for row in outcome.rows}
    assert found.keys() == {("float32", ""), ("small", "beta 0.0001")}
    row = found["small", "beta 0.0001"]
    # Beside it: the same images through the codec's own parts.
    paths = sorted(images.rglob("*.png"))
    symbols = codec.encode([Image.open(path) for path in paths])
    assert row.regime == "as is"
    assert 0 < row.bits_per_sample < 8 + 4 * float(codec.code_length(symbols).mean())
    page = write_benchmark_report(outcome, tmp_path / "out").read_text()
    assert page.count('alt="rebuilt"') == 4 * 5, "four samples and four views of each"
    assert page.count('alt="a view"') == 4 * 4
    assert re.search(r"small, beta 0.0001, on .*: [\d.]+ bits a sample over \d of 4 columns", page)


@pytest.mark.slow
def test_a_codec_of_features_is_measured_as_it_is(tmp_path):
    rng = np.random.default_rng(0)
    labels = np.arange(90) % 3
    features = np.abs(np.eye(3, 24)[labels] * 3 + rng.normal(size=(90, 24))).astype("f4")
    np.savez(tmp_path / "a.npz", features=features, labels=labels)
    for bits in (20, 40):
        fit(np.abs(rng.normal(size=(300, 24)) + 0.5), bits=bits).save(tmp_path / f"mine{bits}.codec")
    names = tuple(str(tmp_path / f"mine{bits}.codec") for bits in (20, 40))
    outcome = benchmark([str(tmp_path / "a.npz")], tmp_path / "out", BenchmarkPlan(codecs=names, regimes=("fitted",)))
    rates = {row.codec: row.bits_per_sample for row in outcome.rows}
    assert rates.keys() == {"float32", "mine20", "mine40"}
    assert rates["mine20"] < rates["mine40"] < rates["float32"]


@pytest.mark.slow
def test_an_autoregressive_codec_of_images_is_measured_too(images, tmp_path):
    trained(tmp_path, "BINCE", "autoregressive", "chain")
    plan = BenchmarkPlan(codecs=(str(tmp_path / "chain-beta0.0001.codec"),), regimes=("fitted",), folds=2)
    outcome = benchmark([str(images)], tmp_path / "out", plan)
    assert {row.codec for row in outcome.rows} == {"float32", "chain"}
    write_benchmark_report(outcome, tmp_path / "out")


def test_files_that_cannot_be_measured_are_refused_before_anything_is_read(tmp_path):
    with pytest.raises(SourceError, match=r"no-such\.codec: no such codec file"):
        roster(Choice(("no-such.codec",)))
    trained(tmp_path)
    file = str(tmp_path / "small-beta0.0001.codec")
    with pytest.raises(UsageError, match="reads images, so every set must be a folder of images"):
        roster(Choice((file,), pixels=False))
    (tmp_path / "again").mkdir()
    trained(tmp_path / "again")
    with pytest.raises(UsageError, match="another file has the same name"):
        roster(Choice((file, str(tmp_path / "again" / "small-beta0.0001.codec"))))
    fit(np.random.default_rng(0).normal(size=(50, 8)), bits=8).save(tmp_path / "taskcodec.codec")
    with pytest.raises(UsageError, match="taskcodec is the name of a known codec"):
        roster(Choice((str(tmp_path / "taskcodec.codec"),)))


def test_a_codec_chosen_by_the_labels_of_a_very_set_is_refused_there_and_measured_elsewhere(tmp_path):
    rng = np.random.default_rng(0)
    for name in ("seen", "new"):
        np.save(tmp_path / f"{name}.npy", np.eye(3, 12)[np.arange(90) % 3] * 4 + rng.normal(size=(90, 12)))
    (tmp_path / "y.csv").write_text("id,class\n" + "".join(f"{row},c{row % 3}\n" for row in range(90)))
    codec = fit(np.load(tmp_path / "seen.npy"), bits=20)
    source = open_source(tmp_path / "seen.npy").descriptor()["sha256"]
    file = str(tmp_path / "tuned.codec")
    replace(codec, provenance={**codec.provenance, LABELLED_SOURCE: source}).save(file)
    plan = BenchmarkPlan(codecs=(file,), labels=(str(tmp_path / "y.csv"),), regimes=("fitted",))
    with pytest.raises(
        UsageError, match=r"tuned\.codec on seen: its codec was fitted with the labels of these samples"
    ):
        benchmark([str(tmp_path / "seen.npy")], tmp_path / "out", plan)
    outcome = benchmark([str(tmp_path / "new.npy")], tmp_path / "out", plan)
    assert {row.codec for row in outcome.rows} == {"float32", "tuned"}
    assert any("not with the labels of one of these very sets" in note for note in outcome.notes)
