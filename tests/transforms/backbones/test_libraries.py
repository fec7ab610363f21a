"""The loaders of other libraries, on tiny models saved locally: each must equal its library's own way to features."""

import sys
from importlib.util import find_spec

import numpy as np
import pytest
from PIL import Image

import taskcodec
from taskcodec.errors import BackboneError
from tests.cli.commands import run

torch = pytest.importorskip("torch")

from taskcodec.transforms.backbones import base, load, load_backbone, load_backbone_for  # noqa: E402
from taskcodec.transforms.pictures.images import Preprocessing  # noqa: E402
from tests.transforms import tiny_models  # noqa: E402

INSTALLED = {library for library in tiny_models.MAKERS if find_spec(library) and find_spec("torchvision")}
MAKERS = [
    pytest.param(
        maker, id=maker.__name__, marks=pytest.mark.skipif(library not in INSTALLED, reason=f"{library} not installed")
    )
    for library, makers in tiny_models.MAKERS.items()
    for maker in makers
]
ONE_OF_EACH = [
    pytest.param(
        makers[0], id=library, marks=pytest.mark.skipif(library not in INSTALLED, reason=f"{library} not installed")
    )
    for library, makers in tiny_models.MAKERS.items()
]


@pytest.fixture(autouse=True)
def _exact_and_afresh(monkeypatch):
    """No 16-bit arithmetic, and no model left in the cache by a test of the same name."""
    monkeypatch.setattr(base, "has_fast_bfloat16", lambda device: False)
    load._loaded.cache_clear()
    yield
    load._loaded.cache_clear()


def photos():
    from sklearn.datasets import load_sample_image

    photo = Image.fromarray(load_sample_image("china.jpg"))
    # Landscape, portrait with odd sides, smaller than the network's input, square.
    return [photo, photo.crop((40, 3, 341, 420)), photo.resize((27, 90)), photo.crop((100, 100, 324, 324))]


@pytest.mark.parametrize("maker", MAKERS)
def test_features_are_the_librarys_own(maker, tmp_path):
    name, reference = maker(tmp_path / "model")
    backbone = load_backbone(name)
    for photo in photos():
        with torch.inference_mode():
            expected = reference(photo).numpy()
        found = backbone(backbone.preprocess(photo)[None])
        assert found.shape == expected.shape == (1, backbone.spec.dimension)
        assert np.abs(found - expected).max() <= 1e-4 * max(1, np.abs(expected).max())
    assert np.linalg.norm(expected) > 1e-2
    assert backbone.spec.answers_to(name)
    assert backbone.spec.loadable == name  # which says a whole path
    assert str(tmp_path) not in backbone.spec.name
    assert len(backbone.spec.weights_sha256) == 64
    assert Preprocessing(**backbone.spec.preprocessing).to_json() == backbone.preprocess.to_json()


@pytest.mark.parametrize("maker", ONE_OF_EACH)
def test_other_weights_under_the_same_name_are_refused(maker, tmp_path):
    name, _ = maker(tmp_path / "model")
    spec = load_backbone(name).spec
    assert load_backbone_for(spec).spec == spec
    load._loaded.cache_clear()
    assert load_backbone_for(spec).spec.weights_sha256 == spec.weights_sha256  # the hash is that of the content
    with pytest.raises(BackboneError, match="its preprocessing"):
        load_backbone_for(type(spec)(name, spec.weights_sha256, spec.dimension, {**spec.preprocessing, "crop": 5}))
    files = [p for p in (tmp_path / "model").iterdir() if p.suffix in (".safetensors", ".bin", ".pth")]
    for file in files:
        _shift_weights(file)
    load._loaded.cache_clear()
    with pytest.raises(BackboneError, match="SHA-256"):
        load_backbone_for(spec)


def _shift_weights(file):
    if file.suffix == ".safetensors":
        from safetensors.torch import load_file, save_file

        save_file({key: value + 1e-3 for key, value in load_file(file).items()}, file, metadata={"format": "pt"})
        return
    state = torch.load(file, weights_only=True)
    inner = state.get("state_dict", state)
    for value in inner.values():
        if value.is_floating_point():
            value.add_(1e-3)
    torch.save(state, file)


@pytest.mark.parametrize("maker", ONE_OF_EACH)
@pytest.mark.slow
def test_where_a_model_was_typed_from_does_not_matter(maker, tmp_path, monkeypatch):
    name, _ = maker(tmp_path / "model")
    (tmp_path / "photos").mkdir()
    (tmp_path / "elsewhere").mkdir()
    for number in range(9):
        photos()[0].crop((40 * number, 9, 40 * number + 90, 99)).save(tmp_path / "photos" / f"{number}.png")
    monkeypatch.chdir(tmp_path)
    run("fit", "photos", "-o", "a.codec", "--backbone", name.replace(f"{tmp_path}/", ""), "--bits", 20)
    run("encode", "photos", "s.tcz", "--codec", "a.codec")
    monkeypatch.chdir(tmp_path / "elsewhere")
    run("fit", "../photos", "-o", "b.codec", "--backbone", name.replace(f"{tmp_path}/", "../"), "--bits", 20)
    assert (tmp_path / "a.codec").read_bytes() == (tmp_path / "elsewhere" / "b.codec").read_bytes()
    photos()[0].save("more.png")
    run("encode", ".", "../s.tcz", "--append")
    assert len(taskcodec.open("../s.tcz")) == 10
    # It may be moved, and then is named where it lies.
    (tmp_path / "away").mkdir()
    (tmp_path / "model").rename(tmp_path / "away" / "model")
    load._loaded.cache_clear()
    photos()[1].save("more.png")
    run("encode", ".", "../s.tcz", "--append", code=1)
    run("encode", ".", "../s.tcz", "--append", "--backbone", name.replace(f"{tmp_path}/", "../away/"))
    assert len(taskcodec.open("../s.tcz")) == 11


@pytest.mark.parametrize("maker", ONE_OF_EACH)
def test_a_folder_of_photographs_end_to_end(maker, tmp_path):
    name, reference = maker(tmp_path / "model")
    (tmp_path / "photos").mkdir()
    crops = [photos()[0].crop((x, y, x + 160, y + 130)) for x in range(0, 480, 60) for y in (0, 150, 290)]
    for number, crop in enumerate(crops):
        crop.save(tmp_path / "photos" / f"{number:02}.png")
    run("encode", tmp_path / "photos", tmp_path / "s.tcz", "--backbone", name, "--bits", "150")
    run("decode", tmp_path / "s.tcz", "-o", tmp_path / "y.npy")
    decoded = np.load(tmp_path / "y.npy")
    with torch.inference_mode():
        features = np.concatenate([reference(crop).numpy() for crop in crops])
    assert decoded.shape == features.shape
    assert np.mean((decoded - features) ** 2) < 0.1 * features.var(axis=0).mean()
    assert taskcodec.load_codec(tmp_path / "s.tcz").backbone.loadable == name


@pytest.mark.parametrize(
    ("library", "name", "says"),
    [
        ("timm", "timm:no_such_model", "no_such_model"),
        ("timm", "timm:resnet18", "online"),
        ("timm", "timm:resnet18@/no/file.pth", "/no/file.pth"),
        ("timm", "timm:local-dir:/no/folder", "/no/folder"),
        ("torchvision", "torchvision:no_such_model", "no_such_model"),
        ("torchvision", "torchvision:raft_small", "not an image classifier"),
        ("torchvision", "torchvision:resnet18@/no/file.pth", "/no/file.pth"),
        ("open_clip", "open_clip:no_such_model/openai", "no_such_model"),
        ("open_clip", "open_clip:ViT-B-32", "names no weights"),
        ("open_clip", "open_clip:ViT-B-32/no_such_tag", "no_such_tag"),
        ("open_clip", "open_clip:local-dir:/no/folder", "/no/folder"),
        ("open_clip", "open_clip:ViT-B-32/laion2b_s34b_b79k", "online"),
        ("transformers", "hf:nobody/no-such-model", "online"),
        ("transformers", "hf:/no/folder", "no such folder"),
    ],
)
def test_what_cannot_be_loaded_is_one_line(library, name, says, monkeypatch):
    if library not in INSTALLED:
        pytest.skip(f"{library} not installed")
    go_offline(monkeypatch)
    with pytest.raises(BackboneError, match=says) as raised:
        load_backbone(name)
    assert name in str(raised.value)
    assert "\n" not in str(raised.value)


def go_offline(monkeypatch):
    """As on a machine without a network: no address is found."""

    def refuse(*arguments, **options):
        raise OSError("Name or service not known")

    monkeypatch.setattr("socket.getaddrinfo", refuse)
    if find_spec("huggingface_hub"):
        from huggingface_hub import constants

        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)


@pytest.mark.skipif("transformers" not in INSTALLED, reason="transformers not installed")
def test_offline_command_prints_one_line(tmp_path, monkeypatch):
    go_offline(monkeypatch)
    Image.new("RGB", (64, 64)).save(tmp_path / "a.png")
    found = run("encode", tmp_path, tmp_path / "s.tcz", "--backbone", "hf:nobody/nothing", code=1)
    assert "hf:nobody/nothing: cannot be loaded" in found.stderr
    assert len(found.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("name", "module"),
    [("timm:x", "timm"), ("open_clip:x/y", "open_clip"), ("hf:x", "transformers"), ("torchvision:x", "torchvision")],
)
def test_a_missing_package_is_named(name, module, monkeypatch):
    monkeypatch.setitem(sys.modules, module, None)  # what import does then: ImportError
    with pytest.raises(BackboneError, match=r"pip install"):
        load_backbone(name)


@pytest.mark.skipif("timm" not in INSTALLED, reason="timm not installed")
def test_weights_files_that_do_not_fit(tmp_path):
    name, _ = tiny_models.timm_file(tmp_path / "model")
    file = tmp_path / "model" / "w.pth"
    state = torch.load(file, weights_only=True)["state_dict"]
    for content, says in (
        ({key: value for key, value in state.items() if "norm1" not in key}, "lacks"),
        ({key: torch.cat([value, value]) for key, value in state.items()}, "other shapes"),
        ({"state_dict": 3}, "no state dict"),
        ([1, 2], "no state dict"),
    ):
        torch.save(content, file)
        with pytest.raises(BackboneError, match=says):
            load_backbone(name)
    file.write_bytes(b"nothing")
    with pytest.raises(BackboneError, match="no weights that can be read"):
        load_backbone(name)


@pytest.mark.skipif("open_clip" not in INSTALLED, reason="open_clip not installed")
def test_preprocessing_that_is_not_followed_is_refused(tmp_path):
    name, _ = tiny_models._open_clip(tmp_path / "model", "longest")
    with pytest.raises(BackboneError, match="compute its features yourself"):
        load_backbone(name)


@pytest.mark.skipif("transformers" not in INSTALLED, reason="transformers not installed")
def test_transformers_models_that_do_not_fit(tmp_path):
    from safetensors.torch import load_file, save_file

    name, _ = tiny_models.clip(tmp_path / "model")
    processor = tmp_path / "model" / "preprocessor_config.json"
    kept = processor.read_text()
    processor.write_text(kept.replace("32", "40"))
    with pytest.raises(BackboneError, match="fails on an image of 40 x 40"):
        load_backbone(name)
    processor.unlink()
    with pytest.raises(BackboneError, match="cannot be loaded"):
        load_backbone(name)
    processor.write_text(kept)
    weights = tmp_path / "model" / "model.safetensors"
    state = load_file(weights)
    del state["visual_projection.weight"]
    save_file(state, weights, metadata={"format": "pt"})
    with pytest.raises(BackboneError, match="lack"):
        load_backbone(name)


@pytest.mark.skipif("transformers" not in INSTALLED, reason="transformers not installed")
def test_a_codec_finds_its_backbone_again(tmp_path):
    name, _ = tiny_models.dinov2(tmp_path / "model")
    backbone = load_backbone(name)
    pixels = np.stack([backbone.preprocess(photo) for photo in photos() * 4])
    taskcodec.fit(backbone(pixels), bits=100, backbone=backbone.spec).save(tmp_path / "d.codec")
    codec = taskcodec.load_codec(tmp_path / "d.codec")
    assert codec.decompress(codec.compress(photos()[0])).shape == (32,)


def test_both_ways_of_scaling_agree_on_smooth_pictures():
    x, y = np.meshgrid(np.arange(400), np.arange(300))
    smooth = np.stack([x * 255 // 400, y * 255 // 300, (x + y) * 255 // 700], axis=-1).astype(np.uint8)
    for squash in (False, True):
        one, two, three = (
            Preprocessing(73, 64, "bicubic", (0, 0, 0), (1, 1, 1), squash, steps)(smooth).astype(int)
            for steps in ("one", "torchvision", "transformers")
        )
        assert np.abs(one - two).max() <= 4
        assert np.abs(one - three).max() <= 8  # the crop may begin one pixel earlier
    thin = np.zeros((1, 60_000, 3), np.uint8)  # scaled by 64 it would take hundreds of megabytes
    assert Preprocessing(64, 64, "bicubic", (0, 0, 0), (1, 1, 1), False, "torchvision")(thin).shape == (64, 64, 3)
