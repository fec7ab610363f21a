"""JPEG files that lack their end are read as far as they go, and only these."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image, ImageFile

from taskcodec.errors import SourceError
from taskcodec.transforms.pictures.images import open_image, read_image
from tests.data.pictures import as_bytes

NOTE = "the end of its JPEG file missing"


def scene(width=200, height=160, below=None):
    """A smooth picture; its lower half of one colour, where one is given."""
    y, x = np.mgrid[:height, :width]
    pixels = np.stack([x % 256, y % 256, (x + 2 * y) % 256], axis=2).astype(np.uint8)
    pixels += np.random.default_rng(0).integers(0, 20, pixels.shape, dtype=np.uint8)
    if below is not None:
        pixels[height // 2 :] = below
    return Image.fromarray(pixels)


def rows_alike(data, whole):
    """The share of rows, from the top on, that are as in the whole file."""
    one, other = (np.asarray(read_image(file, keep_truncated=True).image).astype(int) for file in (data, whole))
    apart = np.abs(one - other).max(axis=(1, 2)) > 40
    return (int(np.flatnonzero(apart)[0]) if apart.any() else len(apart)) / len(apart)


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("share", [0.7, 0.9, 0.99])
def test_what_is_there_is_read_with_a_note(mode, share):
    whole = as_bytes(scene().convert(mode), "JPEG", quality=90)
    data = whole[: int(share * len(whole))]
    with pytest.raises(SourceError, match="truncated"):
        read_image(data)
    found = read_image(data, keep_truncated=True)
    assert (found.note, found.size, found.image.size) == (NOTE, (200, 160), (200, 160))
    assert share - 0.2 < rows_alike(data, whole) <= 1
    assert read_image(whole, keep_truncated=True).note is None


def test_less_than_half_is_damaged():
    whole = as_bytes(scene(), "JPEG", quality=90)
    with pytest.raises(SourceError, match=r"damaged image \(its end is missing: [234]\d% of its rows are there\)"):
        read_image(whole[: len(whole) * 2 // 5], keep_truncated=True)
    with pytest.raises(SourceError, match="damaged image"):
        read_image(whole[:700], keep_truncated=True)


@pytest.mark.parametrize("colour", [0, 255, 90])
def test_rows_of_one_colour_are_there(colour):
    whole = as_bytes(scene(below=colour), "JPEG")
    found = read_image(whole[:-2], keep_truncated=True)
    assert found.note == NOTE
    np.testing.assert_array_equal(np.asarray(found.image), np.asarray(open_image(whole)))


def test_a_progressive_file_has_all_its_rows_early():
    whole = as_bytes(scene(), "JPEG", progressive=True, quality=90)
    found = read_image(whole[: len(whole) * 3 // 4], keep_truncated=True)
    assert found.note == NOTE
    assert np.abs(np.asarray(found.image).astype(int) - np.asarray(open_image(whole))).mean() < 10


def test_a_reduced_picture_is_measured_alike():
    whole = as_bytes(scene(1600, 1200), "JPEG")
    assert read_image(whole[: len(whole) * 3 // 4], 100, keep_truncated=True).note == NOTE
    with pytest.raises(SourceError, match="its end is missing"):
        read_image(whole[: len(whole) // 4], 100, keep_truncated=True)


def test_zeros_instead_of_the_end_are_no_picture():
    whole = as_bytes(scene(), "JPEG", quality=90)
    kept = len(whole) * 3 // 4
    data = whole[:kept] + bytes(len(whole) - kept)
    found = read_image(data, keep_truncated=True)
    assert found.note == NOTE
    np.testing.assert_array_equal(
        np.asarray(found.image), np.asarray(open_image(whole[:kept].rstrip(b"\0"), keep_truncated=True))
    )
    with pytest.raises(SourceError, match=r"damaged image \(its end is missing\)"):
        read_image(data)


def test_zeros_behind_the_end_are_padding():
    whole = as_bytes(scene(), "JPEG")
    for data in (whole + bytes(3000), whole + b"more" + bytes(3000)):
        for keep in (False, True):
            found = read_image(data, keep_truncated=keep)
            assert found.note is None
            np.testing.assert_array_equal(np.asarray(found.image), np.asarray(open_image(whole)))


@pytest.mark.parametrize("kind", ["PNG", "GIF", "WEBP", "TIFF", "BMP"])
def test_other_formats_that_are_cut_are_damaged(kind):
    whole = as_bytes(scene(), kind)
    with pytest.raises(SourceError):
        read_image(whole[: len(whole) * 9 // 10], keep_truncated=True)


def test_threads_do_not_disturb_one_another():
    whole = as_bytes(scene(), "JPEG")
    data = whole[: len(whole) * 9 // 10]

    def strict(_):
        with pytest.raises(SourceError):
            read_image(data)
        return True

    with ThreadPoolExecutor(8) as pool:
        kept = [pool.submit(read_image, data, None, keep_truncated=True) for _ in range(50)]
        refused = list(pool.map(strict, range(50)))
    assert all(refused)
    assert {future.result().note for future in kept} == {NOTE}
    assert not ImageFile.LOAD_TRUNCATED_IMAGES
