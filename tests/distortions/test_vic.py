import math

import pytest

torch = pytest.importorskip("torch")
from taskcodec.distortions.feature_l2 import feature_l2  # noqa: E402
from taskcodec.distortions.supervised import supervised  # noqa: E402
from taskcodec.distortions.vc import vc  # noqa: E402
from taskcodec.distortions.vic import vic  # noqa: E402


def test_each_is_its_formula():
    x, decoded = torch.rand(3, 1, 4, 4), torch.rand(3, 1, 4, 4)
    squared = ((x - decoded) ** 2).sum(dim=(1, 2, 3))
    assert torch.allclose(vc(decoded, x), squared)
    assert torch.allclose(vic(decoded, x), squared)
    assert torch.allclose(feature_l2(decoded.flatten(1), x.flatten(1)), squared)
    assert supervised(torch.zeros(2, 8), torch.tensor([1, 5])).tolist() == pytest.approx([3.0, 3.0])
    assert supervised(torch.tensor([[math.log(3.0), 0.0]]), torch.tensor([0])).item() == pytest.approx(math.log2(4 / 3))
