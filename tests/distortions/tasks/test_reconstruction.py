import pytest
import torch

from taskcodec.distortions.tasks import SquaredError, StructuralSimilarity, Truth
from taskcodec.distortions.tasks.reconstruction import ms_ssim
from taskcodec.transforms.torchvision import import_torchvision


def noisy(height, width, spread, count=2):
    generator = torch.Generator().manual_seed(0)
    rows, columns = torch.linspace(0, 9, height)[:, None], torch.linspace(0, 7, width)
    clean = ((torch.sin(rows) + torch.cos(columns)) / 4 + 0.5).expand(count, 3, -1, -1)
    return clean, (clean + spread * torch.randn(clean.shape, generator=generator)).clamp(0, 1)


def test_mean_squared_error():
    pictures = torch.zeros(2, 3, 5, 4)
    pictures[1] = 0.5
    assert SquaredError().loss(pictures, Truth(torch.zeros(2, 3, 5, 4))).tolist() == [0, 0.25]
    assert SquaredError().predict(torch.tensor([[[[-1.0, 0.5, 2.0]]]])).tolist() == [[[[0, 0.5, 1]]]]


@pytest.mark.slow  # importing torchmetrics takes seconds
@pytest.mark.parametrize(("height", "width", "scales"), [(180, 190, 5), (64, 77, 3), (40, 24, 2)])
def test_as_torchmetrics_has_it(height, width, scales):
    """At five scales with its own exponents, below that with as many as fit, scaled to one."""
    pytest.importorskip("lightning_utilities")  # not torchmetrics itself: torchvision must be imported before it
    import_torchvision()
    from torchmetrics.functional.image import multiscale_structural_similarity_index_measure

    weights = torch.tensor([0.0448, 0.2856, 0.3001, 0.2363, 0.1333])[:scales]
    betas = tuple((weights / weights.sum()).tolist())
    clean, seen = noisy(height, width, 0.2)
    for each in range(2):
        pair = seen[each : each + 1], clean[each : each + 1]
        expected = multiscale_structural_similarity_index_measure(*pair, data_range=1.0, betas=betas)
        # At the last scale it counts windows that reach over the edge, which the paper does not.
        assert ms_ssim(seen, clean)[each].item() == pytest.approx(expected.item(), abs=0.02)


@pytest.mark.parametrize("size", [(1, 1), (1, 8), (10, 3), (11, 11), (100, 9)])
def test_pictures_of_any_size(size):
    clean, seen = noisy(*size, 0.3)
    assert ms_ssim(clean, clean).tolist() == pytest.approx([1, 1], abs=1e-5)
    assert (ms_ssim(seen, clean) <= 1 + 1e-6).all()


def test_opposites_have_a_gradient():
    """The contrast term is negative there, and a power of nothing would give none, or infinity."""
    clean, _ = noisy(64, 64, 0)
    seen = (1 - clean).requires_grad_()
    loss = StructuralSimilarity().loss(seen, Truth(clean))
    loss.sum().backward()
    assert torch.isfinite(seen.grad).all()
    assert (loss > 0.5).all()
