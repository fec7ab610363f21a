import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from taskcodec.errors import CorruptFileError, MismatchError
from taskcodec.transforms.values.kinds import read_values
from taskcodec.transforms.values.pixels import MAX_COLUMNS, PixelValues

SHAPES = [(3, 2), (1, 1), (2, 3, 2), (3, 2, 3), (2, 2, 4)]


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_values_come_back(data):
    shape, depth = data.draw(st.sampled_from(SHAPES)), data.draw(st.sampled_from([8, 16]))
    transform = PixelValues(shape, depth)
    values = data.draw(arrays(f"u{depth // 8}", (data.draw(st.integers(0, 4)), *shape)))
    symbols = transform.to_symbols(values)
    assert symbols.shape == (len(values), transform.columns)
    assert symbols.dtype == np.int32
    back = transform.to_values(symbols)
    assert (back.dtype, back.shape) == (values.dtype, values.shape)
    assert np.array_equal(back, values)
    again = read_values(transform.manifest(), transform.tensors())
    assert again == transform


def test_the_high_byte_of_16_bits_comes_first():
    assert PixelValues((1, 2), 16).to_symbols(np.array([[[258, 3]]], np.uint16)).tolist() == [[1, 2, 0, 3]]


def test_one_picture_is_told_from_many():
    transform = PixelValues((3, 2))
    assert transform.gathered(np.zeros((3, 2)))[1]
    assert not transform.gathered(np.zeros((1, 3, 2)))[1]
    assert not transform.gathered([np.zeros((3, 2))])[1]
    with pytest.raises(MismatchError, match="others among them"):
        transform.gathered([np.zeros((3, 2)), np.zeros((2, 3))])


@pytest.mark.parametrize("values", [np.zeros((4, 2, 3), np.uint8), np.zeros((4, 3, 2), np.int32), np.uint8(3)])
def test_other_pictures_are_refused(values):
    with pytest.raises(MismatchError, match="pictures of 2x3 pixels, grey of 8 bits are expected"):
        PixelValues((3, 2)).to_symbols(values)


@pytest.mark.parametrize("symbols", [np.full((1, 6), 256), np.full((1, 6), -1), np.zeros((1, 5))])
def test_symbols_that_are_no_bytes_are_refused(symbols):
    with pytest.raises(CorruptFileError, match="not the bytes of"):
        PixelValues((3, 2)).to_values(symbols)


@pytest.mark.parametrize(
    ("shape", "depth", "why"),
    [
        ((3,), 8, "shape"),
        ((0, 2), 8, "shape"),
        ((2, 2), 12, "12 bits"),
        ((2, 2, 5), 8, "5 channels"),
        ((MAX_COLUMNS, 2), 8, "at most"),
        ((2**40, 2**40), 8, "at most"),
    ],
)
def test_pictures_that_are_none_are_refused(shape, depth, why):
    with pytest.raises(CorruptFileError, match=why):
        PixelValues(shape, depth)


@pytest.mark.parametrize("change", [{"shape": "2"}, {"shape": [2.0, 2]}, {"depth": True}, {"depth": None}])
def test_manifests_that_describe_none_are_refused(change):
    with pytest.raises(TypeError):
        PixelValues.read({**PixelValues((2, 2)).manifest(), **change}, {})
