import pytest

torch = pytest.importorskip("torch")

from taskcodec.distortions.feature_l1 import FeatureL1, absolute_error  # noqa: E402
from taskcodec.distortions.objective import Seen  # noqa: E402


def test_sums_over_dimensions_not_samples():
    decoded, clean = torch.tensor([[1.0, -2.0], [0.0, 0.0]]), torch.zeros(2, 2)
    assert FeatureL1(torch.nn.Identity()).distortion([decoded], Seen([clean], clean, None, None)).tolist() == [3.0, 0.0]


def test_images_too():
    decoded, target = torch.rand(3, 2, 4, 4), torch.rand(3, 2, 4, 4)
    assert torch.allclose(absolute_error(decoded, target), (decoded - target).abs().sum(dim=(1, 2, 3)))
