import io
from zipfile import ZipFile

import numpy as np
import pytest
import torch
from PIL import Image

from taskcodec.data import open_source
from taskcodec.errors import SourceError, UsageError
from taskcodec.evaluation.peers.pixels import PillowCodec, available, pixel_features, scale_down, standard_pixel_codecs
from taskcodec.transforms.backbones import Backbone, BackboneSpec
from taskcodec.transforms.pictures.images import Preprocessing

LOSSY = [name for name in ("jpeg", "webp", "avif", "jxl") if available(name)]


def photo(width=120, height=90, seed=0):
    """Smooth shapes with an edge and some grain, as RGB."""
    rng = np.random.default_rng(seed)
    x, y = np.meshgrid(np.linspace(0, 6, width), np.linspace(0, 5, height))
    planes = [120 + 80 * np.sin(x + k) * np.cos(y * (k + 1)) + 40 * (x > 3) for k in range(3)]
    pixels = np.stack(planes, axis=-1) + rng.normal(0, 6, (height, width, 3))
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def tiny_backbone():
    """Features that are the pixels of an 8 x 8 thumbnail."""
    preprocess = Preprocessing(8, 8, "bicubic", (0.5, 0.5, 0.5), (0.25, 0.25, 0.25))
    spec = BackboneSpec("tiny", "0" * 64, 192, preprocess.to_json())
    return Backbone(spec, preprocess, lambda x: x.flatten(1), torch.device("cpu"))


@pytest.mark.parametrize("name", LOSSY)
def test_bytes_are_those_of_a_file_and_the_image_comes_back(name, tmp_path):
    codec = PillowCodec(name, 60)
    decoded, count = codec.encode_decode(photo())
    (tmp_path / "x").write_bytes(codec.encode(photo()))
    assert (tmp_path / "x").stat().st_size == count > 0
    with Image.open(tmp_path / "x") as again:
        assert again.format == name.upper()
        assert np.array_equal(np.asarray(again.convert("RGB")), np.asarray(decoded))
    assert (decoded.mode, decoded.size) == ("RGB", (120, 90))
    assert np.abs(np.asarray(decoded, float) - np.asarray(photo(), float)).mean() < 12


@pytest.mark.parametrize("name", LOSSY)
def test_size_grows_with_quality_and_with_the_short_side(name):
    by_quality = [len(PillowCodec(name, quality).encode(photo())) for quality in (5, 30, 60, 90)]
    by_side = [len(PillowCodec(name, 60, side).encode(photo())) for side in (16, 32, 64, 90)]
    assert sorted(set(by_quality)) == by_quality
    assert sorted(set(by_side)) == by_side


@pytest.mark.parametrize("name", LOSSY)
def test_size_grows_with_quality_on_a_real_photograph(name, data_dir):
    archive = data_dir / "kodak" / "kodak.zip"
    if not archive.is_file():
        pytest.skip(f"no photographs at {archive}")
    with ZipFile(archive) as files, Image.open(files.open("kodim01.png")) as image:
        real = scale_down(image, 128)
    sizes = [len(PillowCodec(name, quality).encode(real)) for quality in (10, 40, 75)]
    assert sorted(set(sizes)) == sizes


def test_png_keeps_every_pixel():
    decoded, _ = PillowCodec("png").encode_decode(photo())
    assert np.array_equal(np.asarray(decoded), np.asarray(photo()))


def test_short_side_is_met_in_both_orientations_and_never_scales_up():
    assert scale_down(photo(120, 90), 30).size == (40, 30)
    assert scale_down(photo(90, 120), 30).size == (30, 40)
    assert scale_down(photo(120, 90), 200).size == (120, 90)
    assert scale_down(photo(400, 2), 1).size == (200, 1)


@pytest.mark.parametrize("name", [*LOSSY, "png"])
def test_metadata_is_not_written(name):
    codec = PillowCodec(name, None if name == "png" else 50)
    loaded = photo()
    loaded.info = {"icc_profile": b"x" * 5000, "exif": b"Exif\0\0" + b"x" * 5000, "comment": b"x" * 5000}
    assert codec.encode(loaded) == codec.encode(photo())
    assert "icc_profile" in loaded.info, "the caller's image stays as it is"


@pytest.mark.parametrize("name", [*LOSSY, "png"])
@pytest.mark.parametrize("size", [(1, 1), (3, 1), (1, 40), (17, 5)])
def test_smallest_images_pass(name, size):
    decoded, count = PillowCodec(name, None if name == "png" else 30, 16).encode_decode(photo(*size))
    assert count > 0
    assert min(decoded.size) >= 1


def test_settings_are_told_apart_and_wrong_ones_refused():
    codecs = standard_pixel_codecs()
    assert len({(codec.name, codec.setting) for codec in codecs}) == len(codecs) >= 6 * 3
    assert PillowCodec("jpeg", 30, 96).setting == "quality 30, short side 96"
    for wrong in (("bmp", 3), ("png", 3), ("jpeg",), ("webp", 101), ("avif", -1), ("jpeg", 50, 0)):
        with pytest.raises(UsageError):
            PillowCodec(*wrong)


@pytest.fixture
def folder(tmp_path):
    """Images of many kinds: grey, with alpha, palette, CMYK, 16 bit, a name in Unicode."""
    root = tmp_path / "bilder"
    root.mkdir()
    photo().save(root / "grün 猫.png")
    photo().convert("L").save(root / "grey.png")
    photo().convert("RGBA").save(root / "alpha.png")
    photo().convert("P").save(root / "palette.gif")
    photo().convert("CMYK").save(root / "cmyk.jpg")
    Image.fromarray(np.arange(900, dtype=np.uint16).reshape(30, 30) * 70).save(root / "sixteen.png")
    photo(40, 60).save(
        root / "upright.jpg", exif=bytes.fromhex("45786966000049492a0008000000010012010300010000000600000000000000")
    )
    return root


@pytest.mark.parametrize("name", LOSSY)
def test_features_of_every_kind_of_image_are_close_to_the_uncoded(name, folder, tmp_path):
    source, backbone, calls = open_source(folder), tiny_backbone(), []
    raw = backbone(np.stack([backbone.preprocess(item.read()) for item in source.items]))
    result = pixel_features(PillowCodec(name, 90), source, backbone, tmp_path / "cache", lambda *x: calls.append(x))
    features, bits = result
    assert features.shape == raw.shape
    assert features.dtype == np.float32
    assert np.abs(features - raw).mean() < 0.15
    assert calls[-1] == (7, 7)
    assert bits.shape == (7,)
    assert (bits > 0).all()
    assert (bits % 8 == 0).all()


def test_second_call_reads_the_cache_and_any_change_misses_it(folder, tmp_path):
    class Counting:
        name = "counting"
        setting = "1"
        images = 0

        def encode_decode(self, image):
            self.images += 1
            return image, self.images

    codec, cache = Counting(), tmp_path / "cache"
    first = pixel_features(codec, open_source(folder), tiny_backbone(), cache)
    again = pixel_features(codec, open_source(folder), tiny_backbone(), cache)
    assert codec.images == 7
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert [file.suffix for file in cache.iterdir()] == [".npz"]
    codec.setting = "2"
    pixel_features(codec, open_source(folder), tiny_backbone(), cache)
    assert codec.images == 14
    for file in cache.iterdir():
        file.write_bytes(file.read_bytes()[:200])  # cut off: made anew
    pixel_features(codec, open_source(folder), tiny_backbone(), cache)
    assert codec.images == 21
    (folder / "grey.png").unlink()
    pixel_features(codec, open_source(folder), tiny_backbone(), cache)
    assert codec.images == 27


def test_damaged_image_is_named(folder, tmp_path):
    whole = io.BytesIO()
    photo().save(whole, "JPEG")
    (folder / "cut.jpg").write_bytes(whole.getvalue()[:300])
    with pytest.raises(SourceError, match=r"cut\.jpg: "):
        pixel_features(PillowCodec("jpeg", 50), open_source(folder), tiny_backbone(), tmp_path / "cache")
    assert not list((tmp_path / "cache").glob("*")) if (tmp_path / "cache").exists() else True


def test_images_below_the_short_side_are_coded_once(tmp_path):
    for number in range(3):
        photo(40, 30, number).save(tmp_path / f"{number}.png")
    source, cache = open_source(tmp_path), tmp_path.parent / "cache"
    found = [pixel_features(PillowCodec("jpeg", 60, side), source, tiny_backbone(), cache) for side in (30, 64, None)]
    assert len(list(cache.iterdir())) == 1
    for features, bits in found[1:]:
        np.testing.assert_array_equal(features, found[0][0])
        np.testing.assert_array_equal(bits, found[0][1])
    pixel_features(PillowCodec("jpeg", 60, 29), source, tiny_backbone(), cache)
    assert len(list(cache.iterdir())) == 2
