"""From a store or a source to verdicts, and where raw features come from."""

import csv
import shutil
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

import taskcodec
from taskcodec.data import open_source
from taskcodec.engines.encode.decide import EncodeOptions
from taskcodec.engines.encode.execute import encode_job
from taskcodec.engines.encode.local import write_features
from taskcodec.errors import MismatchError, SourceError, UsageError
from taskcodec.evaluation.survival.of_store import StorePlan, evaluate
from taskcodec.evaluation.survival.raw_features import out_of_order
from taskcodec.evaluation.tasks.holdout import LABELLED_SOURCE

PLAN = StorePlan(predictors=("ridge",), folds=3, repeats=1)


def write_csv(path, header, rows):
    with open(path, "w", newline="") as file:
        csv.writer(file).writerows([header, *rows])


@pytest.fixture(scope="module")
def vectors(tmp_path_factory):
    """A file of vectors with a faulty row, its store, raw features and labels."""
    folder = tmp_path_factory.mktemp("vectors")
    rng = np.random.default_rng(0)
    classes = rng.integers(0, 3, 400)
    x = (4 * np.eye(3, 20)[classes] + rng.normal(size=(400, 20))).astype("f4")
    x[7, 3] = np.nan
    np.save(folder / "x.npy", x)
    np.save(folder / "raw.npy", np.delete(x, 7, axis=0))
    rows = [(i, f"c{c}", f"{v:.4f}", i // 2) for i, (c, v) in enumerate(zip(classes, x[:, 5], strict=True))]
    write_csv(folder / "y.csv", ("id", "class", "number", "pair"), rows)
    codec = taskcodec.fit(np.delete(x, 7, axis=0), bits=80)
    encode_job(folder / "x.npy", folder / "x.tcz", EncodeOptions(codec=codec))
    return folder


@pytest.mark.slow
def test_a_store_with_its_source_or_with_raw_features(vectors):
    store, labels = str(vectors / "x.tcz"), [str(vectors / "y.csv") + ":class", str(vectors / "y.csv") + ":number"]
    by_source = evaluate(store, labels=labels, source=str(vectors / "x.npy"), plan=PLAN)
    by_raw = evaluate(store, labels=labels, raw=str(vectors / "raw.npy"), plan=PLAN)
    assert by_source.rows == by_raw.rows
    assert {row.task for row in by_raw.rows} == {"class", "number"}
    first = by_raw.rows[0]
    assert (first.samples, first.set) == (399, store)
    assert first.bits_per_sample == pytest.approx(taskcodec.open(store).info().bits_per_sample)
    assert first.value > 0.9
    assert by_raw.notes == (f"raw features: {vectors / 'raw.npy'}",)


def test_what_is_missing_or_wrong_is_told(vectors, tmp_path):
    store, labels = str(vectors / "x.tcz"), [str(vectors / "y.csv") + ":class"]
    with pytest.raises(UsageError, match=r"--source FOLDER .* or --raw"):
        evaluate(store, labels=labels)
    for given in ({"kinds": ["regression"]}, {"groups": str(vectors / "y.csv") + ":pair"}):
        with pytest.raises(UsageError, match=r"give --labels FILE\.csv"):
            evaluate(store, raw=str(vectors / "raw.npy"), plan=StorePlan(**given))
    with pytest.raises(MismatchError, match="400 rows of 20"):
        evaluate(store, labels=labels, raw=str(vectors / "x.npy"))
    with pytest.raises(UsageError, match="go with a store"):
        evaluate(str(vectors / "x.npy"), labels=labels, raw=str(vectors / "raw.npy"))
    with pytest.raises(SourceError, match="no such"):
        evaluate(str(tmp_path / "nothing"))
    np.save(tmp_path / "other.npy", np.ones((30, 20), "f4"))
    with pytest.raises(MismatchError, match="lacks"):
        evaluate(store, labels=labels, source=str(tmp_path / "other.npy"))
    np.save(tmp_path / "narrow.npy", np.ones((400, 3), "f4"))
    with pytest.raises(MismatchError, match="3 features"):
        evaluate(store, labels=labels, source=str(tmp_path / "narrow.npy"))
    with pytest.raises(UsageError, match="name one column"):
        evaluate(store, labels=labels, raw=str(vectors / "raw.npy"), plan=StorePlan(groups=str(vectors / "y.csv")))


def test_without_labels_it_tells_what_needs_none(vectors):
    labelled = evaluate(
        str(vectors / "x.tcz"), labels=[str(vectors / "y.csv") + ":class"], raw=str(vectors / "raw.npy")
    )
    found = evaluate(str(vectors / "x.tcz"), raw=str(vectors / "raw.npy"))
    assert found.rows == ()
    assert found.kept == labelled.kept
    assert (found.samples, found.bits_per_sample) == (399, labelled.rows[0].bits_per_sample)
    assert 0.5 < found.kept.recall_at_10.l2.value < 1
    assert 0.9 < found.kept.variance_kept < 1
    assert "no labels, so no predictors" in found.notes[1]
    source = evaluate(str(vectors / "x.npy"))  # encoded here and now
    assert source.kept.variance_kept > 0.5
    assert source.rows == ()


def test_labels_in_a_store_that_are_no_task_do_not_stop_it(vectors, tmp_path):
    """As of photographs that all lie in one folder."""
    write_csv(tmp_path / "one.csv", ("id", "label"), [(i, "2026") for i in range(400)])
    source = replace(open_source(vectors / "x.npy"), labels=["2026"] * 400)
    encode_job(source, tmp_path / "s.tcz", EncodeOptions(codec=str(vectors / "x.tcz")))
    found = evaluate(str(tmp_path / "s.tcz"), raw=str(vectors / "raw.npy"))
    assert found.rows == ()
    assert found.kept.recall_at_10 is not None
    assert "the labels in it are no task (label: needs two classes" in found.notes[1]
    with pytest.raises(SourceError, match="needs two classes"):  # where they are asked for
        evaluate(str(tmp_path / "s.tcz"), raw=str(vectors / "raw.npy"), labels=[str(tmp_path / "one.csv")])


def test_raw_features_out_of_order_are_refused(vectors, tmp_path):
    raw, labels = np.load(vectors / "raw.npy"), [str(vectors / "y.csv") + ":class"]
    for name, rows in (
        ("shuffled", np.random.default_rng(0).permutation(len(raw))),
        ("shifted", np.roll(np.arange(len(raw)), 1)),
    ):
        np.save(tmp_path / f"{name}.npy", raw[rows])
        with pytest.raises(UsageError, match=rf"do not follow .*{name}\.npy.* in the same order"):
            evaluate(str(vectors / "x.tcz"), labels=labels, raw=str(tmp_path / f"{name}.npy"), plan=PLAN)


def test_few_bits_are_no_disorder():
    """A fraction of a bit, or nothing at all, is a poor codec and not another order."""
    rng = np.random.default_rng(0)
    x = (4 * rng.normal(size=(10, 30))[rng.integers(0, 10, 800)] + rng.normal(size=(800, 30))).astype("f4")
    for bits in (0.3, 4.0, 100.0):
        codec = taskcodec.fit(x, bits=bits)
        decoded = codec.decode(codec.encode(x))
        assert not out_of_order(x, decoded)
        assert out_of_order(x[::-1], decoded)
    assert not out_of_order(x, np.zeros_like(x))


def test_a_file_of_vectors_is_encoded_first_and_groups_are_kept(vectors):
    found = evaluate(
        str(vectors / "x.npy"),
        labels=[str(vectors / "y.csv") + ":class"],
        plan=replace(PLAN, groups=str(vectors / "y.csv") + ":pair"),
    )
    assert found.rows[0].samples == 399
    assert found.rows[0].value > 0.9


@pytest.mark.slow
def test_a_source_is_encoded_as_encode_does_by_itself(vectors, photos, tmp_path):
    for source in (vectors / "x.npy", photos):
        store = encode_job(source, tmp_path / f"{source.stem}.tcz").store
        found, stored = evaluate(str(source), plan=PLAN), evaluate(str(store.place), source=str(source), plan=PLAN)
        assert found.bits_per_sample == stored.bits_per_sample
        assert found.kept == stored.kept
        assert [row.value for row in found.rows] == [row.value for row in stored.rows]


def test_a_single_vector_is_evaluated(tmp_path):
    np.save(tmp_path / "one.npy", np.arange(8, dtype="f4")[None])
    found = evaluate(str(tmp_path / "one.npy"))
    assert (found.samples, found.kept.variance_kept) == (1, None)
    assert found.kept.mean_cosine > 0.99


def test_a_source_is_measured_as_encode_codes_it(vectors, tmp_path):
    found = evaluate(str(vectors / "x.npy"), labels=[str(vectors / "y.csv") + ":class"], plan=PLAN)
    store = taskcodec.encode(vectors / "x.npy", tmp_path / "s.tcz")
    assert found.bits_per_sample == store.info().bits_per_sample
    assert found.rows[0].setting == store.info().fingerprint[:16]


def test_a_codec_fitted_with_these_labels_is_refused(vectors, tmp_path):
    source = open_source(vectors / "x.npy")
    codec = taskcodec.load_codec(vectors / "x.tcz")
    codec = replace(codec, provenance={**codec.provenance, LABELLED_SOURCE: source.descriptor()["sha256"]})
    encode_job(source, tmp_path / "s.tcz", EncodeOptions(codec=codec))
    with pytest.raises(UsageError, match="fitted with the labels of these samples"):
        evaluate(str(tmp_path / "s.tcz"), labels=[str(vectors / "y.csv")], source=str(vectors / "x.npy"))
    assert evaluate(str(tmp_path / "s.tcz"), source=str(vectors / "x.npy")).rows == ()  # what needs none tells no lie


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Crops of two photographs in a folder for each, one of them twice, and a file that is no image."""
    pytest.importorskip("torch")
    from sklearn.datasets import load_sample_image

    folder = tmp_path_factory.mktemp("photos") / "photos"
    for name in ("china", "flower"):
        (folder / name).mkdir(parents=True)
        photo = Image.fromarray(load_sample_image(f"{name}.jpg"))
        for x in range(0, 480, 60):
            for y in (0, 130):
                photo.crop((x, y, x + 160, y + 160)).save(folder / name / f"{x}_{y}.jpg", quality=90)
    (folder / "china" / "copy.jpg").write_bytes((folder / "china" / "0_0.jpg").read_bytes())
    (folder / "china" / "broken.jpg").write_bytes(b"\xff\xd8\xff no photograph")
    return folder


def test_a_folder_of_images_and_the_features_kept_beside_it(photos, monkeypatch):
    first = evaluate(str(photos), plan=PLAN)
    kept = [path.name for path in photos.parent.glob("taskcodec-raw-*.npy")]
    assert len(kept) == 1
    assert kept[0] in first.notes[0]
    assert "1 sample is a copy" in first.notes[1]
    assert (first.rows[0].task, first.rows[0].samples) == ("label", 33)
    monkeypatch.setattr("taskcodec.transforms.backbones.load_backbone_for", None)  # a second run needs no backbone
    assert evaluate(str(photos), plan=PLAN).rows == first.rows


@pytest.mark.slow
def test_a_store_of_images_keeps_its_raw_features_too(photos, tmp_path, monkeypatch):
    from taskcodec.transforms.backbones import load_backbone

    backbone = load_backbone("lite0")
    encode_job(photos, tmp_path / "p.tcz", EncodeOptions(codec="lite0", bits=300))
    first = evaluate(str(tmp_path / "p.tcz"), source=str(photos), plan=PLAN)
    write_features(open_source(photos), tmp_path / "raw.npy", backbone)
    given = evaluate(str(tmp_path / "p.tcz"), raw=str(tmp_path / "raw.npy"), plan=PLAN)
    assert given.rows == first.rows
    other, cached = tmp_path / "other", replace(PLAN, cache=str(tmp_path / "new" / "cache"))
    shutil.copytree(photos, other)
    first_file, *_, last_file = sorted(path for path in other.rglob("*") if path.is_file())
    last_file.write_bytes(last_file.read_bytes() + b"more")
    with pytest.raises(MismatchError, match="1 file is not the one"):
        evaluate(str(tmp_path / "p.tcz"), source=str(other), plan=cached)
    first_file.unlink()
    with pytest.raises(MismatchError, match="lacks 1 of the samples"):
        evaluate(str(tmp_path / "p.tcz"), source=str(other), plan=cached)
    assert not (tmp_path / "new").exists(), "what was refused is kept for no other run"
    evaluate(str(tmp_path / "p.tcz"), source=str(photos), plan=cached)
    assert list((tmp_path / "new" / "cache").glob("taskcodec-raw-*.npy"))
    monkeypatch.setattr("taskcodec.transforms.backbones.load_backbone_for", None)
    again = evaluate(str(tmp_path / "p.tcz"), plan=PLAN)  # neither source nor backbone
    assert again.rows == first.rows
    assert "kept from an earlier run" in again.notes[0]
    with pytest.raises(UsageError, match="--source"):
        evaluate(str(tmp_path / "p.tcz"), plan=replace(PLAN, cache=str(tmp_path / "elsewhere")))
