import pytest

torch = pytest.importorskip("torch")

from taskcodec.distortions.vic import vic  # noqa: E402


def test_it_is_the_squared_error_of_a_sample():
    x, decoded = torch.rand(3, 1, 4, 4), torch.rand(3, 1, 4, 4)
    assert torch.allclose(vic(decoded, x), ((x - decoded) ** 2).sum(dim=(1, 2, 3)))
