"""Codecs of pictures: any size, packets that may be cut, pictures that are decoded further, files."""

import numpy as np
import pytest

pytest.importorskip("torch")

from tests.pictured import BASE, DETAIL, SIZES, STRIDE, alone, layered, picture

import taskcodec
from taskcodec.coding.picture import split_picture, write_size
from taskcodec.errors import CorruptFileError, MismatchError, TaskcodecError, UsageError

CODEC = layered()


@pytest.mark.parametrize("size", SIZES)
def test_pictures_of_any_size_come_back(size):
    x = picture(*size)
    symbols = CODEC.pictures.encode(x)
    places = tuple(-(-side // STRIDE) for side in size)
    assert symbols["base"].shape == (1, BASE, *places)
    assert symbols["detail"].shape == (1, DETAIL, *places)
    packet = CODEC.compress(x)
    decoded = CODEC.begin(packet)
    assert all(np.array_equal(decoded.symbols[name], found) for name, found in symbols.items())
    for upto in (None, "base", "detail"):
        found = CODEC.decompress(packet, upto)
        assert found.shape == x.shape
        assert found.dtype == np.uint8


def test_one_layer_is_a_codec():
    codec, x = alone(), picture(9, 14)
    assert codec.decompress(codec.compress(x)).shape == (9, 14, 3)


def test_many_pictures_are_a_list_and_do_not_depend_on_each_other():
    many = [picture(*size) for size in SIZES]
    packets = CODEC.compress(many)
    assert packets == [CODEC.compress(x) for x in many]
    found = CODEC.decompress(packets)
    assert [each.shape for each in found] == [x.shape for x in many]
    assert CODEC.compress(np.stack([many[0]] * 3)) == [packets[0]] * 3
    assert CODEC.compress([]) == CODEC.decompress([]) == []


def test_a_file_cut_behind_the_base_decodes_the_base_and_goes_on():
    x = picture(33, 20)
    packet = CODEC.compress(x)
    whole = CODEC.begin(packet)
    end = split_picture(packet, 2).ends[1]
    for cut in (end, end + 5, len(packet) - 1):
        assert np.array_equal(CODEC.decompress(packet[:cut], upto="base"), CODEC.decompress(packet, upto="base"))
        with pytest.raises(CorruptFileError, match="ends before its layer detail"):
            CODEC.decompress(packet[:cut])
        base = CODEC.begin(packet[:cut], upto="base")
        assert list(base.symbols) == ["base"]
        with pytest.raises(UsageError, match="detail of this picture was not decoded"):
            CODEC.pictures.pixels(base)
        more = CODEC.resume(base, packet[cut:])
        assert more.symbols["base"] is base.symbols["base"]
        assert np.array_equal(CODEC.pictures.pixels(more), CODEC.pictures.pixels(whole))
    with pytest.raises(CorruptFileError, match="ends before its layer base"):
        CODEC.decompress(packet[: end - 1], upto="base")
    for cut in range(5):
        with pytest.raises(CorruptFileError, match=r"packet|numbers"):
            CODEC.decompress(packet[:cut], upto="base")


def test_files_keep_codecs_of_pictures(tmp_path):
    CODEC.save(tmp_path / "p.codec")
    again = taskcodec.load_codec(tmp_path / "p.codec")
    assert again.to_bytes() == CODEC.to_bytes()
    assert again.fingerprint == CODEC.fingerprint
    x = picture(21, 10)
    assert again.compress(x) == CODEC.compress(x)
    assert np.array_equal(again.decompress(CODEC.compress(x)), CODEC.decompress(CODEC.compress(x)))


def test_damage_is_told_and_leaves_the_base_readable():
    """2,000 damaged bytes: none is silent, and behind the head and the base the base is as it was."""
    packets = [CODEC.compress(picture(40, 30, seed)) for seed in range(8)]
    wholes = [CODEC.begin(packet) for packet in packets]
    rng, readable = np.random.default_rng(0), 0
    for _ in range(2000):
        which = rng.integers(len(packets))
        packet, whole, at = bytearray(packets[which]), wholes[which], 0
        at = int(rng.integers(len(packet)))
        packet[at] ^= int(rng.integers(1, 256))
        with pytest.raises(TaskcodecError):
            CODEC.begin(bytes(packet))
        if at >= split_picture(packets[which], 2).ends[1]:
            base = CODEC.begin(bytes(packet), upto="base")
            assert np.array_equal(base.symbols["base"], whole.symbols["base"])
            readable += 1
    assert readable > 500


@pytest.mark.parametrize("size", [(0, 4), (4, 0), (2**18 + 1, 1), (2**18, 2**18), (2**40, 2**40), (2**14, 2**14)])
def test_sizes_that_no_bytes_warrant_are_refused(size):
    packet = CODEC.compress(picture(4, 4))
    first = split_picture(packet, 2).ends
    with pytest.raises(CorruptFileError, match=r"pixels|bytes for"):
        CODEC.decompress(write_size(size) + packet[2 : first[0]] + packet[first[0] :])
    with pytest.raises(MismatchError, match=r"found|pixels"):
        CODEC.pictures.encode(np.empty((min(size[0], 1), 0, 3), np.uint8))
