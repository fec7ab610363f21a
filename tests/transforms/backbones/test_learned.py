"""Codecs that carry networks, from file to store and back."""

import copy
import json
import pickle
import subprocess
import sys
from contextlib import chdir
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

import taskcodec
from taskcodec.codec import Codec
from taskcodec.container.file import read
from taskcodec.errors import BackboneError, CorruptFileError, MismatchError, SourceError
from taskcodec.store import SampleRecord, StoreWriter
from tests.cli.commands import run

torch = pytest.importorskip("torch")

from taskcodec.transforms.backbones import load_backbone  # noqa: E402
from taskcodec.transforms.chain import Chain  # noqa: E402
from taskcodec.transforms.networks.build import make, pack  # noqa: E402
from taskcodec.transforms.networks.carried import Networks  # noqa: E402

RNG = np.random.default_rng(0)
VECTORS = RNG.normal(size=(300, 8)).astype("f4")
GREY = {"resize": 28, "crop": 28, "interpolation": "bicubic", "mean": [0.1] * 3, "std": [0.3] * 3}


def with_networks(codec, networks):
    base = codec.base
    chained = replace(base, transform=Chain(networks, base.transform.affine))
    return Codec.of_layer(chained, codec.backbone, codec.provenance)


def vector_codec():
    torch.manual_seed(0)
    sizes, back = {"inputs": 8, "outputs": 3, "hidden": [16]}, {"inputs": 3, "outputs": 8, "hidden": [16]}
    g_a, g_s = make("mlp", sizes), make("mlp", back)
    with torch.no_grad():
        y = 20 * g_a(torch.from_numpy(VECTORS)).numpy()
        for parameter in list(g_a.parameters())[-2:]:
            parameter *= 20
    plain = taskcodec.fit(np.tile(y, (2, 1)), step=1.0, method="dimensionwise")  # of fewer rows, columns share tables
    return with_networks(plain, Networks(pack("mlp", sizes, g_a), pack("mlp", back, g_s)))


def image_codec():
    torch.manual_seed(0)
    sizes = {"channels": 1, "outputs": 3, "widths": [8, 16]}
    plain = taskcodec.fit(RNG.normal(size=(300, 3)).astype("f4"), step=0.01, method="dimensionwise")
    return with_networks(plain, Networks(pack("resnet_small", sizes, make("resnet_small", sizes)), None, GREY))


def test_a_codec_is_written_in_the_oldest_version_that_can_express_it(tmp_path):
    plain = taskcodec.fit(np.tile(VECTORS, (2, 1)), bits=20, method="dimensionwise")
    shared, axes = taskcodec.fit(VECTORS, bits=20, method="dimensionwise"), taskcodec.fit(VECTORS, bits=20)
    for codec, version in ((plain, 1), (vector_codec(), 2), (shared, 3), (axes, 3)):
        codec.save(tmp_path / "a.codec")
        assert read((tmp_path / "a.codec").read_bytes(), "a")[0]["version"] == version
        assert taskcodec.load_codec(tmp_path / "a.codec").fingerprint == codec.fingerprint


def test_networks_that_do_not_fit_are_named_by_their_file(tmp_path):
    codec = image_codec()
    networks = codec.networks
    sizes, weights = {**networks.g_a.sizes, "widths": [8, 24]}, networks.g_a.weights
    for name, changed, says in (
        ("sizes", replace(networks, g_a=replace(networks.g_a, sizes=sizes)), "network resnet_small"),
        ("weights", replace(networks, g_a=replace(networks.g_a, weights=dict(list(weights.items())[1:]))), "lack"),
        ("preprocessing", replace(networks, preprocessing={**GREY, "tilt": 3}), "preprocessing is not known"),
    ):
        path = tmp_path / f"{name}.codec"
        with_networks(codec, changed).save(path)
        with pytest.raises((CorruptFileError, BackboneError), match=rf"{name}\.codec: .*{says}"):
            load_backbone(f"codec:{path}")


def test_a_vector_goes_through_g_a_and_back_through_g_s():
    codec = Codec.from_bytes(vector_codec().to_bytes())
    assert (codec.inputs, codec.dimension) == (8, 3)
    features = codec.analyse(list(VECTORS))
    decoded = codec.decompress(codec.compress(VECTORS))
    assert np.abs(decoded - features).max() < 1
    assert np.corrcoef(decoded[:, 0], features[:, 0])[0, 1] > 0.9
    assert codec.synthesise(decoded).shape == (300, 8)
    with pytest.raises(MismatchError, match="8"):
        codec.compress(VECTORS[:, :3])
    with pytest.raises(MismatchError, match="no backbone"):
        codec.compress(np.zeros((28, 28, 3), np.uint8))
    with pytest.raises(MismatchError, match="no synthesis"):
        image_codec().synthesise(decoded)


@pytest.mark.parametrize("learned", [vector_codec, image_codec])
@pytest.mark.parametrize("copied", [copy.deepcopy, lambda codec: pickle.loads(pickle.dumps(codec))])
def test_a_learned_codec_in_use_can_be_copied(learned, copied):
    codec = learned()
    sample = VECTORS[0] if learned is vector_codec else Image.fromarray(RNG.integers(0, 256, (28, 28), np.uint8))
    packet = codec.compress(sample)
    again = copied(codec)
    assert again.compress(sample) == packet
    assert np.array_equal(again.decompress(packet), codec.decompress(packet))


@pytest.mark.parametrize("picture", ["grey", "colour"])
def test_an_image_in_any_form_gives_the_same_bytes(picture, tmp_path):
    codec = image_codec()
    grey = RNG.integers(0, 256, (28, 28), np.uint8)
    pixels = grey if picture == "grey" else RNG.integers(0, 256, (28, 28, 3), np.uint8)
    packet = codec.compress(Image.fromarray(pixels))
    channels = torch.from_numpy(pixels[None] if picture == "grey" else np.moveaxis(pixels, 2, 0).copy())
    Image.fromarray(pixels).save(tmp_path / "a.png")
    forms = [pixels, channels, channels / 255, tmp_path / "a.png", str(tmp_path / "a.png"), *[pixels[..., None]] * (
        picture == "grey"
    )]  # fmt: skip
    symbols = codec.encode([pixels])
    for form in forms:
        assert codec.compress(form) == packet
        assert codec.compress([form, form]) == [packet] * 2
        assert np.array_equal(codec.encode(form), symbols)
        assert np.array_equal(codec.encode([form, form]), np.concatenate([symbols] * 2))
    for batch in (torch.stack([channels] * 2), torch.stack([channels] * 2) / 255):
        assert codec.compress(batch) == [packet] * 2
        assert np.array_equal(codec.encode(batch), np.concatenate([symbols] * 2))


def test_what_is_no_image_is_told_so_in_one_line():
    codec, image = image_codec(), torch.rand(3, 28, 28)
    for wrong, says in (
        (image * 255, r"floats must lie in \[0, 1\], found"),
        (image - 0.5, r"floats must lie in \[0, 1\]"),
        (image * torch.nan, r"floats must lie in \[0, 1\], found nan"),
        (image[:2], r"found torch.float32 \(2, 28, 28\)"),
        (image.long(), r"found torch.int64"),
        (image.numpy(), r"uint8 \(H, W, 3\) or \(H, W\), found float32 \(3, 28, 28\)"),
        (np.zeros((28, 28), np.float32), r"found float32 \(28, 28\)"),
        ("none.png", r"^none\.png: no such file"),
        (np.zeros((1, 28, 28), np.uint8), r"found uint8 \(1, 28, 28\)"),
    ):
        for use in (codec.compress, lambda wrong: codec.compress([wrong])):
            with pytest.raises(SourceError, match=says):
                use(wrong)
    with pytest.raises(MismatchError, match=r"expected decoded features of shape \(n, 3\), found \(300, 2\)"):
        vector_codec().synthesise(VECTORS[:, :2])


def test_a_matrix_of_bytes_is_an_image_where_a_codec_takes_images():
    codec = taskcodec.load_codec("lite0")
    grey = RNG.integers(0, 256, (50, 1280), np.uint8)
    assert codec.compress(grey) == codec.compress(Image.fromarray(grey))
    assert codec.encode(grey).shape == (1, codec.columns)
    assert len(codec.compress(grey.astype(np.float32))) == 50


def test_a_store_keeps_what_decoding_needs():
    codec = vector_codec()
    kept = codec.for_store("codec:my.codec")
    assert kept.g_a is None
    assert kept.networks.g_s is not None
    assert len(kept.to_bytes()) < len(codec.to_bytes())
    sample = codec.compress(VECTORS[0])
    assert np.array_equal(Codec.from_bytes(kept.to_bytes()).decompress(sample), codec.decompress(sample))
    assert kept.backbone.weights_sha256 == codec.g_a.sha256


def test_encode_and_evaluate_take_a_codec_of_vectors(tmp_path):
    vector_codec().save(tmp_path / "v.codec")
    np.save(tmp_path / "x.npy", VECTORS)
    run("encode", tmp_path / "x.npy", tmp_path / "x.tcz", "--codec", tmp_path / "v.codec")
    store = taskcodec.open(tmp_path / "x.tcz")
    features = vector_codec().analyse(list(VECTORS))
    assert store.features[:].shape == (300, 3)
    assert np.abs(store.features[:] - features).max() < 1
    np.save(tmp_path / "y.npy", VECTORS[:, :5])
    wrong = run("encode", tmp_path / "y.npy", tmp_path / "y.tcz", "--codec", tmp_path / "v.codec", code=1)
    assert "vectors of 5 numbers, a codec for 8" in wrong.stderr
    labels = "id,label\n" + "".join(f"{i},{'a' if row[0] > 0 else 'b'}\n" for i, row in enumerate(VECTORS))
    (tmp_path / "l.csv").write_text(labels)
    asked = ("--labels", tmp_path / "l.csv", "--source", tmp_path / "x.npy", "--predictors", "ridge", "--json")
    judged = run("evaluate", tmp_path / "x.tcz", *asked)
    assert json.loads(judged.stdout)[0]["samples"] == 300


def test_encode_takes_a_codec_of_images_and_appends_with_it(tmp_path):
    image_codec().save(tmp_path / "i.codec")
    for part in ("one", "two"):
        (tmp_path / part).mkdir()
        for i in range(5):
            Image.fromarray(RNG.integers(0, 256, (28, 28), dtype=np.uint8)).save(tmp_path / part / f"{part}{i}.png")
    run("encode", tmp_path / "one", tmp_path / "one.tcz", "--codec", tmp_path / "i.codec")
    store, codec = taskcodec.open(tmp_path / "one.tcz"), image_codec()
    expected = codec.analyse([tmp_path / "one" / f"one{i}.png" for i in range(5)])
    assert np.abs(store.features[:] - expected).max() < 0.011
    assert store.codec.g_a is None
    run("encode", tmp_path / "two", tmp_path / "one.tcz", "--append")
    assert len(taskcodec.open(tmp_path / "one.tcz")) == 10
    # Grey pictures give what their bytes give, without a picture's detour over RGB files.
    pixels = np.asarray(Image.open(tmp_path / "one" / "one0.png").convert("RGB"))
    assert np.allclose(codec.analyse([pixels])[0], expected[0], atol=1e-6)
    with pytest.raises(SourceError, match="uint8"):
        codec.compress(np.zeros(8, "f4"))


def at(folder, *arguments):
    with chdir(folder):
        return run(*arguments)


@pytest.mark.parametrize("vectors", [True, False])
def test_a_store_of_a_learned_codec_does_not_depend_on_the_folder_it_was_made_in(tmp_path, vectors):
    (tmp_path / "elsewhere").mkdir()
    (vector_codec() if vectors else image_codec()).save(tmp_path / "l.codec")
    for part in ("one", "two"):
        if vectors:
            np.save(tmp_path / f"{part}.npy", VECTORS[:150] if part == "one" else VECTORS[150:])
        else:
            (tmp_path / part).mkdir()
            for i in range(3):
                pixels = np.random.default_rng([i, len(part)]).integers(0, 256, (28, 28), np.uint8)
                Image.fromarray(pixels).save(tmp_path / part / f"{part}{i}.png")
    one, two = ("one.npy", "two.npy") if vectors else ("one", "two")
    ways = ((tmp_path, "l.codec", one), (tmp_path / "elsewhere", "../l.codec", f"../{one}"))
    for number, (folder, codec, source) in enumerate(ways):
        at(folder, "encode", source, tmp_path / f"{number}.tcz", "--codec", codec)
    first, second = (taskcodec.open(tmp_path / f"{number}.tcz") for number in (0, 1))
    assert first.codec.fingerprint == second.codec.fingerprint
    written = [(tmp_path / f"{number}.tcz" / "codec.safetensors").read_bytes() for number in (0, 1)]
    assert written[0] == written[1]
    at(tmp_path / "elsewhere", "encode", f"../{two}", "../0.tcz", "--append")
    assert len(taskcodec.open(tmp_path / "0.tcz")) == (300 if vectors else 6)
    assert at(tmp_path, "verify", "0.tcz").stdout


@pytest.mark.parametrize("vectors", [True, False])
def test_a_codec_that_was_moved_is_named(tmp_path, vectors):
    (vector_codec() if vectors else image_codec()).save(tmp_path / "i.codec")
    parts = [tmp_path / (f"{name}.npy" if vectors else name) for name in ("one", "two")]
    for number, part in enumerate(parts):
        if vectors:
            np.save(part, VECTORS[150 * number :][:150])
            continue
        part.mkdir()
        for i in range(8):
            pixels = np.random.default_rng([i, number]).integers(0, 256, (28, 28), np.uint8)
            Image.fromarray(pixels).save(part / f"{number}-{i}.png")
    (one, two), store, moved = parts, tmp_path / "x.tcz", tmp_path / "moved.codec"
    run("encode", one, store, "--codec", tmp_path / "i.codec")
    verbs = [("evaluate", store, "--source", one), ("encode", two, store, "--append")]
    if not vectors:
        verbs.insert(1, ("evaluate", store, "--source", one, "--certificate", "--pairs", "64"))
    (tmp_path / "i.codec").rename(moved)
    for verb in verbs:
        lost = run(*verb, code=1).stderr
        assert f"{tmp_path / 'i.codec'}: no such file any more" in lost
        assert "name it where it lies now (--codec FILE)" in lost
    for verb in verbs:
        run(*verb, "--codec", moved)
    assert len(taskcodec.open(store)) == (300 if vectors else 16)
    if vectors:
        run("encode", one, tmp_path / "y.tcz")
        found = run("evaluate", tmp_path / "y.tcz", "--source", one, "--codec", moved, code=2).stderr
        assert "carries no analysis of its own" in found


def test_a_store_that_records_its_analysis_by_the_typed_path_is_still_appended_to(tmp_path):
    """As version 2 of the codec's format has it."""
    codec = vector_codec()
    codec.save(tmp_path / "v.codec")
    kept = codec.for_store("codec:v.codec")
    old = replace(kept, backbone=replace(kept.backbone, name=f"codec:{tmp_path / 'v.codec'}", found_at=""))
    assert read(old.to_bytes(), "old")[0]["version"] == 2
    assert Codec.from_bytes(old.to_bytes()).fingerprint == old.fingerprint != kept.fingerprint
    with StoreWriter.create(tmp_path / "x.tcz", old) as writer:
        writer.append(codec.encode(VECTORS[:100]), [SampleRecord(str(i), i, 32) for i in range(100)])
        writer.finish()
    np.save(tmp_path / "more.npy", VECTORS[100:])
    run("encode", tmp_path / "more.npy", tmp_path / "x.tcz", "--append")
    assert np.array_equal(taskcodec.open(tmp_path / "x.tcz").symbols[:], codec.encode(VECTORS))


def test_a_codec_fitted_on_a_learned_analysis_does_not_depend_on_where_that_was_typed(tmp_path):
    image_codec().save(tmp_path / "i.codec")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "p").mkdir()
    for i in range(8):
        Image.fromarray(RNG.integers(0, 256, (28, 28), dtype=np.uint8)).save(tmp_path / "p" / f"{i}.png")
    at(tmp_path, "fit", "p", "-o", "a.codec", "--backbone", "codec:i.codec", "--bits", 8)
    at(tmp_path / "elsewhere", "fit", "../p", "-o", "../b.codec", "--backbone", "codec:../i.codec", "--bits", 8)
    assert (tmp_path / "a.codec").read_bytes() == (tmp_path / "b.codec").read_bytes()
    at(tmp_path / "elsewhere", "encode", "../p", "p.tcz", "--codec", "../a.codec")
    assert len(taskcodec.open(tmp_path / "elsewhere" / "p.tcz")) == 8


def test_the_analysis_is_a_backbone_by_the_codec_s_file(tmp_path):
    image_codec().save(tmp_path / "i.codec")
    backbone = load_backbone(f"codec:{tmp_path / 'i.codec'}")
    assert backbone.spec.dimension == 3
    vector_codec().save(tmp_path / "v.codec")
    taskcodec.fit(VECTORS, bits=20).save(tmp_path / "plain.codec")
    for name, says in (("v.codec", "vectors of 8"), ("plain.codec", "without a learned"), ("none.codec", "none.codec")):
        with pytest.raises(BackboneError, match=says):
            load_backbone(f"codec:{tmp_path / name}")


def test_a_damaged_network_is_found():
    data = bytearray(vector_codec().to_bytes())
    data[-5] ^= 1
    with pytest.raises(CorruptFileError):
        Codec.from_bytes(bytes(data))


def test_decoding_a_learned_store_imports_no_torch(tmp_path):
    codec = vector_codec()
    codec.for_store("codec:v.codec").save(tmp_path / "kept.codec")
    (tmp_path / "sample").write_bytes(codec.compress(VECTORS[0]))
    script = f"""
import sys, taskcodec
codec = taskcodec.load_codec({str(tmp_path / "kept.codec")!r})
assert codec.decompress(open({str(tmp_path / "sample")!r}, "rb").read()).shape == (3,)
assert "torch" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", script], check=True)
