import pytest

torch = pytest.importorskip("torch")

from taskcodec.distortions.objective import absolute_error, squared_error  # noqa: E402


def test_errors_are_sums_over_a_sample():
    decoded, target = torch.rand(3, 2, 4, 4), torch.rand(3, 2, 4, 4)
    difference = decoded - target
    assert torch.allclose(absolute_error(decoded, target), difference.abs().sum(dim=(1, 2, 3)))
    assert torch.allclose(squared_error(decoded, target), (difference**2).sum(dim=(1, 2, 3)))
