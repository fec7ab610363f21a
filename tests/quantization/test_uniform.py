import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskcodec.errors import CorruptFileError
from taskcodec.quantization.uniform import MAX_SYMBOL, Runs, dequantize, point_offsets, quantize

NONE = Runs(np.zeros(2, np.int32), np.zeros(2, np.int32))
NO_POINTS = np.empty(0, np.float32)


def test_the_zero_cell_is_wider_where_rounding_is_less():
    latent = np.array([[0.0, 0.59, 0.61, 1.59, 1.61, -0.59, -0.61]], np.float32)
    assert quantize(latent, 1.0, 0.4).tolist() == [[0, 0, 1, 1, 2, 0, -1]]
    assert quantize(latent, 1.0, 0.5).tolist() == [[0, 1, 1, 2, 2, -1, -1]]


@given(st.floats(-1e4, 1e4, width=32), st.sampled_from([0.01, 0.5, 3.0]), st.sampled_from([0.0, 0.3, 0.4, 0.5]))
def test_what_comes_back_is_within_a_cell(value, step, rounding):
    latent = np.full((1, 2), value, np.float32)
    again = dequantize(quantize(latent, step, rounding), step, NONE, NO_POINTS)
    assert abs(again - latent).max() <= (1 - rounding) * step + 1e-6 * abs(value)


def test_symbols_are_clipped_alike_on_both_sides():
    latent = np.array([[1e30, -1e30, 2.0 * MAX_SYMBOL, np.finfo(np.float32).max]], np.float32)
    assert quantize(latent, 1.0, 0.5).tolist() == [[MAX_SYMBOL, -MAX_SYMBOL, MAX_SYMBOL, MAX_SYMBOL]]


def test_points_move_the_symbols_of_their_runs_and_no_others():
    runs = Runs(np.array([-1, 0], np.int32), np.array([3, 1], np.int32))
    points = np.array([0.1, 0.0, -0.2, 0.5], np.float32)
    symbols = np.array([[-2, -1], [-1, 0], [0, 1], [1, 7]], np.int32)
    expected = [[-4.0, -2.0], [-1.8, 1.0], [0.0, 2.0], [1.6, 14.0]]
    np.testing.assert_allclose(dequantize(symbols, 2.0, runs, points), expected, rtol=1e-6)
    assert point_offsets(runs).tolist() == [0, 3]


@pytest.mark.parametrize(("first", "sizes"), [([0, 0], [1]), ([0], [-1]), ([[0]], [[1]])])
def test_runs_that_no_codec_has_are_refused(first, sizes):
    with pytest.raises(CorruptFileError, match="runs of reconstruction points"):
        Runs(np.array(first, np.int32), np.array(sizes, np.int32))
