"""From a store to its certificate: what it carries afterwards, and what is refused."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image

import taskcodec
from taskcodec.data.augmentations.draws import AUGMENTATIONS, augment
from taskcodec.engines.encode.decide import EncodeOptions
from taskcodec.engines.encode.execute import encode_job
from taskcodec.errors import CorruptFileError, ForeignFileError, FutureVersionError, MismatchError, UsageError
from taskcodec.evaluation.certificate.of_store import CertificatePlan, certify
from taskcodec.fitting.gradient.recipe import NetworkChoice, Recipe, Schedule
from taskcodec.fitting.gradient.training import TrainingSet, train
from taskcodec.store import SampleRecord, StoreWriter, pack_zip
from taskcodec.store.format.manifest import canonical, sha256


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Vectors, their store, and seven noisy views of each."""
    root, rng = tmp_path_factory.mktemp("certificate"), np.random.default_rng(0)
    x = rng.normal(size=(150, 12)).astype("f4")
    np.save(root / "x.npy", x)
    np.save(root / "views.npy", x + 0.05 * rng.normal(size=(27, 150, 12)).astype("f4"))
    for name, bits in (("fine", 60), ("poor", 5)):
        codec = taskcodec.fit(x, bits=bits)
        encode_job(root / "x.npy", root / f"{name}.tcz", EncodeOptions(codec=codec))
    return root


@pytest.fixture
def copy(folder, tmp_path):
    shutil.copytree(folder / "fine.tcz", tmp_path / "s.tcz")
    return tmp_path / "s.tcz"


def certified(place, folder):
    return certify(str(place), views=str(folder / "views.npy")).certificate


def test_own_views_of_vectors(folder, copy):
    fine = certified(copy, folder)
    assert fine.excess_risk_bound_bits < 0.1
    assert (fine.samples, fine.views, fine.confidence, fine.strength) == (150, 25 * 150, 0.95, "views.npy")
    poor = certified(folder / "poor.tcz", folder)
    assert 1 < poor.excess_risk_bound_bits <= poor.ceiling_bits == pytest.approx(np.log2(150))
    assert poor.estimate_bits > fine.estimate_bits


def test_the_store_carries_it_and_stays_sound(folder, copy):
    before = taskcodec.open(copy)
    assert before.certificate is None
    made = certified(copy, folder)
    store = taskcodec.open(copy)
    assert store.verify() == []
    assert store.manifest == before.manifest  # what an older reader looks at is untouched
    assert store.certificate["excess_risk_bound_bits"] == made.excess_risk_bound_bits
    assert store.certificate["conditions"] == list(made.conditions)
    again = certify(str(copy))
    assert again.certificate == made
    assert "kept in" in again.notes[0]


def test_an_append_takes_it_away(folder, copy):
    certified(copy, folder)
    with StoreWriter.open(copy) as writer:
        writer.finish()
    assert taskcodec.open(copy).certificate is None


def altered(place, change, sign=True):
    group = json.loads((place / "zarr.json").read_text())
    change(group["attributes"]["taskcodec_certificate"])
    if sign:
        whole = group["attributes"]["taskcodec_certificate"]
        group["attributes"]["taskcodec_certificate_sha256"] = sha256(canonical(whole))
    (place / "zarr.json").write_text(json.dumps(group))


@pytest.mark.parametrize(
    ("change", "sign", "error", "says"),
    [
        (lambda c: c.update(excess_risk_bound_bits=0.0), False, CorruptFileError, "damaged"),
        (lambda c: c.update(manifest_sha256="0" * 64), True, CorruptFileError, "another state"),
        (lambda c: c.update(version=9), True, FutureVersionError, "upgrade"),
        (lambda c: c.pop("format"), True, CorruptFileError, "its certificate is invalid"),
    ],
)
def test_a_certificate_that_was_altered_is_told(folder, copy, change, sign, error, says):
    certified(copy, folder)
    altered(copy, change, sign)
    with pytest.raises(error, match=says):
        certify(str(copy))
    faults = taskcodec.open(copy).verify()
    assert len(faults) == 1
    assert says in faults[0]
    assert taskcodec.open(copy).features[:].shape == (150, 12)  # the samples are sound


def test_a_certificate_without_its_number_is_told(folder, copy):
    certified(copy, folder)
    altered(copy, lambda c: c.pop("excess_risk_bound_bits"))
    with pytest.raises(CorruptFileError, match="make it again"):
        certify(str(copy))


def test_samples_of_one_code_are_counted(folder, tmp_path):
    """An odd one out among pairs of equal vectors."""
    x = np.repeat(np.load(folder / "x.npy"), 2, axis=0)[:299]
    codec = taskcodec.fit(x, bits=60)
    with StoreWriter.create(tmp_path / "s.tcz", codec) as writer:
        writer.append(codec.encode(x), [SampleRecord(str(i), i, 48) for i in range(299)])
        writer.finish()
    found = certify(str(tmp_path / "s.tcz")).certificate
    assert found.excess_risk_bound_bits == found.as_stored_bits == pytest.approx(298 / 299)
    assert found.top1 == pytest.approx(150 / 299)


def test_without_views_the_codes_are_counted(folder, copy):
    found = certify(str(copy))
    assert (found.certificate.strength, found.certificate.confidence) == ("none", 1.0)
    assert found.certificate.as_stored_bits == 0
    assert found.certificate.excess_risk_bound_bits == 0
    assert "--source" in found.notes[0]


def test_a_zip_file_is_certified_but_not_written(folder, copy, tmp_path):
    pack_zip(copy, tmp_path / "s.zip")
    found = certify(str(tmp_path / "s.zip"), views=str(folder / "views.npy"))
    assert found.certificate.excess_risk_bound_bits < 0.1
    assert "not kept" in found.notes[0]


@pytest.mark.parametrize(
    ("arguments", "augmentations", "error", "says"),
    [
        ({"views": "x.npy"}, None, MismatchError, r"\(k, 150, 12\)"),
        ({"views": "two.npy"}, None, MismatchError, "at least 3"),
        ({"views": "views.npy"}, "mild", UsageError, "are what they are"),
        ({"views": "views.npy", "source": "x.npy"}, None, UsageError, "one of them"),
        ({"source": "x.npy"}, None, UsageError, "--views"),
        ({}, "mild", UsageError, "--source"),
        ({"source": "x.npy"}, "wild", UsageError, "mirror, mild"),
    ],
)
def test_what_does_not_go_together_is_refused(folder, copy, arguments, augmentations, error, says, monkeypatch):
    monkeypatch.chdir(folder)
    np.save(folder / "two.npy", np.zeros((2, 150, 12), "f4"))
    with pytest.raises(error, match=says):
        certify(str(copy), **arguments, plan=CertificatePlan(augmentations))


def test_a_source_is_no_store(folder):
    with pytest.raises(ForeignFileError, match="encode it first"):
        certify(str(folder / "x.npy"))


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Six pictures of noise, easily told apart, and their store."""
    root, rng = tmp_path_factory.mktemp("pictures"), np.random.default_rng(0)
    (root / "p").mkdir()
    for i in range(6):
        coarse = rng.integers(0, 256, size=(6 + i, 5, 3), dtype=np.uint8)
        Image.fromarray(coarse).resize((80, 64)).save(root / "p" / f"{i}.png")
    encode_job(root / "p", root / "p.tcz", EncodeOptions(codec="lite0", bits=256, refit=False))
    return root


@pytest.mark.slow
def test_a_store_of_images_through_its_backbone(pictures):
    seen = []
    found = certify(
        str(pictures / "p.tcz"),
        source=str(pictures / "p"),
        plan=CertificatePlan(pairs=24),
        progress=lambda *s: seen.append(s),
    ).certificate
    assert (found.strength, found.views, found.samples) == ("mild", 24, 6)
    assert "random crop of 80 to 100 % of the area" in found.augmentations
    assert found.top1 > 0.9
    assert seen[-1] == (36, 36)
    assert taskcodec.open(pictures / "p.tcz").verify() == []


@pytest.mark.slow
def test_the_sets_that_codecs_are_trained_with(pictures):
    plan = CertificatePlan("mnist", pairs=6)
    first, again = (certify(str(pictures / "p.tcz"), source=str(pictures / "p"), plan=plan) for _ in range(2))
    assert first == again
    assert "rotation 45 degrees" in first.certificate.augmentations


def test_another_folder_is_refused(pictures, tmp_path):
    shutil.copytree(pictures / "p", tmp_path / "p")
    Image.fromarray(np.zeros((9, 9, 3), np.uint8)).save(tmp_path / "p" / "2.png")
    with pytest.raises(MismatchError, match=r"2\.png is not the file"):
        certify(str(pictures / "p.tcz"), source=str(tmp_path / "p"))
    (tmp_path / "p" / "2.png").unlink()
    with pytest.raises(MismatchError, match=r"lacks 1 .* 2\.png"):
        certify(str(pictures / "p.tcz"), source=str(tmp_path / "p"))


@pytest.mark.slow
def test_other_images_of_the_same_names_and_sizes_are_refused(pictures, tmp_path):
    for name, turned in (("a", 0), ("b", 1)):
        (tmp_path / name).mkdir()
        for i in range(6):
            Image.open(pictures / "p" / f"{(i + turned) % 6}.png").save(tmp_path / name / f"{i}.bmp")
    place, plan = tmp_path / "a.tcz", CertificatePlan(pairs=6)
    encode_job(tmp_path / "a", place, EncodeOptions(codec="lite0", bits=256, refit=False))
    with pytest.raises(MismatchError, match=r"b: 0\.bmp is not the image .* \(other features\); so are 6 of 6"):
        certify(str(place), source=str(tmp_path / "b"), plan=plan)
    assert taskcodec.open(place).certificate is None
    assert certify(str(place), source=str(tmp_path / "a"), plan=plan).certificate.samples == 6


@pytest.mark.parametrize("kind", AUGMENTATIONS.values(), ids=lambda kind: kind.name)
def test_views_are_as_far_from_their_image_as_their_name_says(kind):
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)).resize((32, 32))
    views = [augment(image, np.random.default_rng(i), 32, kind) for i in range(20)]
    mirrored = {np.asarray(image).tobytes(), np.ascontiguousarray(np.asarray(image)[:, ::-1]).tobytes()}
    unchanged = [view.tobytes() in mirrored for view in views]
    assert all(unchanged) if kind.name == "mirror" else not any(unchanged)
    assert all(word in kind.words for word in (["crop"] if kind.name != "mirror" else ["mirrored"]))


@pytest.mark.slow
def test_views_of_what_a_trained_codec_reads_are_as_good_as_those_of_its_features(tmp_path):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 6)).astype(np.float32)
    mlp = NetworkChoice("mlp", {"hidden": [8]})
    recipe = Recipe("VIC", 0.01, 3, mlp, mlp)
    codec = train(TrainingSet(torch.from_numpy(x)), recipe, Schedule(steps=3, batch=16)).codec
    codec.save(tmp_path / "c.codec")
    np.save(tmp_path / "x.npy", x)
    places = [str(tmp_path / name) for name in ("x.npy", "s", "c.codec")]
    command = [sys.executable, "-m", "taskcodec", "encode", *places[:2], "--codec", places[2]]
    subprocess.run(command, check=True, capture_output=True)
    views = (x + 0.05 * rng.normal(size=(5, *x.shape))).astype(np.float32)
    np.save(tmp_path / "seen.npy", views)
    np.save(tmp_path / "features.npy", np.stack([codec.analyse(list(view)) for view in views]))
    bounds = [certify(str(tmp_path / "s"), views=str(tmp_path / f"{name}.npy")) for name in ("seen", "features")]
    assert bounds[0].certificate.excess_risk_bound_bits == bounds[1].certificate.excess_risk_bound_bits
    np.save(tmp_path / "other.npy", views[:, :, :5])
    with pytest.raises(MismatchError, match=r"\(k, 60, 3\) or \(k, 60, 6\) expected, found \(5, 60, 5\)"):
        certify(str(tmp_path / "s"), views=str(tmp_path / "other.npy"))
