"""`taskcodec fit` on folders of real photographs."""

import csv
import json

import numpy as np
import pytest
from PIL import Image

import taskcodec
from tests.cli.commands import run

pytest.importorskip("torch")

from taskcodec.evaluation.predictors.probing import probe_accuracy
from taskcodec.evaluation.survival.tolerance import GRID_BITS
from taskcodec.fitting.effort import with_effort


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    """Crops of two photographs, a folder for each, and their features."""
    from sklearn.datasets import load_sample_image

    folder = tmp_path_factory.mktemp("fit")
    for name in ("china", "flower"):
        (folder / "photos" / name).mkdir(parents=True)
        photo = Image.fromarray(load_sample_image(f"{name}.jpg"))
        for x in range(0, 480, 80):
            for y in (0, 130, 260):
                photo.crop((x, y, x + 160, y + 160)).save(folder / "photos" / name / f"{x}_{y}.jpg", quality=90)
    run("features", folder / "photos", "-o", folder / "x.npy")
    return folder


def measured(codec, x):
    return float(codec.code_length(codec.encode(x)).mean())


def test_a_rate_and_a_step_on_images(scenes):
    x = np.load(scenes / "x.npy")
    assert x.shape == (36, 1280)
    made = run("fit", scenes / "photos", "-o", scenes / "b.codec", "--bits", "300")
    assert "36 samples are few" in made.stderr
    assert "few" not in run("fit", scenes / "photos", "-o", scenes / "c.codec", "--bits", "100").stderr
    codec = taskcodec.load_codec(scenes / "b.codec")
    # Columns that are zero for all of so few samples are dropped after the step is found, with the bits they cost.
    assert measured(codec, x) == pytest.approx(300, rel=0.05)
    assert codec.backbone.name == "lite0"
    run("fit", scenes / "photos", "-o", scenes / "s.codec", "--step", "3", "--method", "dimensionwise")
    assert taskcodec.load_codec(scenes / "s.codec").base.quantizer.step == 3
    run("encode", scenes / "photos", scenes / "s.tcz", "--codec", scenes / "b.codec")
    assert json.loads(run("info", scenes / "s.tcz", "--json").stdout)["samples"] == 36


@pytest.mark.slow
def test_views_of_images_shape_the_map(scenes, tmp_path):
    x = np.load(scenes / "x.npy")
    run("fit", scenes / "photos", "-o", tmp_path / "v.codec", "--views", "--bits", "60")
    run("fit", scenes / "photos", "-o", tmp_path / "plain.codec", "--bits", "60")
    viewed, plain = (taskcodec.load_codec(tmp_path / f"{name}.codec") for name in ("v", "plain"))
    assert measured(viewed, x) == pytest.approx(60, rel=0.05)
    # A map that is whitened by views is no rotation: it keeps two matrices, not the axes of one.
    assert (viewed.base.transform.axes is None, plain.base.transform.axes is None) == (True, False)
    for arguments in ((scenes / "x.npy", "--views"), (scenes / "photos", "--views", "--method", "dimensionwise")):
        refused = run("fit", *arguments, "-o", tmp_path / "n.codec", "--bits", "60", code=2)
        assert "--views needs a folder of images, and the bottleneck method" in refused.stderr


@pytest.mark.slow
def test_a_tolerance_with_folders_as_labels(scenes):
    run("fit", scenes / "photos", "-o", scenes / "t.codec", "--tolerance", "1")
    codec, x = taskcodec.load_codec(scenes / "t.codec"), np.load(scenes / "x.npy")
    assert measured(codec, x) < 100  # two photographs are easily told apart
    decoded, labels = codec.decode(codec.encode(x)), np.repeat(["china", "flower"], 18)
    order = np.random.default_rng(11).permutation(36)
    train, test = order[:25], order[25:]
    raw, now = (probe_accuracy(f[train], labels[train], f[test], labels[test]).value for f in (x, decoded))
    assert raw == now == 1.0


def write_labels(path, labels):
    with open(path, "w", newline="") as file:
        csv.writer(file).writerows([("path", "label"), *labels.items()])


@pytest.mark.slow
def test_a_tolerance_with_a_file_of_labels(scenes):
    names = sorted(f"{p.parent.name}/{p.name}" for p in (scenes / "photos").rglob("*.jpg"))
    write_labels(scenes / "side.csv", {name: "left" if int(name.split("/")[1].split("_")[0]) < 240 else "right"
                                       for name in names})  # fmt: skip
    write_labels(scenes / "few.csv", {name: name[0] for name in names[::4]})
    write_labels(scenes / "numbers.csv", {name: 1.5 * i for i, name in enumerate(names)})
    write_labels(scenes / "others.csv", {"nowhere.jpg": "x"})
    run("fit", scenes / "photos", "-o", scenes / "l.codec", "--tolerance", "5", "--labels", scenes / "side.csv")
    assert taskcodec.load_codec(scenes / "l.codec").backbone.name == "lite0"
    for name, says in (
        ("few", "20 labelled samples"),
        ("others", "none of its 1 id is"),
    ):
        found = run(
            "fit", scenes / "photos", "-o", scenes / "n.codec", "--tolerance", "1", "--labels", scenes / f"{name}.csv",
            code=1,
        )  # fmt: skip
        assert says in found.stderr
        assert len(found.stderr.strip().splitlines()) == 1
    assert not (scenes / "n.codec").exists()
    numbers = ["--tolerance", "1", "--labels", scenes / "numbers.csv"]
    found = run("fit", scenes / "photos", "-o", scenes / "n.codec", *numbers)
    assert "R2" in found.stderr
    assert taskcodec.load_codec(scenes / "n.codec").provenance["tolerance"]["metric"] == "r2"
    run("fit", scenes / "photos", "-o", scenes / "n.codec", *numbers, "--kind", "classification", code=1)
    run("fit", scenes / "photos", "-o", scenes / "n.codec", "--kind", "classification", code=2)


def test_a_probe_is_kept(tmp_path):
    rng = np.random.default_rng(0)
    x, weights = rng.normal(size=(300, 40)).astype("f4") / np.arange(1, 41, dtype="f4"), rng.normal(size=(40, 2))
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "w.npy", weights)
    np.save(tmp_path / "other.npy", weights[1:])
    fit = ("fit", tmp_path / "x.npy", "-o", tmp_path / "x.codec", "--bits", "20", "--probe")
    run(*fit, tmp_path / "w.npy", "--effort", "2")
    codec = taskcodec.load_codec(tmp_path / "x.codec")
    assert codec.provenance["probe"] == 2
    plain = with_effort(taskcodec.fit(x, bits=20), x, 2, 20)
    off = [np.square((each.decode(each.encode(x)) - x) @ weights).mean() for each in (codec, plain)]
    assert off[0] < off[1]
    assert "expected finite weights of shape (40, outputs)" in run(*fit, tmp_path / "other.npy", code=1).stderr
    assert "none.npy" in run(*fit, tmp_path / "none.npy", code=1).stderr
    assert "without --step" in run(*fit[:4], "--step", "1", "--probe", tmp_path / "w.npy", code=2).stderr


@pytest.mark.slow
def test_a_tolerance_gives_what_a_fit_at_its_rate_gives(tmp_path):
    """20 directions and a little noise in 64 features: at thousands of bits a fit distorts its map."""
    rng = np.random.default_rng(0)
    x = (rng.normal(size=(800, 20)) @ rng.normal(size=(20, 64)) + 0.1 * rng.normal(size=(800, 64))).astype("f4")
    np.save(tmp_path / "x.npy", x)
    write_labels(tmp_path / "y.csv", {str(row): str(value > 0) for row, value in enumerate(x[:, 0])})
    run("fit", tmp_path / "x.npy", "-o", tmp_path / "t.codec", "--tolerance", "5", "--labels", tmp_path / "y.csv")
    chosen = taskcodec.load_codec(tmp_path / "t.codec")
    bits = min(GRID_BITS, key=lambda rate: abs(rate - measured(chosen, x)))
    plain = taskcodec.fit(x, bits=bits)
    assert bits < 100
    assert chosen.provenance["labelled_source"]
    np.testing.assert_array_equal(chosen.encode(x), plain.encode(x))
    np.testing.assert_array_equal(chosen.decode(chosen.encode(x)), plain.decode(plain.encode(x)))


def test_too_few_images(scenes, tmp_path):
    first = next((scenes / "photos" / "china").iterdir())
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "broken.jpg").write_bytes(b"\xff\xd8\xff no photograph")
    assert "found none (the first fault: " in run("fit", tmp_path / "a", "-o", tmp_path / "c", code=1).stderr
    (tmp_path / "a" / "1.jpg").write_bytes(first.read_bytes())
    run("fit", tmp_path / "a", "-o", tmp_path / "c")
    assert "dimensionwise" in run("info", tmp_path / "c").stdout
    (tmp_path / "a" / "2.jpg").write_bytes(first.read_bytes())
    run("fit", tmp_path / "a", "-o", tmp_path / "c")  # the same photograph twice, and one that cannot be read
    run("verify", tmp_path / "c")


@pytest.mark.parametrize("verb", ["fit", "features"])
def test_a_result_is_not_written_over_its_source(verb, tmp_path):
    source = tmp_path / "own.npy"
    np.save(source, np.random.default_rng(0).normal(size=(50, 8)))
    before = source.read_bytes()
    assert "is the source itself" in run(verb, source, "-o", source, code=2).stderr
    assert source.read_bytes() == before
