import pytest

torch = pytest.importorskip("torch")

from taskcodec.distortions.objective import Seen  # noqa: E402
from taskcodec.distortions.vc import VC  # noqa: E402


def test_it_is_the_squared_error_of_the_view():
    x, view, decoded = (torch.rand(3, 1, 4, 4) for _ in range(3))
    found = VC(torch.nn.Identity()).distortion([decoded], Seen([view], x, None, None))
    assert torch.allclose(found, ((view - decoded) ** 2).sum(dim=(1, 2, 3)))
