import numpy as np
import pytest

from taskcodec.coding.trellis import Trellis
from taskcodec.errors import CorruptFileError
from taskcodec.quantization.dependent import DependentQuantizer, nearest_points, points

SYMBOLS = np.array([[-3, -2, -1, 0, 1, 2, 3]], np.int32)


def test_the_two_quantizers_have_the_multiples_of_a_step_between_them():
    first, second = np.zeros(SYMBOLS.shape, np.uint8), np.ones(SYMBOLS.shape, np.uint8)
    assert points(SYMBOLS, first).tolist() == [[-6, -4, -2, 0, 2, 4, 6]]
    assert points(SYMBOLS, second).tolist() == [[-5, -3, -1, 0, 1, 3, 5]]


def test_symbols_stand_for_points_of_the_quantizer_that_parities_before_chose():
    quantizer = DependentQuantizer(0.5, 0.3, Trellis(4), 4)
    symbols = np.array([[1, 1, 2, 1], [2, 1, 0, 1], [0, 0, 0, -3], [-1, -2, 0, 3]], np.int32)
    # The states of the machine of four: 0 1 3 3, 0 0 1 2, 0 0 0 0, 0 1 2 1.
    assert quantizer.dequantize(symbols).tolist() == [
        [1.0, 0.5, 1.5, 0.5], [2.0, 1.0, 0.0, 1.0], [0.0, 0.0, 0.0, -3.0], [-1.0, -1.5, 0.0, 2.5],
    ]  # fmt: skip


def test_the_nearest_point_of_each_quantizer():
    latent = np.linspace(-7, 7, 57, dtype=np.float32)[None]
    for second in (0, 1):
        which = np.full(latent.shape, second, np.uint8)
        found = np.abs(points(nearest_points(latent, which), which) - latent)
        everything = points(np.arange(-6, 7, dtype=np.int32), np.full(13, second, np.uint8))
        assert np.array_equal(found[0], np.abs(everything[:, None] - latent[0]).min(axis=0))


@pytest.mark.parametrize(
    ("step", "slope"), [(0.0, 0.3), (np.nan, 0.3), (np.inf, 0.3), (-1.0, 0.3), (1.0, -0.1), (1, np.nan)]
)
def test_what_is_no_quantizer_is_refused(step, slope):
    with pytest.raises(CorruptFileError, match="not a quantizer's"):
        DependentQuantizer(step, slope, Trellis(4), 3)
