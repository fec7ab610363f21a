import pytest

torch = pytest.importorskip("torch")

from taskcodec.errors import UsageError  # noqa: E402
from taskcodec.transforms.networks.build import make, pack, unpack  # noqa: E402
from taskcodec.transforms.networks.pictures.places import padded  # noqa: E402

TINY = {"widths": [4, 4, 6], "latent": 5, "blocks": 1}


@pytest.mark.parametrize("kind", ["light", "elic"])
@pytest.mark.parametrize("size", [(1, 1), (16, 16), (17, 33), (31, 5), (48, 40)])
def test_every_size_has_its_places(kind, size):
    g_a, g_s = make(kind, TINY).eval(), make(f"{kind}_synthesis", TINY).eval()
    x = torch.rand(2, 3, *size)
    h, w = (-(-side // 16) for side in size)
    assert g_a(x).shape == g_a(padded(x, g_a.stride)).shape == (2, 5, h, w)
    assert g_s(g_a(x)).shape == (2, 3, 16 * h, 16 * w)


def test_padding_repeats_the_edge_no_further_than_it_must():
    x = torch.arange(6.0).reshape(1, 1, 2, 3)
    assert torch.equal(padded(x, 4), torch.tensor([[[[0, 1, 2, 2], [3, 4, 5, 5], [3, 4, 5, 5], [3, 4, 5, 5.0]]]]))
    assert padded(x[..., :2], 2).shape == (1, 1, 2, 2)


def test_a_synthesis_sees_what_lies_below():
    sizes = {**TINY, "given": [2, 3], "outputs": 7}
    g_s = make("elic_synthesis", sizes).eval()
    y, below = torch.randn(1, 5, 2, 2), [torch.randn(1, 2, 2, 2), torch.randn(1, 3, 2, 2)]
    decoded = g_s(y, below)
    assert decoded.shape == (1, 7, 32, 32)
    assert not torch.equal(decoded, g_s(y, [below[0], below[1] + 1]))


def test_one_step_fewer_halves_the_stride():
    sizes = {"widths": [4], "latent": 3, "blocks": 1}
    assert make("light", sizes)(torch.rand(1, 3, 8, 9)).shape == (1, 3, 2, 3)


def test_elic_narrows_its_blocks_and_light_does_not():
    inner = {kind: next(m for m in make(kind, TINY).modules() if hasattr(m, "look")).look for kind in ("light", "elic")}
    assert (inner["light"].in_channels, inner["elic"].in_channels) == (4, 2)


@pytest.mark.parametrize(("kind", "sizes"), [("elic", TINY), ("light_synthesis", {**TINY, "given": [2]})])
def test_it_comes_back_from_its_data(kind, sizes):
    module = make(kind, sizes).eval()
    again = unpack(pack(kind, sizes, module))
    x = torch.rand(1, *((3, 20, 20) if kind == "elic" else (7, 2, 2)))
    assert torch.equal(again(x), module(x))


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"attention": 1}, "attention must be true or false, found 1"),
        ({"given": 3}, "given must be a list of whole numbers"),
        ({"blocks": True}, "blocks must be a whole number"),
        ({"inputs": 3}, "invalid size 'inputs'"),
    ],
)
def test_wrong_sizes_are_named(changed, says):
    with pytest.raises(UsageError, match=says):
        make("light_synthesis", {**TINY, **changed})
