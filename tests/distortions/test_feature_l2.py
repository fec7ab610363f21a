import pytest

torch = pytest.importorskip("torch")

from taskcodec.distortions.feature_l2 import feature_l2  # noqa: E402


def test_sums_over_dimensions_not_samples():
    decoded = torch.tensor([[1.0, -2.0], [0.0, 0.0]])
    assert feature_l2(decoded, torch.zeros(2, 2)).tolist() == [5.0, 0.0]
