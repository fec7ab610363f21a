import pytest

torch = pytest.importorskip("torch")

from taskcodec.errors import UsageError  # noqa: E402
from taskcodec.transforms.networks.build import make, pack, unpack  # noqa: E402
from taskcodec.transforms.networks.pictures.grain import noise_columns  # noqa: E402
from taskcodec.transforms.networks.pictures.reach import reach_of  # noqa: E402

SIZES = {"widths": [6, 5], "latent": 3, "blocks": 1, "tail": 4, "noise": 2, "grains": 1}
NOISE = noise_columns(8, 2)


def drawn(network, y, noise, below=()):
    with torch.no_grad():
        return network(y, [*below, noise])


def test_each_step_has_noise_of_its_own_at_each_place():
    assert NOISE == 2 * (4 + 16 + 64)  # two channels at 2 x 2, 4 x 4 and 8 x 8 places for each of the latent's
    torch.manual_seed(0)
    grain = make("grain", {**SIZES, "given": [NOISE]})
    y, noise = torch.randn(1, 3, 4, 5), torch.randn(1, NOISE, 4, 5)
    plain = drawn(grain, y, noise)
    assert plain.shape == (1, 3, 32, 40)
    for first, last in ((0, 8), (8, 40), (40, NOISE)):
        other = noise.clone()
        other[:, first:last] = torch.randn(1, last - first, 4, 5)
        assert (drawn(grain, y, other) != plain).any()


def test_noise_of_a_place_reaches_no_further_than_its_reach():
    torch.manual_seed(0)
    grain = make("grain", {**SIZES, "given": [NOISE]})
    y, noise = torch.randn(1, 3, 9, 9), torch.randn(1, NOISE, 9, 9)
    other = noise.clone()
    other[..., 0, 0] += 1
    moved = (drawn(grain, y, other) != drawn(grain, y, noise)).any(1)[0].nonzero()
    assert 0 < moved.max() <= 8 + reach_of(grain, 8)


def test_it_begins_near_nothing_with_the_features_of_a_synthesis_like_it():
    torch.manual_seed(0)
    g_s = make("light_synthesis", {key: SIZES[key] for key in ("widths", "latent", "blocks")})
    grain = make("grain", {**SIZES, "given": [NOISE]})
    grain.start_from(g_s)
    own = [step for step in grain.steps if type(step).__name__ != "NoisyResidual"]
    for ours, theirs in zip(own[:-1], g_s.layers[:-1], strict=True):
        assert all(torch.equal(a, b) for a, b in zip(ours.parameters(), theirs.parameters(), strict=True))
    y = torch.randn(2, 3, 4, 4)
    assert drawn(grain, y, torch.randn(2, NOISE, 4, 4)).std() < 0.3 * g_s(y).std()


def test_of_another_synthesis_it_takes_what_is_alike_from_the_latent_on():
    torch.manual_seed(0)
    grain = make("grain", {**SIZES, "given": [NOISE]})
    before = {key: value.clone() for key, value in grain.state_dict().items()}
    grain.start_from(make("light_synthesis", {"widths": [9, 5], "latent": 3, "blocks": 1}))
    kept = grain.state_dict()
    assert not torch.equal(kept["steps.0.weight"], before["steps.0.weight"])  # 3 -> 5
    assert all(torch.equal(kept[key], before[key]) for key in kept if key.startswith("steps.3."))  # 5 -> 6, not 9


def test_it_sees_layers_below_and_comes_back_from_its_file():
    torch.manual_seed(0)
    sizes = {**SIZES, "given": [2, NOISE]}
    grain = make("grain", sizes)
    y, below, noise = torch.randn(1, 3, 4, 4), torch.randn(1, 2, 4, 4), torch.randn(1, NOISE, 4, 4)
    plain = drawn(grain, y, noise, [below])
    assert (drawn(grain, y, noise, [below + 1]) != plain).any()
    assert torch.equal(drawn(unpack(pack("grain", sizes, grain)), y, noise, [below]), plain)


def test_noise_of_another_size_is_refused():
    with pytest.raises(UsageError, match=r"network grain: noise of 7 channels, 168 expected"):
        make("grain", {**SIZES, "given": [7]})
