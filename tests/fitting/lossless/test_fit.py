import numpy as np
import pytest

from taskcodec.errors import MismatchError, UsageError
from taskcodec.fitting.lossless.fit import MODELS, fit_lossless
from taskcodec.transforms.values.pixels import PixelValues
from tests.lossless import strokes

TRANSFORM = PixelValues((7, 6))


@pytest.mark.parametrize("model", MODELS)
def test_any_values_come_back(model):
    codec = fit_lossless(strokes(100), TRANSFORM, model)
    foreign = np.random.default_rng(3).integers(0, 256, (4, 7, 6), dtype=np.uint8)
    assert np.array_equal(codec.decompress(codec.compress(foreign)), foreign)
    assert codec.provenance["model"] == model
    assert codec.provenance["samples"] == 100


def test_what_is_no_fit_is_refused():
    with pytest.raises(UsageError, match="--model must be one of"):
        fit_lossless(strokes(9), TRANSFORM, "none")
    with pytest.raises(MismatchError, match="one sample or more"):
        fit_lossless(strokes(0), TRANSFORM)
