"""A second synthesis from the command to files: on a finished codec, whose bytes stay; what is wrong is named."""

import json
import re
from importlib.util import find_spec

import numpy as np
import pytest
from PIL import Image

if any(find_spec(name) is None for name in ("lightning", "yaml")):
    pytest.skip("the train extra is not installed", allow_module_level=True)

import taskcodec
from taskcodec.engines.train.config import read_config
from taskcodec.errors import TaskcodecError
from tests.cli.commands import run
from tests.pictured import layered, picture

GOOD = """
data: {source: scenes, samples: 6, side: 16, crop: 8}
codec: p.codec
realism:
  detail: {noise: 2, windows: [4, 8]}
training: {steps: 2, batch: 4, checkpoint_every: 1, accelerator: cpu}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A codec of two layers, the same with a second synthesis of the upper one, pictures, and a store of each."""
    root = tmp_path_factory.mktemp("realism")
    layered().save(root / "p.codec")
    (root / "r.yaml").write_text(GOOD)
    (root / "in").mkdir()
    for number, size in enumerate([(20, 24), (17, 9)]):
        Image.fromarray(picture(*size, number)).save(root / "in" / f"{number}.png")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        told = run("train", "r.yaml", "-o", "r.codec")
        assert "r.codec: the codec with a second synthesis" in told.stdout
        for name in ("p", "r"):
            run("encode", "in", f"{name}.tcz", "--codec", f"{name}.codec")
    return root


def pixels(folder):
    return {path.name: np.asarray(Image.open(path)).astype(int) for path in sorted(folder.iterdir())}


def test_the_bytes_of_pictures_stay_and_faithful_is_as_before(folder):
    before, after = (taskcodec.load_codec(folder / f"{name}.codec") for name in ("p", "r"))
    x = picture(13, 22)
    packet = before.compress(x)
    assert after.compress(x) == packet
    assert (after.decompress(packet) == before.decompress(packet)).all()
    assert after.provenance["realism"]["of"] == before.fingerprint
    assert (after.decompress(packet, realism=1.0) != before.decompress(packet)).any()


def test_decode_goes_from_faithful_to_realistic(folder, tmp_path):
    for realism in ("0", "0.5", "1"):
        run("decode", folder / "r.tcz", "--layer", "detail", "--realism", realism, "-o", tmp_path / realism)
    run("decode", folder / "p.tcz", "--layer", "detail", "-o", tmp_path / "p")
    run("decode", folder / "r.tcz", "--layer", "detail", "--realism", "1", "-o", tmp_path / "again")
    none, half, full, plain = (pixels(tmp_path / name) for name in ("0", "0.5", "1", "p"))
    for name, given in none.items():
        assert (given == plain[name]).all()
        assert np.abs(half[name] - (given + full[name]) / 2).max() <= 1  # rounded, and clipped, once each
        assert (full[name] != given).any()
        assert (full[name] == pixels(tmp_path / "again")[name]).all()  # noise follows from the symbols


def test_what_cannot_be_made_to_look_real_says_so(folder, tmp_path):
    store = folder / "r.tcz"
    asked = ("decode", store, "-o", tmp_path / "out")
    for more, says in (
        (("--layer", "base", "--realism", "1"), "layer base: its codec has no second synthesis"),
        (("--layer", "detail", "--realism", "1.5"), "realism is from 0, faithful, to 1, realistic; found 1.5"),
        (("--layer", "detail", "--realism", "nan"), "realism is from 0"),
        (("--realism", "1"), "--realism: of pictures alone"),
    ):
        assert says in run(*asked, *more, code=2).stderr
    assert not (tmp_path / "out").exists()


def test_grain_is_added_to_what_is_faithful_and_replaces_what_was_there(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(folder)
    (tmp_path / "g.yaml").write_text(
        GOOD.replace("{noise: 2, ", "{synthesis: {name: grain, tail: 4}, noise: 1, ").replace("p.codec", "r.codec")
    )
    run("train", tmp_path / "g.yaml", "-o", tmp_path / "g.codec")
    before, after = (taskcodec.load_codec(path) for path in (folder / "p.codec", tmp_path / "g.codec"))
    x = picture(13, 22)
    packet = before.compress(x)
    assert after.compress(x) == packet
    assert (after.decompress(packet) == before.decompress(packet)).all()
    costs = json.loads(run("info", tmp_path / "g.codec", "--json").stdout)["macs_per_pixel"]
    assert costs["detail"]["realism"] > 0
    added = after.decompress(packet, realism=1.0).astype(int) - before.decompress(packet)
    assert 0 < np.abs(added).mean() < 20  # it begins near nothing
    assert (after.decompress(packet, realism=1.0) == after.decompress(packet, realism=1.0)).all()
    run("encode", "in", tmp_path / "g.tcz", "--codec", tmp_path / "g.codec")
    run("decode", tmp_path / "g.tcz", "--layer", "detail", "--realism", "1", "-o", tmp_path / "out")
    sources = sorted((folder / "in").iterdir())
    for path, found in zip(sources, pixels(tmp_path / "out").values(), strict=True):
        x = np.asarray(Image.open(path))
        assert (found == after.decompress(after.compress(x), realism=1.0)).all()


@pytest.mark.slow
def test_a_judge_sees_what_is_drawn_and_a_training_with_one_goes_on(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(folder)
    told = "{synthesis: {name: grain, tail: 4}, judge: {backbone: lite0, enlarge: 4}, noise: 1, "
    (tmp_path / "j.yaml").write_text(GOOD.replace("{noise: 2, ", told).replace("crop: 8", "crop: 16"))
    run("train", tmp_path / "j.yaml", "-o", tmp_path / "once.codec")
    run("train", tmp_path / "j.yaml", "-o", tmp_path / "twice.codec", "--minutes", "0", code=75)
    run("train", tmp_path / "j.yaml", "-o", tmp_path / "twice.codec", "--resume")
    once, twice = (taskcodec.load_codec(tmp_path / f"{name}.codec") for name in ("once", "twice"))
    assert once.fingerprint == twice.fingerprint
    assert once.provenance["realism"]["judge"] == {"backbone": "lite0", "weight": 0.05, "enlarge": 4}


def test_info_tells_what_decoding_costs(folder):
    found = json.loads(run("info", folder / "r.codec", "--json").stdout)["macs_per_pixel"]
    assert set(found) == {"base", "detail"}
    assert all(own["total"] == own["synthesis"] + own["entropy"] for own in found.values())
    assert "realism" not in found["base"]
    assert found["detail"]["realism"] > found["detail"]["synthesis"]  # it reads noise besides
    assert json.loads(run("info", folder / "r.tcz", "--json").stdout)["macs_per_pixel"] == found
    for place in ("r.codec", "r.tcz"):
        words = run("info", folder / place).stdout
        assert f"{found['detail']['total']:,.0f} multiply-accumulates a pixel to decode" in words
        assert f"{found['detail']['realism']:,.0f} more with --realism" in words


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("codec: p.codec", "codec: none.codec", "codec: none.codec: no such file"),
        ("codec: p.codec\n", "", "codec: missing"),
        ("codec: p.codec", "codec: p.codec\nbeta: 1", "beta: has no effect on a second synthesis"),
        ("detail: {", "detail: {noize: 1, ", "realism.detail.noize: no such key; did you mean noise?"),
        ("noise: 2", "noise: 0", "realism.detail.noise: expected channels from 1"),
        ("[4, 8]", "[4, 1]", "realism.detail.windows: expected sides from 2"),
        ("[4, 8]", "4", "realism.detail.windows: expected a list of whole numbers"),
        ("noise: 2", "synthesis: {name: mlp}", "realism.detail.synthesis.name must be one of light_synthesis"),
        ("noise: 2", "synthesis: {name: elic_synthesis, latent: 3}", "realism.detail.synthesis.latent: follows"),
        ("noise: 2", "synthesis: {name: grain, kernel: 3}", "realism.detail.size of synthesis must be one of widths"),
        ("noise: 2", "judge: {weight: 1}", "realism.detail.judge.backbone: missing"),
        ("noise: 2", "judge: {backbone: lite9}", "realism.detail.judge.backbone: lite9: no such backbone"),
        ("noise: 2", "judge: {backbone: lite0, weight: 0}", "realism.detail.judge.weight must be a positive number"),
        ("noise: 2", "judge: {backbone: lite0, weight: 1.0e+9}", "judge.weight must be a positive number up to 1000"),
        ("noise: 2", "judge: {backbone: lite0, enlarge: 9}", "realism.detail.judge.enlarge: expected 1 to 8"),
        ("noise: 2", "judge: lite0", "realism.detail.judge: expected a section"),
        ("  detail:", "  base: {}\n  detail:", "realism: expected one layer, found 2"),
        ("{noise: 2, windows: [4, 8]}", "3", "realism.detail: expected a section"),
        ("samples: 6", "samples: 3", "training.batch: 4 is more than the 3 samples"),
    ],
)
def test_a_bad_configuration_says_what_and_where(folder, tmp_path, monkeypatch, old, new, says):
    monkeypatch.chdir(folder)
    assert old in GOOD
    (tmp_path / "c.yaml").write_text(GOOD.replace(old, new, 1))
    with pytest.raises(TaskcodecError, match=re.escape(says)) as found:
        read_config(tmp_path / "c.yaml")
    assert str(found.value).startswith(f"{tmp_path / 'c.yaml'}: ")


def test_a_layer_that_is_not_there_is_named(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(folder)
    (tmp_path / "c.yaml").write_text(GOOD.replace("detail:", "other:"))
    told = run("train", tmp_path / "c.yaml", "-o", tmp_path / "c.codec", code=2).stderr
    assert "layer 'other' is none of this codec's: base, detail" in told
