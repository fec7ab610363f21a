"""Pictures of more than 8 bits come out as bright as they are, by the smallest depth that holds them."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from taskcodec.errors import SourceError
from taskcodec.transforms.pictures.images import read_image

GREY, RGB, GREY_ALPHA, RGB_ALPHA = 0, 2, 4, 6


def png(values, kind):
    """(H, W[, C]) -> a PNG file of 16 bits a channel, as other programs write them."""

    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    height, width = values.shape[:2]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    head = struct.pack(">IIBBBBB", width, height, 16, kind, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    )  # fmt: skip


def tiff(values, order="<", bits=16, compression=1, kind=1):
    """(H, W[, 3]) -> a TIFF file of numbers of so many bits a channel, in one strip."""
    letter = {16: "u2", 32: "u4"}[bits] if kind == 1 else {16: "i2", 32: "f4"}[bits]
    data = values.astype(order + letter).tobytes()
    data = zlib.compress(data) if compression == 8 else data
    channels = 1 if values.ndim == 2 else values.shape[2]
    tags = [
        (256, 4, 1, values.shape[1]), (257, 4, 1, values.shape[0]), (259, 3, 1, compression),
        (262, 3, 1, 1 if channels == 1 else 2), (273, 4, 1, 8), (277, 3, 1, channels), (278, 4, 1, values.shape[0]),
        (279, 4, 1, len(data)),
    ]  # fmt: skip
    after = 8 + len(data)
    if channels == 1:
        tags += [(258, 3, 1, bits), (339, 3, 1, kind)]
        extra = b""
    else:
        tags += [(258, 3, channels, after), (339, 3, channels, after + 2 * channels)]
        extra = struct.pack(f"{order}{2 * channels}H", *[bits] * channels, *[kind] * channels)
    entries = b""
    for tag, form, count, value in sorted(tags):
        field = struct.pack(order + "HH", value, 0) if form == 3 and count == 1 else struct.pack(order + "I", value)
        entries += struct.pack(order + "HHI", tag, form, count) + field
    head = (b"II" if order == "<" else b"MM") + struct.pack(order + "HI", 42, after + len(extra))
    return head + data + extra + struct.pack(order + "H", len(tags)) + entries + struct.pack(order + "I", 0)


def ramp(largest, shape=(16, 20)):
    """Whole numbers from 0 to the largest."""
    return np.linspace(0, largest, int(np.prod(shape))).round().astype(np.int64).reshape(shape)


FILES = {
    "png": lambda values: png(values, GREY),
    "tiff": tiff,
    "tiff, big-endian": lambda values: tiff(values, ">"),
    "tiff, deflated": lambda values: tiff(values, compression=8),
    "tiff of 32 bits": lambda values: tiff(values, bits=32),
}


@pytest.mark.parametrize("write", FILES.values(), ids=FILES)
@pytest.mark.parametrize(
    ("largest", "depth"),
    [(200, 8), (255, 8), (256, 10), (1023, 10), (4095, 12), (9000, 14), (16_384, 16), (65_535, 16)],
)
def test_a_grey_picture_is_scaled_by_the_smallest_depth_that_holds_it(write, largest, depth):
    values = ramp(largest)
    found = read_image(write(values))
    assert found.image.mode == "RGB"
    expected = values * 255 // (2**depth - 1)
    np.testing.assert_array_equal(np.asarray(found.image), np.repeat(expected[..., None], 3, axis=2))
    bits = 32 if write is FILES["tiff of 32 bits"] else 16
    assert found.note == (f"{depth}-bit values in a {bits}-bit picture" if depth < bits else None)


def test_a_picture_of_the_full_range_keeps_its_pixels():
    values = ramp(65_535)
    np.testing.assert_array_equal(np.asarray(read_image(png(values, GREY)).image)[..., 0], values // 257)
    colours = ramp(65_535, (16, 20, 3))
    np.testing.assert_array_equal(np.asarray(read_image(png(colours, RGB)).image), colours >> 8)  # as Pillow has it


@pytest.mark.parametrize(
    "write",
    [
        lambda values: png(values, RGB),
        tiff,
        lambda values: tiff(values, ">"),
        lambda values: tiff(values, compression=8),
        lambda values: tiff(values, ">", compression=8),
    ],
)
@pytest.mark.parametrize(("largest", "depth"), [(255, 8), (1000, 10), (4095, 12), (16_383, 14)])
def test_colours_follow_the_same_rule(write, largest, depth):
    values = ramp(largest, (16, 20, 3))
    found = read_image(write(values))
    np.testing.assert_array_equal(np.asarray(found.image), values * 255 // (2**depth - 1))
    assert found.note == f"{depth}-bit values in a 16-bit picture"


@pytest.mark.parametrize(("kind", "channels"), [(GREY_ALPHA, 2), (RGB_ALPHA, 4)])
def test_opaque_alpha_does_not_hide_the_depth(kind, channels):
    values = ramp(4095, (16, 20, channels))
    values[..., -1] = 65_535
    found = read_image(png(values, kind))
    expected = values[..., :-1] * 255 // 4095
    np.testing.assert_array_equal(np.asarray(found.image), np.broadcast_to(expected, (16, 20, 3)))
    assert found.note == "12-bit values in a 16-bit picture"


def test_the_rule_looks_at_one_picture_and_says_nothing_of_a_black_one():
    found = read_image(png(np.zeros((4, 4), int), GREY))
    assert found.note is None
    assert not np.asarray(found.image).any()
    twelve_bits = tiff(ramp(4095))
    assert np.array_equal(*(np.asarray(read_image(twelve_bits).image) for _ in range(2)))


def test_floats_have_a_range_from_0_to_1():
    values = np.linspace(0, 1, 256, dtype=np.float32).reshape(16, 16)
    found = read_image(tiff(values, bits=32, kind=3))
    np.testing.assert_array_equal(np.asarray(found.image)[..., 0], np.arange(256).reshape(16, 16))
    assert found.note is None


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (tiff(np.full((4, 4), 2.5, np.float32), bits=32, kind=3), "floating-point image .* 0 to 1, found 2.5 to 2.5"),
        (tiff(np.full((4, 4), np.nan, np.float32), bits=32, kind=3), "floating-point image"),
        (tiff(np.full((4, 4), 70_000), bits=32), "whole numbers from 70000 to 70000 have no agreed range"),
        (tiff(np.full((4, 4), -5), kind=2), "whole numbers from -5 to -5 have no agreed range"),
    ],
)
def test_numbers_without_an_agreed_range_are_refused(data, says):
    with pytest.raises(SourceError, match=says):
        read_image(data)


def test_an_image_at_hand_follows_the_rule_too():
    values = ramp(1023)
    for dtype in (np.uint16, np.int32):
        found = read_image(Image.fromarray(values.astype(dtype))).image
        np.testing.assert_array_equal(np.asarray(found)[..., 0], values * 255 // 1023)


def test_twelve_bits_of_a_file_of_twelve_are_no_smaller_part():
    sink = io.BytesIO()
    Image.fromarray(ramp(4095, (2, 4)).astype(np.uint16)).save(sink, "TIFF")
    data = sink.getvalue()
    assert read_image(data).note == "12-bit values in a 16-bit picture"
    values = ramp(4095, (2, 4)).astype(int).ravel()
    packed = bytes(
        byte
        for first, second in zip(values[::2], values[1::2], strict=True)
        for byte in (first >> 4, (first & 15) << 4 | second >> 8, second & 255)
    )
    whole = bytearray(tiff(np.zeros((2, 4), int)))
    whole[8 : 8 + len(packed)] = packed
    at = whole.index(struct.pack("<HHIHH", 258, 3, 1, 16, 0))
    whole[at + 8 : at + 10] = struct.pack("<H", 12)
    found = read_image(bytes(whole))
    assert found.note is None
    np.testing.assert_array_equal(np.asarray(found.image)[..., 0].ravel(), values * 255 // 4095)
