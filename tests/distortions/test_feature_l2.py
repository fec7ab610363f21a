import pytest

torch = pytest.importorskip("torch")

from taskcodec.distortions.feature_l2 import FeatureL2  # noqa: E402
from taskcodec.distortions.objective import Seen  # noqa: E402


def test_sums_over_dimensions_not_samples():
    decoded, clean = torch.tensor([[1.0, -2.0], [0.0, 0.0]]), torch.zeros(2, 2)
    assert FeatureL2(torch.nn.Identity()).distortion([decoded], Seen([clean], clean, None, None)).tolist() == [5.0, 0.0]
