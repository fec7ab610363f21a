import torch

from taskcodec.distortions.feature_l1 import feature_l1


def test_sums_over_dimensions_not_samples():
    decoded = torch.tensor([[1.0, -2.0], [0.0, 0.0]])
    assert feature_l1(decoded, torch.zeros(2, 2)).tolist() == [3.0, 0.0]
