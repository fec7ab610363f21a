"""What each layer learns from: its task, its bits, its preview, and the layers that see it."""

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import taskcodec  # noqa: E402
from taskcodec.errors import UsageError  # noqa: E402
from taskcodec.fitting.gradient.pictures.compressor import Fixed, LayersCompressor  # noqa: E402
from taskcodec.fitting.gradient.pictures.data import batch_of, crop_of  # noqa: E402
from taskcodec.fitting.gradient.pictures.recipe import LayersRecipe  # noqa: E402
from taskcodec.fitting.gradient.recipe import NetworkChoice  # noqa: E402
from taskcodec.transforms.networks.pictures.pyramid import SmallSegmenter  # noqa: E402
from tests.fitting.gradient.pictures.tiny import ENTROPY, layer, pictures, plain  # noqa: E402

DATA = pictures()
BATCH = batch_of([crop_of(picture, 0, 0, (16, 16)) for picture in DATA.pictures])
OTHER_STRIDE = NetworkChoice("light", {"widths": [4, 4], "latent": 2})
BASE = layer(task="segmentation", preview=0.1)


def compressor(*layers, beta=0.1, data=DATA, below=None, predictors=None):
    torch.manual_seed(0)
    fixed = Fixed(below, predictors or {})
    return LayersCompressor(layers, LayersRecipe(layers, beta, crop=16), data, fixed)


def touched(model, network, which=None):
    """Whether a network learns from the loss."""
    model.zero_grad()
    model(*BATCH).loss.backward()
    return any(p.grad is not None and bool(p.grad.abs().sum() > 0) for p in network.parameters())


def test_the_loss_is_what_the_recipe_says():
    model = compressor(layer(task="segmentation", weight=2.0, preview=0.25), layer("b", task="mse", beta=0.5))
    losses = model(*BATCH)
    told = model.logged()
    distortion = 2 * told["base_distortion"] + told["b_distortion"]
    assert losses.distortion.item() == pytest.approx(distortion.item(), rel=1e-5)
    rate = told["base_bits_per_pixel"] + told["b_bits_per_pixel"]
    assert losses.rate_bits.item() == pytest.approx(256 * rate.item(), rel=1e-5)
    price = 0.1 * told["base_bits_per_pixel"] + 0.5 * told["b_bits_per_pixel"] + 0.25 * told["base_preview_mse"]
    assert losses.loss.item() == pytest.approx((distortion + price).item(), rel=1e-5)
    model.price = 0.25  # of the bits alone: previews and tasks count in full
    bits = 0.1 * told["base_bits_per_pixel"] + 0.5 * told["b_bits_per_pixel"]
    torch.manual_seed(3)
    dear = model(*BATCH).loss.item()
    model.price = 0.5
    torch.manual_seed(3)
    assert model(*BATCH).loss.item() - dear == pytest.approx(0.25 * bits.item(), rel=0.05)


def test_no_part_is_slowed_by_how_small_its_gradients_are():
    model = compressor(layer(task="mse"), beta=1e-4)
    model(*BATCH).loss.backward()
    weights = [p for p in model.layers["base"].entropy.parameters() if p.grad is not None and p.grad.any()]
    assert len(weights) > 5
    assert all(p.grad[p.grad != 0].abs().median() > 100 * model.least_gradient for p in weights)


@pytest.mark.parametrize(("preview", "rewarded"), [(0.1, True), (0.0, False)])
def test_a_layer_learns_from_its_preview_only_where_it_is_rewarded(preview, rewarded):
    """At 0 the head learns on latents that know nothing of it, so that previews can be compared."""
    model = compressor(layer(task="none", preview=preview), beta=1e-30)
    assert touched(model, model.layers["base"].g_p)
    grad = max(float(p.grad.abs().max()) for p in model.layers["base"].g_a.parameters())
    assert (grad > 1e-12) == rewarded


@pytest.mark.parametrize("conditional", ["entropy", "synthesis", "both"])
def test_layers_that_are_trained_together_shape_those_below(conditional):
    top = layer("top", given=("base",), conditional=conditional)
    model = compressor(layer(task="none", preview=0.0), top, beta=0.1)
    model.zero_grad()
    model(*BATCH).loss.backward()
    with_top = next(model.layers["base"].g_a.parameters()).grad.clone()
    alone = compressor(layer(task="none", preview=0.0), layer("top"), beta=0.1)
    alone.zero_grad()
    alone(*BATCH).loss.backward()
    assert not torch.allclose(with_top, next(alone.layers["base"].g_a.parameters()).grad)


@pytest.mark.parametrize("means", ["inside", "outside"])
def test_a_finished_layer_stays_as_it_is(means):
    below = compressor(replace(BASE, entropy={**ENTROPY, "means": means})).to_codec({})
    model = compressor(layer("top", given=("base",)), below=below)
    assert not touched(model, model.under["base"])
    assert touched(model, model.layers["top"].g_s)
    codec = model.to_codec({})
    assert [each.name for each in codec.layers] == ["base", "top"]
    x = DATA.pictures[0].pixels
    first, both = below.compress(x), codec.compress(x)
    assert codec.begin(both, "base").symbols["base"].tolist() == below.begin(first).symbols["base"].tolist()
    with torch.no_grad():
        seen = model.eval().seen(batch_of(DATA.pictures[:1]).truth.pictures)["top"]
    assert codec.begin(both).symbols["top"].tolist() == seen.known.symbols.int().tolist()
    assert torch.allclose(torch.from_numpy(codec.pictures.values(codec.begin(both))), seen.decoded[0], atol=1e-5)


@pytest.mark.parametrize(
    ("conditional", "means"),
    [("entropy", "inside"), ("synthesis", "inside"), ("both", "inside"), ("both", "outside"), ("synthesis", "outside")],
)
def test_codecs_do_what_was_trained(conditional, means):
    """Symbols, bits and pictures of the codec are those that training saw."""
    own = {**ENTROPY, "means": means}
    model = compressor(layer("base", entropy=own), layer("top", given=("base",), conditional=conditional, entropy=own))
    codec = model.to_codec({})
    picture = DATA.pictures[1]
    with torch.no_grad():
        seen = model.eval().seen(batch_of([picture]).truth.pictures)
    decoded = codec.begin(codec.compress(picture.pixels))
    for name, own in seen.items():
        assert decoded.symbols[name].tolist() == own.known.symbols.int().tolist()
        values = codec.pictures.values(decoded, name)
        assert torch.allclose(torch.from_numpy(values), own.decoded[0], atol=1e-5)
        found = next(each for each in codec.layers if each.name == name)
        given = [decoded.symbols["base"]] if found.model.given_columns else []
        # Before training some symbols are far from likely: their escapes are shorter than the estimate, or longer.
        bits = found.model.code_length(decoded.symbols[name], given)[0]
        assert 0.7 * own.bits < bits < 1.05 * own.bits
    assert codec.provenance["trained_bits"] == pytest.approx(sum(codec.provenance["layer_bits"].values()))


def test_a_common_layer_and_two_private_ones():
    model = compressor(
        layer("common", task="none", preview=0.0),
        layer("a", task="depth", given=("common",)),
        layer("b", task="segmentation", given=("common",)),
    )
    assert touched(model, model.layers["common"].g_a)
    codec = model.to_codec({})
    packet = codec.compress(DATA.pictures[0].pixels)
    assert codec.pictures.values(codec.begin(packet, "b"), "b").shape == (7, 20, 24)
    assert set(codec.begin(packet, "b").symbols) == {"common", "b"}
    assert codec.pictures.values(codec.begin(packet, "a"), "a").shape == (1, 20, 24)
    assert codec.decompress(packet, "common").shape == (20, 24, 3)


def test_people_see_the_preview_of_a_layer_that_is_for_a_task(tmp_path):
    model, picture = compressor(BASE), DATA.pictures[2]
    model.to_codec({}).save(tmp_path / "x.codec")
    with torch.no_grad():
        preview = model.eval().seen(batch_of([picture]).truth.pictures)["base"].preview[0]
    wanted = (preview.clamp(0, 1) * 255).round().permute(1, 2, 0)
    codec = taskcodec.load_codec(tmp_path / "x.codec")
    found = codec.decompress(codec.compress(picture.pixels))
    assert np.abs(found - wanted.numpy()).max() <= 1
    # A store's copy shows it too.
    assert np.array_equal(codec.for_store("x.codec").decompress(codec.compress(picture.pixels)), found)
    reconstructing = compressor(layer(preview=0.0)).to_codec({})
    assert reconstructing.layers[0].transform.networks.g_p is None


@pytest.mark.parametrize("task", ["mse", "ms_ssim", "classification", "segmentation", "depth"])
def test_every_task_teaches_its_layer(task):
    model = compressor(layer(task=task), beta=1e-30)
    assert touched(model, model.layers["base"].g_a)
    assert torch.isfinite(model(*BATCH).loss)


def test_a_frozen_predictor_reads_a_picture_and_stays_as_it_is():
    torch.manual_seed(0)
    predictor = torch.nn.Sequential(torch.nn.Conv2d(3, 7, 1))
    model = compressor(layer(task="segmentation", predictor="mine"), predictors={"mine": predictor})
    assert touched(model, model.layers["base"].g_a)
    assert all(parameter.grad is None for parameter in predictor.parameters())
    assert model.to_codec({}).layers[0].transform.outputs == 3


@pytest.mark.parametrize(
    ("layers", "data", "says"),
    [
        ([layer(task="depth")], plain(), "layers.base.task: depth needs depth, which these pictures lack"),
        ([layer(task="classification")], plain(), "needs classes"),
        ([layer("top", given=("base",))], DATA, "base is no layer below it; there are: none"),
        ([layer(entropy={"groups": [9]})], DATA, r"layers.base.entropy: groups of 9 channels"),
        ([layer(task="depth", predictor="x")], DATA, "layers.base.predictor: x is not among"),
        (
            [layer(), layer("top", given=("base",), analysis=OTHER_STRIDE)],
            DATA,
            "layers.top.entropy: groups",
        ),
        (
            [
                layer(),
                layer("top", given=("base",), entropy={}, analysis=OTHER_STRIDE),
            ],
            DATA,
            "layers.top.analysis.widths: base, which it is given, has another stride",
        ),
        ([layer(synthesis=NetworkChoice("light_synthesis", {"widths": [4, 4]}))], DATA, "as many as the analysis has"),
    ],
)
def test_what_does_not_go_together_is_named(layers, data, says):
    with pytest.raises(UsageError, match=says):
        compressor(*layers, data=data)


def test_a_name_that_lies_below_is_taken():
    with pytest.raises(UsageError, match="a layer of this name lies below"):
        compressor(BASE, below=compressor(BASE).to_codec({}))
    with pytest.raises(UsageError, match="no analysis of pictures"):
        compressor(layer("top"), below=compressor(BASE).to_codec({}).for_store("x.codec"))


def test_an_analysis_is_informed_by_a_frozen_predictor():
    predictor = SmallSegmenter(7, (8, 8, 16, 16))
    model = compressor(layer(task="segmentation", informed_by="reader"), predictors={"reader": predictor})
    own = model.layers["base"].g_a.told
    assert torch.equal(own.answers.predictor.head.weight, predictor.head.weight)
    assert touched(model, own.layers)
    assert all(weight.grad is None for weight in own.answers.parameters())
    codec = model.to_codec({})
    packet = codec.compress(DATA.pictures[0].pixels)
    assert codec.pictures.values(codec.begin(packet)).shape == (7, 20, 24)
    with pytest.raises(UsageError, match=r"layers.base.informed_by: reader is not among"):
        compressor(layer(task="segmentation", informed_by="reader"))
