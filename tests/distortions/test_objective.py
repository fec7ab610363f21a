import pytest

torch = pytest.importorskip("torch")

from taskcodec.distortions.objective import Objective, Reconstruction, Seen  # noqa: E402


def test_errors_are_sums_over_a_sample():
    decoded, clean = torch.rand(3, 2, 4, 4), torch.rand(3, 2, 4, 4)
    found = Reconstruction(torch.nn.Identity()).distortion([decoded], Seen([], clean, None, None))
    assert torch.allclose(found, ((decoded - clean) ** 2).sum(dim=(1, 2, 3)))


def test_one_view_is_read_and_nothing_logged_unless_said():
    assert Objective.views == 1
    assert Objective().logged() == {}
