"""Reading images: what is transparent."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from taskcodec.transforms.pictures.images import read_image
from tests.data.pictures import as_bytes
from tests.transforms.pictures.test_depth import GREY, RGB_ALPHA, png, ramp

HIDDEN = np.array([[[200, 10, 30], [0, 0, 0], [255, 255, 255], [7, 90, 150]]], np.uint8)
ALPHA = np.array([[0, 0, 128, 255]], np.uint8)


def over_white(colours, alpha):
    share = alpha[..., None] / 255
    return np.rint(colours * share + 255 * (1 - share))


def pixels(source):
    return np.asarray(read_image(source).image).astype(int)


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF", "at hand", "array"])
def test_transparent_colours_lie_over_white(kind):
    array = np.dstack([HIDDEN, ALPHA])
    image = Image.fromarray(array)
    options = {"lossless": True, "exact": True} if kind == "WEBP" else {}
    source = (
        {"at hand": image, "array": array}.get(kind)
        if kind in ("at hand", "array")
        else as_bytes(image, kind, **options)
    )
    assert np.abs(pixels(source) - over_white(HIDDEN, ALPHA)).max() <= 1


def test_transparent_greys_lie_over_white():
    grey = np.array([[10, 0, 200, 90]], np.uint8)
    expected = over_white(np.repeat(grey[..., None], 3, axis=2), ALPHA)
    image = Image.merge("LA", (Image.fromarray(grey), Image.fromarray(ALPHA)))
    for source in (as_bytes(image), image, np.dstack([grey, ALPHA]), image.convert("La")):
        assert np.abs(pixels(source) - expected).max() <= 2


@pytest.mark.parametrize("kind", ["PNG", "GIF"])
def test_a_transparent_colour_of_a_palette_lies_over_white(kind):
    image = Image.new("P", (4, 1))
    image.putpalette([250, 0, 0, 0, 250, 0, 0, 0, 250])
    image.putdata([0, 1, 2, 1])
    data = as_bytes(image, kind, transparency=1)
    assert pixels(data).tolist() == [[[250, 0, 0], [255, 255, 255], [0, 0, 250], [255, 255, 255]]]


def test_a_transparent_value_without_alpha_lies_over_white():
    image = Image.fromarray(HIDDEN)
    found = pixels(as_bytes(image, transparency=(200, 10, 30)))
    assert found.tolist() == [[[255, 255, 255], *HIDDEN[0, 1:].tolist()]]
    grey = Image.fromarray(np.array([[7, 9]], np.uint8))
    assert pixels(as_bytes(grey, transparency=9))[0, :, 0].tolist() == [7, 255]


def test_a_transparent_grey_of_16_bits_lies_over_white():
    values = ramp(65_535)
    clear = struct.pack(">H", values[3, 4])
    chunk = struct.pack(">I", 2) + b"tRNS" + clear + struct.pack(">I", zlib.crc32(b"tRNS" + clear))
    data = png(values, GREY)
    at = data.index(b"IDAT") - 4
    expected = values // 257
    expected[3, 4] = 255
    np.testing.assert_array_equal(pixels(data[:at] + chunk + data[at:])[..., 0], expected)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA", "P"])
def test_what_is_opaque_keeps_its_pixels(mode):
    plain = Image.fromarray(np.random.default_rng(0).integers(0, 256, (20, 20, 3), dtype=np.uint8))
    image = plain.convert("P" if mode in ("P", "PA") else "L" if mode == "LA" else "RGB")
    expected = np.asarray(image.convert("RGB"))
    if mode != "P":
        image = image.convert(mode)
    np.testing.assert_array_equal(pixels(image), expected)
    if mode != "PA":
        np.testing.assert_array_equal(pixels(as_bytes(image)), expected)


def test_alpha_of_16_bits(tmp_path):
    values = ramp(4095, (16, 20, 4))
    values[..., 3] = 0
    assert pixels(png(values, RGB_ALPHA)).min() == 255


@pytest.mark.parametrize("kind", ["TGA", "PNG"])
def test_a_fourth_channel_of_zeros_hides_all_but_where_it_is_not_used(kind):
    image = Image.fromarray(np.dstack([HIDDEN, np.zeros_like(ALPHA)]))
    expected = HIDDEN if kind == "TGA" else np.full_like(HIDDEN, 255)
    np.testing.assert_array_equal(pixels(as_bytes(image, kind)), expected)
