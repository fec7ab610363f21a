"""Folders of pictures through a codec of pictures, by commands: encode, stop, append, decode, look at."""

import io
import json
import shutil
from contextlib import redirect_stderr
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("torch")

import taskcodec
from taskcodec.cli.main import main
from taskcodec.engines.encode.decide import EncodeOptions
from taskcodec.engines.encode.execute import encode_job
from tests.cli.commands import contents, refused, run
from tests.engines.encode.kills import killed_at
from tests.pictured import SIZES, alone, layered, picture
from tests.symbol_choice.pictures.trained import cost, trained

CODEC = layered()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Pictures of all sizes, one upside down, and what is none."""
    root = tmp_path_factory.mktemp("pictures")
    (root / "in").mkdir()
    (root / "more").mkdir()
    for number, size in enumerate(SIZES):
        Image.fromarray(picture(*size)).save(root / "in" / f"{number}.png")
        Image.fromarray(picture(*size, 1)).save(root / "more" / f"m{number}.png")
    turned = Image.Exif()
    turned[0x0112] = 3
    Image.fromarray(picture(12, 8)).save(root / "in" / "turned.png", exif=turned)
    (root / "in" / "text.png").write_bytes(b"no picture")
    CODEC.save(root / "p.codec")
    alone().save(root / "other.codec")
    run("encode", root / "in", root / "whole.tcz", "--codec", root / "p.codec", "--chunk", 3)
    return root


def expected(path, name):
    return CODEC.decompress(CODEC.compress(str(path)), name)


def test_effort_is_refused_where_no_layer_can_be_searched(folder, tmp_path):
    command = ("encode", folder / "in", tmp_path / "s.tcz", "--codec", folder / "p.codec", "--effort", 2)
    refused(tmp_path, *command, code=2, says=["layer base is not searched, since its codec does not say"])


@pytest.mark.slow
def test_effort_writes_fewer_bytes_that_any_reader_reads(folder, tmp_path):
    codec = trained()
    codec.save(tmp_path / "t.codec")
    for effort in (1, 5):
        command = ("encode", folder / "in", tmp_path / f"{effort}.tcz", "--codec", tmp_path / "t.codec")
        run(*command, "--effort", effort)
        assert "nothing was done" in run(*command, "--effort", effort).stderr
    usual, searched = (taskcodec.open(tmp_path / f"{effort}.tcz") for effort in (1, 5))
    assert searched.verify() == []
    x, id_ = picture(33, 20), f"{SIZES.index((33, 20))}.png"
    assert cost(codec, codec.compress(x, effort=5), x) < cost(codec, codec.compress(x), x)
    found = searched.layer("picture")[searched.find(id_)]
    assert np.array_equal(found, codec.decompress(codec.compress(x, effort=5)))
    run("encode", folder / "more", tmp_path / "1.tcz", "--append", "--effort", 2)
    assert len(taskcodec.open(tmp_path / "1.tcz")) > len(usual)


@pytest.mark.slow
def test_layers_that_are_not_searched_are_told(folder, tmp_path):
    codec = trained(("base", "detail"))
    stage = codec.provenance["trained"][0]
    layers = {**stage["layers"], "base": {**stage["layers"]["base"], "task": "detection"}}
    replace(codec, provenance={"trained": [{**stage, "layers": layers}]}).save(tmp_path / "t.codec")
    told = run("encode", folder / "in", tmp_path / "s.tcz", "--codec", tmp_path / "t.codec", "--effort", 2).stderr
    assert "layer base is not searched, since it was trained for detection" in told


def test_a_folder_comes_back_layer_by_layer(folder, tmp_path):
    store = taskcodec.open(folder / "whole.tcz")
    assert store.verify() == []
    assert store.failures["id"].to_pylist() == ["text.png"]
    assert not list(folder.glob(".*"))
    for name in ("base", "detail"):
        told = run("decode", folder / "whole.tcz", "--layer", name, "-o", tmp_path / name).stdout
        assert "7 files" in told
        for id_ in store.ids.tolist():
            with Image.open(tmp_path / name / f"{id_}.png") as found:
                assert np.array_equal(found, expected(folder / "in" / id_, name))
    assert np.array_equal(store.layer("base")[store.find("turned.png")].shape, (12, 8, 3))
    line = run("decode", folder / "whole.tcz", "-o", tmp_path / "x.npy", code=2).stderr
    assert line.count("\n") == 1
    assert "holds pictures" in line
    found = json.loads(run("info", folder / "whole.tcz", "--json").stdout)
    assert set(found["layers"]) == {"base", "detail"}
    assert "pictures" in run("info", folder / "p.codec").stdout
    assert json.loads(run("info", folder / "p.codec", "--json").stdout)["layers"] == ["base", "detail"]


def test_a_run_that_is_killed_anywhere_goes_on(folder, tmp_path, monkeypatch):
    whole = contents(folder / "whole.tcz")
    for moment in range(0, 40, 3):
        store = tmp_path / f"{moment}.tcz"
        arguments = str(folder / "in"), str(store), EncodeOptions(str(folder / "p.codec"), chunk_rows=3)
        if not killed_at(moment, monkeypatch, *arguments):
            break
        encode_job(*arguments)
        assert contents(store) == whole
    assert moment > 9


def test_what_is_appended_is_coded_by_the_same_codec(folder, tmp_path):
    shutil.copytree(folder / "whole.tcz", tmp_path / "s.tcz")
    shutil.copytree(folder / "whole.tcz", tmp_path / "t.tcz")
    run("encode", folder / "more", tmp_path / "s.tcz", "--append")
    run("encode", folder / "more", tmp_path / "t.tcz", "--append", "--codec", folder / "p.codec")
    assert contents(tmp_path / "s.tcz") == contents(tmp_path / "t.tcz")
    store = taskcodec.open(tmp_path / "s.tcz")
    assert store.verify() == []
    assert len(store) == 13
    row = store.find("m3.png")
    assert np.array_equal(store.layer("detail")[row], expected(folder / "more" / "m3.png", "detail"))
    other = run("encode", folder / "in", tmp_path / "s.tcz", "--append", "--codec", folder / "other.codec", code=1)
    assert "neither the codec of the store" in other.stderr
    assert "already" in run("encode", folder / "more", tmp_path / "s.tcz", "--append").stderr


def test_pictures_that_are_too_large_are_recorded(folder, tmp_path, monkeypatch):
    monkeypatch.setattr("taskcodec.coding.picture.MAX_SIDE", 19)
    run("encode", folder / "in", tmp_path / "s.tcz", "--codec", folder / "p.codec")
    store = taskcodec.open(tmp_path / "s.tcz")
    assert store.verify() == []
    assert len(store) == 6
    failed = dict(zip(*(store.failures[name].to_pylist() for name in ("id", "status")), strict=True))
    assert set(failed) == {"5.png", "text.png"}
    assert "20x33 pixels" in failed["5.png"]


def test_files_are_kept_beside_them(folder, tmp_path):
    asked = ("encode", folder / "in", tmp_path / "s.tcz", "--codec", folder / "p.codec")
    run(*asked, "--layers", "base,detail,original")
    assert "nothing was done" in run(*asked, "--layers", "original").stderr
    store = taskcodec.open(tmp_path / "s.tcz")
    assert store.layers == ("base", "detail", "original")
    assert store.layer("original")[2] == (folder / "in" / "2.png").read_bytes()
    assert store.verify() == []
    (tmp_path / "more").mkdir()
    shutil.copy(folder / "in" / "2.png", tmp_path / "more" / "new.png")
    run("encode", tmp_path / "more", tmp_path / "s.tcz", "--append", "--layers", "base,detail,original")
    assert len(taskcodec.open(tmp_path / "s.tcz").layer("original")) == len(store) + 1


def test_a_layer_that_has_the_name_of_a_usual_one_is_their_own(folder, tmp_path):
    base, detail = CODEC.layers
    replace(CODEC, layers=(base, replace(detail, name="picture"))).save(tmp_path / "p.codec")
    asked = ["encode", folder / "in", tmp_path / "s.tcz", "--codec", tmp_path / "p.codec"]
    assert "--layers picture: the codec has" in run(*asked, "--layers", "picture:900", code=2).stderr
    run(*asked, "--layers", "base,picture")
    store = taskcodec.open(tmp_path / "s.tcz")
    assert store.layers == ("base", "picture")
    assert store.layer("picture")[0].dtype == np.uint8
    assert store.verify() == []


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--bits", 100], "--bits base=BITS,detail=BITS, or some of these"),
        (["--bits", "base=100,top=9"], "--bits top=: the codec has no such layer; its layers are base, detail"),
        (["--bits", "base=100,base=9"], "base is named twice"),
        (["--bits", "base=many"], "LAYER=NUMBER"),
        (["--bits", "base=0"], "--bits base= must be positive"),
        (["--bits", "base=100"], "layer base has tables that follow from no network"),
        (["--backbone", "lite0"], "--backbone: a codec of pictures"),
        (["--device", "meta"], "--device"),
        (["--engine", "ray"], "--engine"),
        (["--layers", "features,base"], "--layers: 'features' is no layer; there are base, detail of the codec"),
    ],
)
def test_what_goes_without_a_codec_of_pictures_is_one_line(folder, tmp_path, more, words):
    found = run("encode", folder / "in", tmp_path / "s.tcz", "--codec", folder / "p.codec", *more, code=2)
    assert words in found.stderr
    assert found.stderr.count("\n") == 1
    assert not (tmp_path / "s.tcz").exists()


def test_vectors_are_refused(folder, tmp_path):
    np.save(tmp_path / "x.npy", np.eye(20, 8, dtype="f4"))
    found = run("encode", tmp_path / "x.npy", tmp_path / "s.tcz", "--codec", folder / "p.codec", code=1)
    assert "vectors, where a codec of pictures takes images" in found.stderr
    found = run("encode", tmp_path / "x.npy", folder / "whole.tcz", "--append", code=1)
    assert "holds pictures" in found.stderr


def test_a_store_s_own_copy_only_decodes(folder, tmp_path):
    copy = taskcodec.load_codec(folder / "whole.tcz")
    assert np.array_equal(
        copy.decompress(CODEC.compress(picture(5, 6))), CODEC.decompress(CODEC.compress(picture(5, 6)))
    )
    file = io.BytesIO()
    Image.fromarray(picture(5, 6)).save(file, "PNG")
    with pytest.raises(taskcodec.errors.MismatchError, match="can only decode"):
        copy.compress(file.getvalue())
    found = run("encode", folder / "in", tmp_path / "s.tcz", "--codec", folder / "whole.tcz", code=2)
    assert "can only decode" in found.stderr


NO_FEATURES = "have no features"


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (["evaluate", "whole.tcz"], NO_FEATURES),
        (["evaluate", "whole.tcz", "--source", "in"], NO_FEATURES),
        (["limits", "whole.tcz"], NO_FEATURES),
        (["decode", "whole.tcz", "-o", "x.parquet"], NO_FEATURES),
        (["benchmark", "in", "--codecs", "p.codec", "-o", "out"], NO_FEATURES),
        (["features", "in", "-o", "f.npy", "--backbone", "codec:p.codec"], "makes no features of them"),
        (["fit", "in", "-o", "q.codec", "--backbone", "codec:p.codec"], "makes no features of them"),
        (["decode", "whole.tcz", "--layer", "top", "-o", "top"], "no layer 'top'"),
    ],
)
def test_commands_that_need_features_say_so_in_a_line(folder, monkeypatch, command, words):
    monkeypatch.chdir(folder)
    before = set(folder.iterdir())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["taskcodec", *command])
        stderr = io.StringIO()
        with redirect_stderr(stderr), pytest.raises(SystemExit) as ended:
            main()
    assert ended.value.code in (1, 2)
    assert words in stderr.getvalue()
    assert stderr.getvalue().count("\n") == 1
    assert {path for path in folder.iterdir() if path.name != "out"} == before


def test_fits_and_calls_that_need_features_say_so():
    x = np.zeros((20, 8), "f4")
    calls = [
        lambda: taskcodec.adapt(CODEC, x),
        lambda: taskcodec.at_bits(CODEC, 10),
        lambda: taskcodec.at_step(CODEC, 1.0),
        lambda: CODEC.dimension,
        lambda: CODEC.encode(x),
        lambda: CODEC.encode([picture(4, 4)]),
        lambda: CODEC.encode_features(x),
        lambda: CODEC.decode(np.zeros((2, 8), int)),
        lambda: CODEC.costs(np.zeros((2, 8), int)),
        lambda: CODEC.code_length(np.zeros((2, 8), int)),
        lambda: CODEC.rate_of(x),
        lambda: CODEC.packets(np.zeros((2, 8), int)),
        lambda: CODEC.by_layer(np.zeros((2, 8), int)),
        lambda: CODEC.analyse([x[0]]),
        lambda: CODEC.synthesise(x),
    ]
    for number, call in enumerate(calls):
        with pytest.raises(taskcodec.errors.UsageError) as told:
            call()
        assert "features" in str(told.value) or "layers" in str(told.value), number
    with pytest.raises(taskcodec.errors.UsageError, match="only one of pictures"):
        _ = taskcodec.load_codec("lite0").pictures
