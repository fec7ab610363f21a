"""What a training is given: samples, labels and views of the right shape and type."""

from importlib.util import find_spec

import numpy as np
import pytest

if find_spec("lightning") is None:  # not by importing it: taskcodec does that in the right order
    pytest.skip("no lightning", allow_module_level=True)
torch = pytest.importorskip("torch")

from taskcodec.errors import UsageError  # noqa: E402
from taskcodec.fitting.gradient.recipe import NetworkChoice, Recipe, Schedule  # noqa: E402
from taskcodec.fitting.gradient.training import TrainingSet, train  # noqa: E402
from tests.fitting.gradient.tiny import VC, X  # noqa: E402


def flipped(v):
    v[:, :1] *= torch.where(torch.rand(len(v), 1) < 0.5, -1.0, 1.0)
    return v


@pytest.mark.slow
def test_views_may_change_their_batch_in_place():
    """The target is what was there before: the sign of the first column cannot be rebuilt."""
    wide = NetworkChoice("mlp", {"hidden": [32]})
    recipe = Recipe("VIC", beta=0.01, columns=3, analysis=wide, synthesis=wide)
    codec = train(TrainingSet(X, views=flipped), recipe, Schedule(200, 128, learning_rate=3e-3)).codec
    rebuilt = codec.synthesise(codec.decompress(codec.compress(list(X.numpy()))))
    assert abs(np.corrcoef(rebuilt[:, 0], X[:, 0])[0, 1]) < 0.5
    assert np.corrcoef(rebuilt[:, 1], X[:, 1])[0, 1] > 0.8


@pytest.mark.parametrize(
    "views", [lambda v: v[:1], lambda v: v[:, :2], lambda v: v.double(), lambda v: v.numpy(), lambda v: None]
)
def test_views_of_another_shape_or_type_are_refused(views):
    with pytest.raises(UsageError, match=r"views: must give what they are given, \(64, 3\) torch.float32, and gave "):
        train(TrainingSet(X, views=views), VC, Schedule(2, 64))


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"samples": X.double()}, "samples: .* found \\(500, 3\\) torch.float64"),
        ({"samples": X.numpy()}, "samples: .* found \\(500, 3\\) float32"),
        ({"samples": torch.rand(4, 1, 8, 8)}, "samples: .* uint8 images, found"),
        ({"samples": X, "labels": torch.zeros(9, dtype=torch.long)}, "labels: .* 500 samples"),
        ({"samples": X, "labels": torch.full((500,), -1)}, "labels: a class number from 0 on"),
        ({"samples": X, "labels": torch.zeros(500)}, "labels: .* torch.float32"),
    ],
)
def test_a_training_set_of_the_wrong_kind_is_refused(given, says):
    with pytest.raises(UsageError, match=says):
        TrainingSet(**given)
