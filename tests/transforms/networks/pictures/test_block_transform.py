"""Transforms of blocks: sums of basis pictures that overlap, alone and beside what they are added to."""

import pytest

torch = pytest.importorskip("torch")

from taskcodec.errors import UsageError  # noqa: E402
from taskcodec.transforms.networks.build import make, pack, unpack  # noqa: E402
from taskcodec.transforms.networks.pictures.block_transform import BlockMap  # noqa: E402

ANALYSIS = {"widths": [4, 4], "latent": 5, "kernel": 12}
SYNTHESIS = {"latent": 5, "stride": 8, "kernel": 12}


@pytest.mark.parametrize("size", [(8, 8), (16, 40)])
@pytest.mark.parametrize("more", [{}, {"inner": 3}])
def test_every_block_has_its_place(size, more):
    g_a, g_s = make("blocks", ANALYSIS), make("blocks_synthesis", {**SYNTHESIS, **more})
    y = g_a(torch.rand(2, 3, *size))
    assert y.shape == (2, 5, size[0] // 8, size[1] // 8)
    assert g_s(y).shape == (2, 3, *size)
    assert (g_a.stride, g_s.stride, g_s.inputs) == (8, 8, 5)


@pytest.mark.parametrize("kernel", [4, 6, 10])
def test_places_give_what_a_transposed_convolution_gives(kernel):
    back, y = BlockMap(5, 3, kernel, 4, transposed=True), torch.randn(2, 5, 3, 4, requires_grad=True)
    assert torch.allclose(back(y), back.map(y), atol=1e-5)
    (own,), (wanted,) = (torch.autograd.grad(found.square().sum(), back.map.weight) for found in (back(y), back.map(y)))
    assert torch.allclose(own, wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kernel", [8, 12])
def test_an_orthonormal_basis_gives_back_what_it_sums(kernel):
    basis = torch.linalg.qr(torch.randn(48, 48)).Q.reshape(48, 3, 4, 4)
    mean = torch.tensor([0.2, 0.5, 0.7])
    there, back = BlockMap(3, 48, kernel, 4, transposed=False), BlockMap(48, 3, kernel, 4, transposed=True)
    there.set(basis, 10.0, -10 * basis.sum((2, 3)) @ mean)
    back.set(basis, 0.1, mean)
    x = torch.rand(1, 3, 16, 8)
    y = there(x)
    assert torch.allclose(back(y), x, atol=1e-5)
    # what the basis says of one block, by hand
    block = (x[0, :, 4:8, :4] - mean[:, None, None]).flatten()
    assert torch.allclose(y[0, :, 1, 0], 10 * basis.flatten(1) @ block, atol=1e-4)


def test_linear_means_linear_and_a_second_layer_does_not():
    for inner, same in ((0, True), (4, False)):
        torch.manual_seed(1)
        g_s = make("blocks_synthesis", {**SYNTHESIS, **({"inner": inner} if inner else {})})
        a, b, none = torch.randn(1, 5, 2, 2), torch.randn(1, 5, 2, 2), torch.zeros(1, 5, 2, 2)
        assert torch.allclose(g_s(a + b) + g_s(none), g_s(a) + g_s(b), atol=1e-5) == same


def test_a_synthesis_sees_what_lies_below():
    g_s = make("blocks_synthesis", {**SYNTHESIS, "given": [2], "outputs": 7})
    y, below = torch.randn(1, 5, 2, 3), torch.randn(1, 2, 2, 3)
    assert g_s(y, [below]).shape == (1, 7, 16, 24)
    assert not torch.equal(g_s(y, [below]), g_s(y, [below + 1]))


@pytest.mark.parametrize(("name", "sizes"), [("blocks", ANALYSIS), ("blocks_synthesis", {**SYNTHESIS, "inner": 3})])
def test_it_comes_back_from_its_data(name, sizes):
    module = make(name, sizes).eval()
    network = module.linear
    network.gain.fill_(0.3)
    x = torch.rand(1, *((3, 24, 16) if name == "blocks" else (5, 2, 2)))
    back = unpack(pack(name, sizes, module))
    assert back.state_dict().keys() == module.state_dict().keys()
    for key, value in module.state_dict().items():
        assert torch.equal(back.state_dict()[key], value)
    torch.testing.assert_close(back(x), module(x))  # where weights lie in memory may change the last bit of a product


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"kernel": 6}, "kernel must be even, and from 8 to 32, found 6"),
        ({"kernel": 13}, "kernel must be even"),
        ({"kernel": 34}, "kernel must be even"),
        ({"stride": 6}, "blocks have a stride of 4, 8, 16 or 32, found 6"),
        ({"stride": 64}, "blocks have a stride"),
        ({"widths": [3]}, "invalid size 'widths'"),
    ],
)
def test_wrong_sizes_are_named(changed, says):
    with pytest.raises(UsageError, match=says):
        make("blocks_synthesis", {**SYNTHESIS, **changed})
