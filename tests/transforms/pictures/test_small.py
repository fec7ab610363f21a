"""Small pictures meet their bytes, whatever they are made of."""

import io

import numpy as np
import pytest
from PIL import Image

from taskcodec.transforms.pictures.small import side_needed, small_picture
from tests.transforms.originals.files import scene


def opened(file):
    return Image.open(io.BytesIO(file))


@pytest.mark.parametrize("target", [500, 1000, 4000])
def test_bytes_are_met_within_three_percent_in_the_mean(target):
    # Bigger scenes have more detail; all of them can take so many bytes.
    sizes = [len(small_picture(scene(width, 400), target)) for width in range(400, 600, 25)]
    assert np.mean(sizes) == pytest.approx(target, rel=0.03)
    assert all(abs(size / target - 1) < 0.12 for size in sizes)


def test_more_bytes_keep_more():
    image, errors = scene(480, 320), []
    for target in (500, 1000, 2000, 4000, 8000):
        again = opened(small_picture(image, target)).convert("RGB").resize(image.size, Image.Resampling.BICUBIC)
        errors.append(np.square(np.asarray(image, float) - np.asarray(again, float)).mean())
    assert errors == sorted(errors, reverse=True)


@pytest.mark.parametrize("size", [(1, 1), (1, 3000), (3000, 2), (7, 5), (64, 64)])
def test_any_shape_and_never_larger_than_the_image(size):
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8))
    file = small_picture(image, 900)
    assert all(side <= before for side, before in zip(opened(file).size, size, strict=True))
    assert len(file) < 1100


def test_noise_that_no_quality_makes_small_is_scaled_down():
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (600, 600, 3), dtype=np.uint8))
    assert len(small_picture(image, 600)) == pytest.approx(600, rel=0.25)


def test_nothing_beside_the_pixels_is_kept():
    image = scene(100, 80)
    plain = small_picture(image, 900)
    image.info["icc_profile"], image.info["exif"] = b"x" * 3000, b"Exif\0\0" + b"y" * 3000
    assert small_picture(image, 900) == plain


@pytest.mark.slow
def test_the_side_that_is_needed_is_that_of_the_picture():
    for size in ((4000, 3000), (300, 200), (3000, 40)):
        side = side_needed(size, 4000)
        assert side <= min(size)
        assert abs(min(opened(small_picture(scene(*size), 4000)).size) - side) <= 1
