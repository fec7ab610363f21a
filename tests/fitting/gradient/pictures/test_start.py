"""Where layers start: a latent of the width it is told, or a Karhunen-Loeve transform of blocks."""

import pytest

torch = pytest.importorskip("torch")

from taskcodec.fitting.gradient.pictures.layers import TrainedLayer  # noqa: E402
from taskcodec.fitting.gradient.pictures.start import (  # noqa: E402
    first_scale,
    principal_blocks,
    start_layer,
    usual_step,
)
from taskcodec.fitting.gradient.recipe import NetworkChoice  # noqa: E402
from taskcodec.transforms.networks.build import make  # noqa: E402
from tests.fitting.gradient.pictures.tiny import layer  # noqa: E402

BLOCKS = NetworkChoice("blocks", {"widths": [4], "latent": 12, "kernel": 6})
SIZES = {"side": 2, "hyper": 4, "context": 4, "groups": [4, 8]}


def smooth(count=16, side=16):
    torch.manual_seed(0)
    coarse = torch.rand(count, 3, side // 4, side // 4)
    return torch.nn.functional.interpolate(coarse, scale_factor=4, mode="bilinear")


def started(synthesis, beta=0.01, task="mse", pictures=None, inner=None):
    torch.manual_seed(0)
    back = NetworkChoice(synthesis, {} if inner is None else {"inner": inner})
    own = TrainedLayer(layer(analysis=BLOCKS, synthesis=back, entropy=SIZES, task=task), {}, 3)
    start_layer(own, smooth() if pictures is None else pictures, beta)
    return own


@pytest.mark.parametrize("kind", ["light", "elic"])
@pytest.mark.parametrize("attention", [False, True])
def test_a_latent_starts_as_wide_as_it_is_told(kind, attention):
    torch.manual_seed(0)
    g_a = make(kind, {"widths": [4, 4, 6], "latent": 5, "blocks": 1, "attention": attention})
    x = torch.rand(4, 3, 48, 48)
    first_scale(g_a, x, 4.0)
    assert g_a(x).std().item() == pytest.approx(4, rel=0.1)


@pytest.mark.parametrize("inner", [None, 2])
def test_blocks_start_as_their_principal_axes(inner):
    """Twelve of the 48 axes hold nearly all of what smooth pictures are, in steps of what beta asks for."""
    x = smooth()
    own = started("blocks_synthesis", beta=1e-5, inner=inner)
    seen = own(x, {})
    assert (seen.decoded - x).square().mean() < 0.05 * x.var()
    deviations = own.g_a(x).std((0, 2, 3))
    assert deviations[0] > 10 * deviations[11]
    assert (own.g_a.linear.map.weight[:, :, 0] == 0).all()  # what overlaps is learned
    coarse = started("blocks_synthesis", beta=4e-5).g_a(x).std((0, 2, 3))
    assert torch.allclose(coarse, deviations / 2, rtol=1e-3)


def test_entropy_models_of_blocks_start_with_the_widths_of_their_columns():
    x, own = smooth(64), started("blocks_synthesis", beta=1e-3, pictures=smooth(64))
    torch.manual_seed(0)
    other = TrainedLayer(own.choice, {}, 3)
    other.g_a.load_state_dict(own.g_a.state_dict())
    assert own(x, {}).bits.mean() < 0.8 * other(x, {}).bits.mean()


def test_for_other_tasks_blocks_start_from_the_width_of_the_latent():
    own = started("blocks_synthesis", task="ms_ssim")
    assert own.g_a(smooth()).square().mean().sqrt().item() == pytest.approx(4, rel=0.5)


def test_principal_blocks_are_orthonormal_and_sorted():
    mean, basis, deviations = principal_blocks(smooth(), 4, 12)
    flat = basis.flatten(1)
    assert torch.allclose(flat @ flat.T, torch.eye(12), atol=1e-5)
    assert (deviations[:-1] >= deviations[1:]).all()
    assert mean.tolist() == pytest.approx(smooth().mean((0, 2, 3)).tolist())
    assert len(principal_blocks(smooth(), 4, 99)[1]) == 48  # no more than there are


def test_a_step_balances_bits_and_error():
    """A little larger, and bits save as much as the error costs."""
    beta, step = 0.001, usual_step(0.001)

    def loss(s):
        return s * s / 12 - 3 * beta * torch.log2(torch.tensor(s)).item()  # three values a pixel: bits count thrice

    assert loss(step) < min(loss(0.99 * step), loss(1.01 * step))
