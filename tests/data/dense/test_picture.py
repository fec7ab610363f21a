import numpy as np
import pytest

from taskcodec.data.dense.picture import DensePicture
from taskcodec.errors import UsageError

PIXELS = np.zeros((4, 6, 3), np.uint8)


def test_its_size_is_width_and_height():
    assert DensePicture("a", PIXELS).size == (6, 4)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"pixels": PIXELS[..., 0]}, r"a: pixels are \(H, W, 3\) uint8, found \(4, 6\) uint8"),
        ({"pixels": PIXELS.astype("f4")}, "found .* float32"),
        ({"labels": np.zeros((6, 4), np.uint8)}, r"labels of this picture are \(4, 6\) uint8, found \(6, 4\) uint8"),
        ({"depth": np.zeros((4, 6))}, "depth .* float32, found .* float64"),
        ({"objects": np.zeros((4, 6), np.uint8)}, "objects .* int32, found .* uint8"),
    ],
)
def test_truth_of_another_size_or_type_is_refused(given, told):
    with pytest.raises(UsageError, match=told):
        DensePicture(**({"id": "a", "pixels": PIXELS} | given))
