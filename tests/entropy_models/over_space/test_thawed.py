import numpy as np
import pytest

torch = pytest.importorskip("torch")

from taskcodec.coding import freeze_pmf  # noqa: E402
from taskcodec.entropy_models.over_space.thawed import ThawedTables  # noqa: E402
from tests.coding.models.spatial.random_tables import spatial_tables  # noqa: E402

MODELS = {
    "two groups on a checkerboard": (spatial_tables(), 0),
    "three groups in one pass each": (spatial_tables((1, 3, 2), checkerboard=False, seed=1), 0),
    "scales only": (spatial_tables((4,), means=False, seed=2), 0),
    "on a layer below": (spatial_tables((2, 3), given=3, seed=3), 3),
}
EACH = pytest.mark.parametrize(("tables", "below"), MODELS.values(), ids=MODELS)


def drawn(tables, below, size=(5, 7), seed=0):
    """Symbols, some of them escaped, and those of the layers below."""
    rng = np.random.default_rng(seed)
    y = np.rint(rng.laplace(size=(2, tables.columns, *size)) * 3).astype(np.int32)
    y[0, 0, 0, 0] = 99
    return y, [rng.integers(-9, 10, (2, below, *size)).astype(np.int32)] if below else []


def tensor(symbols):
    return torch.from_numpy(np.ascontiguousarray(symbols)).float()


def side(tables, y):
    return tensor(np.moveaxis(tables.side_of(y), 3, 1))


@EACH
def test_integers_cost_what_the_coder_takes(tables, below):
    y, given = drawn(tables, below)
    thawed = ThawedTables(tables)
    found = thawed.bits(tensor(y), side(tables, y), [tensor(each) for each in given])
    np.testing.assert_allclose(found.numpy(), tables.code_length(y, given), rtol=1e-5)
    assert (thawed.side(tensor(y)) - side(tables, y)).abs().max() <= 0.501


@EACH
def test_between_integers_bits_lie_on_a_line(tables, below):
    y, given = drawn(tables, below)
    thawed, seen = ThawedTables(tables), [tensor(each) for each in given]
    z = side(tables, y)
    ends = [thawed.bits(tensor(y), z + step, seen) for step in (0.0, 1.0)]
    # The line is that of what z itself costs; what it says of y moves too, and not on a line.
    only = [torch.full_like(z, step).requires_grad_() for step in (0.25, 0.5)]
    gradients = []
    for point in only:
        thawed.bits(tensor(y), z + point, seen).sum().backward()
        gradients.append(point.grad)
    assert all(torch.isfinite(each).all() and each.abs().sum() > 0 for each in gradients)
    assert all(torch.isfinite(each).all() for each in ends)


def test_tables_of_channels_have_the_differences_of_symbols_for_gradients():
    run = np.arange(-4, 5)
    tables = freeze_pmf([-4, -4], [np.exp(-np.abs(run)), np.exp(-np.abs(run - 1) / 3)], 2.0**-12)
    y = torch.tensor([[[[0.25, -1.5]], [[2.0, 30.0]]]], requires_grad=True)
    bits = ThawedTables(tables).bits(y, None)
    low, high = np.floor(y.detach().numpy()).astype(np.int32), np.floor(y.detach().numpy()).astype(np.int32) + 1
    costs = tables.costs(low), tables.costs(high)
    share = y.detach().numpy() - low
    np.testing.assert_allclose(bits.item(), ((1 - share) * costs[0] + share * costs[1]).sum(), rtol=1e-6)
    bits.sum().backward()
    np.testing.assert_allclose(y.grad.numpy(), costs[1] - costs[0], rtol=1e-5, atol=1e-5)


def test_a_wider_scale_costs_near_symbols_more_and_far_ones_less():
    """The gradient of index and mean, through the networks, points where bits fall."""
    tables, _ = MODELS["two groups on a checkerboard"]
    y, _ = drawn(tables, 0, seed=4)
    thawed, z = ThawedTables(tables), side(tables, y).requires_grad_()
    before = thawed.bits(tensor(y), z).sum()
    before.backward()
    better = [thawed.bits(tensor(y), torch.round(z - step * z.grad.sign())).sum() for step in (1, 2)]
    assert min(better) < before
