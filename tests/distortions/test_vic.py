import pytest

torch = pytest.importorskip("torch")

from taskcodec.distortions.objective import Seen  # noqa: E402
from taskcodec.distortions.vic import VIC  # noqa: E402


def test_it_is_the_squared_error_of_a_sample_or_of_what_is_named():
    x, view, decoded = (torch.rand(3, 1, 4, 4) for _ in range(3))
    for target, wanted in ((None, x), (lambda one: 2 * one, 2 * x)):
        found = VIC(torch.nn.Identity(), target).distortion([decoded], Seen([view], x, None, None))
        assert torch.allclose(found, ((wanted - decoded) ** 2).sum(dim=(1, 2, 3)))
