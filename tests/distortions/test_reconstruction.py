import math

import pytest

torch = pytest.importorskip("torch")

from taskcodec.distortions.feature_l1 import FeatureL1  # noqa: E402
from taskcodec.distortions.feature_l2 import FeatureL2  # noqa: E402
from taskcodec.distortions.objective import Seen  # noqa: E402
from taskcodec.distortions.supervised import Supervised  # noqa: E402
from taskcodec.distortions.vc import VC  # noqa: E402
from taskcodec.distortions.vic import VIC  # noqa: E402

AS_IT_IS = torch.nn.Identity()


def seen(clean, view=None, labels=None):
    return Seen([clean if view is None else view], clean, labels, None)


def test_each_is_its_formula():
    x, view, decoded = (torch.rand(3, 1, 4, 4) for _ in range(3))

    def squared(target):
        return ((target - decoded) ** 2).sum(dim=(1, 2, 3))

    assert torch.allclose(VC(AS_IT_IS).distortion([decoded], seen(x, view)), squared(view))
    assert torch.allclose(VIC(AS_IT_IS).distortion([decoded], seen(x, view)), squared(x))
    assert torch.allclose(VIC(AS_IT_IS, lambda one: 2 * one).distortion([decoded], seen(x, view)), squared(2 * x))
    assert torch.allclose(FeatureL2(AS_IT_IS).distortion([decoded.flatten(1)], seen(x.flatten(1))), squared(x))


def test_log_loss_is_in_bits():
    def bits(scores, *labels):
        labels = torch.tensor(labels)
        return Supervised(AS_IT_IS).distortion([torch.tensor(scores)], seen(labels, labels=labels)).tolist()

    assert bits([[0.0] * 8] * 2, 1, 5) == pytest.approx([3.0, 3.0])
    assert bits([[math.log(3.0), 0.0]], 0) == pytest.approx([math.log2(4 / 3)])


def test_features_sum_over_dimensions_not_samples():
    decoded, clean = torch.tensor([[1.0, -2.0], [0.0, 0.0]]), torch.zeros(2, 2)
    assert FeatureL1(AS_IT_IS).distortion([decoded], seen(clean)).tolist() == [3.0, 0.0]
