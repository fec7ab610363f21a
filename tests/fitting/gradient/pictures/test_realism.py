"""A second synthesis learns the law of what the code leaves open, and changes nothing else."""

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from taskcodec.errors import UsageError  # noqa: E402
from taskcodec.fitting.gradient.pictures.data import KnownPicture, PictureSet  # noqa: E402
from taskcodec.fitting.gradient.pictures.realism import (  # noqa: E402
    RealismCompressor,
    score,
    start_from,
    train_realism,
)
from taskcodec.fitting.gradient.pictures.realism_recipe import RealismRecipe  # noqa: E402
from taskcodec.fitting.gradient.recipe import NetworkChoice, Schedule  # noqa: E402
from taskcodec.stack.pictures import transform_of  # noqa: E402
from taskcodec.transforms.networks.build import make, pack, unpack  # noqa: E402
from tests import pictured  # noqa: E402


def test_the_score_is_least_for_the_law_of_the_data():
    """Of one window of one pixel it is the continuous ranked probability score: N(0, 1) beats wider and narrower."""
    torch.manual_seed(0)
    x, a, b = torch.randn(3, 40000, 1, 2, 2).round(decimals=3).split(1)
    x, a, b = (each[0].mean((2, 3), keepdim=True) * 2 for each in (x, a, b))  # N(0, 1)
    found = {spread: score(x, [spread * a, spread * b], 2).item() for spread in (0.0, 0.6, 1.0, 1.6)}
    assert min(found, key=found.get) == 1.0
    assert found[1.0] == pytest.approx(1 / np.sqrt(np.pi), rel=0.02)
    assert found[0.0] == pytest.approx(np.sqrt(2 / np.pi), rel=0.02)


def test_windows_are_at_most_the_picture():
    x, a, b = torch.rand(3, 2, 3, 5, 7)
    assert torch.equal(score(x, [a, b], 512), score(x, [a, b], 7))
    assert score(x, [x, x], 4).item() == pytest.approx(0, abs=1e-3)


def test_of_more_draws_it_is_the_mean_over_pairs():
    x, a, b, c = torch.rand(4, 2, 3, 8, 8)
    pairs = [score(x, pair, 4) for pair in ([a, b], [a, c], [b, c])]
    assert score(x, [a, b, c], 4).item() == pytest.approx(float(sum(pairs)) / 3, rel=1e-5)


@pytest.mark.parametrize("name", ["light_synthesis", "blocks_synthesis"])
def test_it_starts_from_the_first_synthesis_and_little_noise(name):
    torch.manual_seed(0)
    sizes = {"latent": 3, "stride": 4, "kernel": 6} if name == "blocks_synthesis" else {"latent": 3, "widths": [4]}
    g_s, g_r = make(name, sizes), make(name, {**sizes, "given": [2]})
    start_from(g_r, g_s)
    y, noise = torch.randn(1, 3, 4, 4), torch.randn(1, 2, 4, 4)
    plain, quiet, loud = g_s(y), g_r(y, [0 * noise]), g_r(y, [noise])
    assert torch.allclose(plain, quiet, atol=1e-6)
    assert 0 < (loud - quiet).std() < 0.5 * plain.std()


def test_training_goes_on_from_a_second_synthesis_that_is_there():
    recipe = RealismRecipe("base", noise=2, crop=4)
    torch.manual_seed(0)
    once = RealismCompressor(pictured.alone(), recipe).to_codec({})
    again = RealismCompressor(once, recipe).g_r.state_dict()
    stored = transform_of(once.layers[0]).networks.g_r.weights
    assert all(np.array_equal(weight, stored[key]) for key, weight in again.items())
    other = RealismCompressor(once, replace(recipe, noise=3)).g_r  # which reads other noise: from g_s, as ever
    assert other.inputs == 3 + 3


def two_kinds(count=64):
    """Squares that are black or white, as a coin says."""
    colours = np.random.default_rng(0).integers(0, 2, count) * 255
    return PictureSet([KnownPicture(np.full((4, 4, 3), colour, np.uint8)) for colour in colours], {})


def blind(codec):
    """The codec, of a step so large that no symbol tells anything."""
    (base,) = codec.layers
    return replace(codec, layers=(replace(base, quantizer=replace(base.quantizer, step=1e6)),))


@pytest.mark.slow
def test_where_the_code_tells_nothing_it_gives_either_of_two_kinds():
    codec = blind(pictured.alone())
    recipe = RealismRecipe("base", noise=2, windows=(4,), crop=4)
    trained = train_realism(two_kinds(), codec, recipe, Schedule(120, batch=32, warmup=5, learning_rate=2e-2))
    g_r = unpack(transform_of(trained.codec.layers[0]).networks.g_r)
    torch.manual_seed(1)
    with torch.no_grad():
        drawn = g_r(torch.zeros(400, 3, 1, 1), [torch.randn(400, 2, 1, 1)]).mean((1, 2, 3))
    white, black = (drawn > 0.7).float().mean().item(), (drawn < 0.3).float().mean().item()
    assert white > 0.25
    assert black > 0.25
    assert white + black > 0.6  # and not grey, which has least squared error


def test_another_network_may_decode_and_nothing_else_changes():
    codec = pictured.layered()
    other = NetworkChoice("elic_synthesis", {"widths": [4], "blocks": 1, "attention": False})
    compressor = RealismCompressor(codec, RealismRecipe("detail", noise=3, synthesis=other, crop=8))
    learning = {name.partition(".")[0] for name, value in compressor.named_parameters() if value.requires_grad}
    assert learning == {"g_r"}
    found = compressor.to_codec({"realism": {}})
    own, before = (transform_of(each.layers[1]).networks for each in (found, codec))
    assert (own.g_r.name, own.g_r.sizes["given"]) == ("elic_synthesis", [pictured.BASE, 3])
    assert all(getattr(own, role) is getattr(before, role) for role in ("g_a", "g_s", "g_p", "means"))
    assert found.layers[0] is codec.layers[0]


def test_widths_of_grain_that_do_not_reach_the_pixels_are_named():
    grain = NetworkChoice("grain", {"widths": [4, 4]})
    says = r"realism.base.synthesis.widths: expected 1 of them, .* every 4 pixels; found \[4, 4\]"
    with pytest.raises(UsageError, match=says):
        RealismCompressor(pictured.alone(), RealismRecipe("base", synthesis=grain))


def test_what_gives_no_picture_is_refused():
    (layer,) = pictured.alone().layers
    sizes = {"widths": [4], "latent": 3, "blocks": 1, "outputs": 5}
    networks = replace(transform_of(layer).networks, g_s=pack("light_synthesis", sizes, make("light_synthesis", sizes)))
    layer = replace(layer, transform=replace(layer.transform, networks=networks))
    with pytest.raises(UsageError, match=r"realism.base: gives 5 channels, which are no picture"):
        RealismCompressor(replace(pictured.alone(), layers=(layer,)), RealismRecipe("base"))
