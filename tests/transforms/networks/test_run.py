"""Large pictures in tiles are as at once."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from taskcodec.transforms.networks import run  # noqa: E402
from taskcodec.transforms.networks.build import make, pack  # noqa: E402
from taskcodec.transforms.networks.pictures.reach import reach_of  # noqa: E402
from taskcodec.transforms.networks.run import Steps, on_places, one_thread  # noqa: E402

SIZES = {"widths": [3, 4, 4], "latent": 5, "blocks": 1}
STRIDE = 16


def sizes_of(name):
    return {"latent": 5, "stride": STRIDE, "kernel": 44, "inner": 3} if name == "blocks_synthesis" else SIZES


def packed(name, **more):
    torch.manual_seed(0)
    sizes = {**sizes_of(name), **more}
    network = make(name, sizes)
    for parameter in network.parameters():
        parameter.data *= 2  # what lies far must weigh enough to be seen
    return pack(name, sizes, network)


@pytest.mark.parametrize("size", [(16, 16), (32, 496), (432, 368), (64, 1008)])
@pytest.mark.parametrize("kind", ["light", "elic", "blocks"])
def test_tiles_give_what_the_whole_gives(kind, size, monkeypatch):
    x = np.random.default_rng(0).random((1, 3, *size)).astype("f4")
    g_a = on_places(packed(kind), Steps(1, STRIDE))
    g_s = on_places(packed(f"{kind}_synthesis", given=[2]), Steps(STRIDE, 1))
    y, below = g_a(x), np.random.default_rng(1).normal(size=(1, 2, size[0] // STRIDE, size[1] // STRIDE)).astype("f4")
    decoded = g_s(y, below)
    assert y.shape == (1, 5, size[0] // STRIDE, size[1] // STRIDE)
    assert decoded.shape == x.shape
    monkeypatch.setattr(run, "TILE", 96)
    np.testing.assert_allclose(g_a(x), y, rtol=1e-4, atol=1e-5 * np.abs(y).max())
    np.testing.assert_allclose(g_s(y, below), decoded, rtol=1e-4, atol=1e-5 * np.abs(decoded).max())


@pytest.mark.parametrize("name", ["light", "elic", "blocks", "light_synthesis", "elic_synthesis", "blocks_synthesis"])
def test_nothing_beyond_the_reach_is_seen(name):
    """A change of one place changes what lies within the reach, and nothing beyond."""
    synthesis = name.endswith("_synthesis")
    network = make(name, sizes_of(name)).eval()
    jump = STRIDE if synthesis else 1
    reach = reach_of(network, jump)
    side = 2 * STRIDE * (reach // STRIDE + 2)
    x = torch.rand(1, 5, side // STRIDE, side // STRIDE) if synthesis else torch.rand(1, 3, side, side)
    changed, at = x.clone(), x.shape[2] // 2
    changed[..., at, at] += 100.0
    with torch.no_grad():
        difference = (network(x) - network(changed)).abs().sum(dim=(0, 1))
    rows = torch.nonzero(difference.sum(dim=1))[:, 0] * (1 if synthesis else STRIDE)
    first, last = at * jump - int(rows.min()), int(rows.max()) - at * jump
    assert 0 < max(first, last) <= reach + STRIDE


def test_one_thread_inside_and_as_many_as_before_after():
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        with one_thread():
            assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)
