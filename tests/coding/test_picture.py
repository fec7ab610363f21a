"""Layers of pictures as bitstreams, and packets of them: any size, any model; what is damaged, cut or claimed."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taskcodec.coding import tables_from_symbols
from taskcodec.coding.picture import (
    LEAST_BITS,
    MAX_PIXELS,
    MAX_SIDE,
    check_size,
    decode_layer,
    encode_layer,
    join_picture,
    read_size,
    split_picture,
    write_size,
)
from taskcodec.errors import CorruptFileError, MismatchError
from tests.coding.models.spatial.random_tables import latents, spatial_tables

COLUMNS, BELOW, STRIDE = 5, 2, 8
PLAIN = tables_from_symbols(np.random.default_rng(0).integers(-4, 5, (200, COLUMNS)))
MODELS = {"plain": PLAIN, "spatial": spatial_tables((2, 3)), "conditional": spatial_tables((2, 3), given=BELOW)}
EACH = pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)


def places(size):
    return tuple(-(-side // STRIDE) for side in size)


@EACH
@settings(max_examples=20, deadline=None)
@given(size=st.tuples(st.integers(1, 60), st.integers(1, 60)), seed=st.integers(0, 99))
def test_any_size_comes_back(model, size, seed):
    y, below = latents(1, COLUMNS, *places(size), seed), latents(1, BELOW, *places(size), seed + 1)
    data = encode_layer(y, model, [below], size)
    assert np.array_equal(decode_layer(data, model, places(size), [below], size), y)
    assert data[-1] != 0


@EACH
def test_a_layer_takes_its_check_and_a_byte_more_than_its_bits(model):
    size = (64, 64)
    for seed in range(5):
        y = np.round(np.random.default_rng(seed).laplace(size=(1, COLUMNS, *places(size)))).astype(np.int32)
        below = np.zeros((1, BELOW, *places(size)), np.int32)
        ideal = float(model.code_length(y, [below] if model.given_columns else ()).sum())
        assert 32 <= 8 * len(encode_layer(y, model, [below], size)) - ideal <= 33 + 8


@EACH
def test_what_a_layer_was_coded_with_must_be_the_same(model):
    size, other = (40, 24), (39, 24)
    y, below = latents(1, COLUMNS, *places(size)), latents(1, BELOW, *places(size), 1)
    data = encode_layer(y, model, [below], size)
    for changed, wrong in ((below, other), (below + 1, size), (np.zeros_like(below), size)):
        with pytest.raises(CorruptFileError, match="check value"):
            decode_layer(data, model, places(size), [changed], wrong)
    for at in range(len(data)):
        flipped = bytearray(data)
        flipped[at] ^= 0x20
        with pytest.raises(CorruptFileError):
            decode_layer(bytes(flipped), model, places(size), [below], size)
    for cut in (b"", data[:-1], data + b"\0", data + b"\1"):
        with pytest.raises(CorruptFileError):
            decode_layer(cut, model, places(size), [below], size)


def test_bytes_bound_the_symbols_that_they_can_be():
    """The cheapest symbols there are come back; more of them than the bytes can hold are refused at once."""
    model = tables_from_symbols(np.zeros((10**6, 1), np.int32))
    cost = float(model.costs(np.zeros((1, 1), np.int32))[0, 0])
    assert cost >= LEAST_BITS
    y = np.zeros((1, 1, 1500, 1500), np.int32)
    data = encode_layer(y, model, (), (1500, 1500))
    assert np.array_equal(decode_layer(data, model, (1500, 1500), (), (1500, 1500)), y)
    most = int((8 * len(data) + 32) / LEAST_BITS)
    with pytest.raises(CorruptFileError, match="bytes for"):
        decode_layer(data, model, (1, most + 1), (), (1, most + 1))
    with pytest.raises(CorruptFileError, match="bytes for"):
        decode_layer(data, model, (2**15, 2**15), (), (2**15, 2**15))


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=4), st.integers(1, 9999), st.integers(1, 9999), st.data())
def test_what_was_joined_is_split_and_may_be_cut(parts, height, width, data):
    packet = join_picture((height, width), parts)
    whole = split_picture(packet, len(parts))
    assert whole.size == (height, width)
    assert [whole.layer(place) for place in range(len(parts))] == parts
    cut = split_picture(packet[: data.draw(st.integers(whole.ends[0], len(packet)))], len(parts))
    kept = [cut.layer(place) for place in range(len(parts))]
    assert all(found in (part, None) for found, part in zip(kept, parts, strict=True))
    assert read_size(write_size((height, width)) + parts[0]) == ((height, width), parts[0])
    with pytest.raises(CorruptFileError, match="goes on behind"):
        split_picture(packet + b"\1", len(parts))


@pytest.mark.parametrize("size", [(0, 1), (1, 0), (MAX_SIDE + 1, 1), (MAX_SIDE, MAX_PIXELS // MAX_SIDE + 1)])
def test_sizes_that_no_picture_has_are_refused(size):
    with pytest.raises(MismatchError, match="pixels"):
        check_size(size)
    for read in (lambda: split_picture(join_picture(size, [b"1"]), 1), lambda: read_size(write_size(size))):
        with pytest.raises(CorruptFileError, match="pixels"):
            read()
