import io

import numpy as np
import pytest
from PIL import Image

from taskcodec.errors import SourceError
from taskcodec.transforms.pictures.exact import read_exact
from taskcodec.transforms.pictures.png import png_of
from tests.lossless import strokes


@pytest.mark.parametrize(
    ("channels", "dtype"), [(0, np.uint8), (2, np.uint8), (3, np.uint8), (4, np.uint8), (0, np.uint16)]
)
def test_pixels_are_as_they_were_written(channels, dtype):
    pixels = strokes(1, channels=channels, dtype=dtype)[0]
    found = read_exact(png_of(pixels))
    assert found.size == (6, 7)
    assert found.pixels.dtype == dtype
    assert np.array_equal(found.pixels, pixels)


def test_a_palette_stands_for_its_colours_and_one_bit_for_black_and_white():
    for mode, shown in (("P", "RGB"), ("1", "L")):
        image = Image.fromarray(strokes(1, channels=3)[0]).convert(mode)
        file = io.BytesIO()
        image.save(file, "PNG")
        assert np.array_equal(read_exact(file.getvalue()).pixels, np.asarray(image.convert(shown)))


def test_nothing_is_turned(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(strokes(1)[0]).save(tmp_path / "a.png", exif=exif)
    assert np.array_equal(read_exact(tmp_path / "a.png").pixels, strokes(1)[0])


def test_16_bits_of_pgm():
    assert read_exact(b"P5 1 2 65535\n\1\2\0\3").pixels.tolist() == [[258], [3]]


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda: _file(Image.new("CMYK", (3, 3)), "TIFF"), "mode CMYK"),
        (lambda: _file(Image.new("L", (400, 400)), "PNG"), "400x400 pixels"),
        (lambda: b"", "empty file"),
        (lambda: png_of(strokes(1)[0])[:60], "damaged"),
        (lambda: b"P6 1 1 65535\n" + bytes(6), "other than 8 bits"),
        (lambda: b"P5 1 1 1023\n" + bytes(2), "other than 8 bits"),
    ],
)
def test_what_would_not_come_back_is_refused(make, why):
    with pytest.raises(SourceError, match=why):
        read_exact(make())


def _file(image, kind):
    file = io.BytesIO()
    image.save(file, kind)
    return file.getvalue()
