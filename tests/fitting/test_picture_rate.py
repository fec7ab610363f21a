"""A codec of pictures at other rates, without training."""

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("torch")

from taskcodec.entropy_models.over_space.outside_means import OutsideMeans
from taskcodec.errors import UsageError
from taskcodec.fitting.picture_rate import at_rates, at_steps
from taskcodec.stack.outside import packed_means
from tests.pictured import BASE, alone, over_space, picture

PICTURES = [picture(40, 24, seed) for seed in range(3)]
CODEC = over_space()


def bits_of(codec):
    """Of each layer of an item in a store, in the mean."""
    sizes = [[8 * len(item) for item in codec.pictures.items(pixels)] for pixels in PICTURES]
    return dict(zip(("base", "detail"), np.mean(sizes, axis=0), strict=True))


def test_layers_take_the_bits_asked_for():
    own = bits_of(CODEC)
    for base, detail in ((0.6, 0.6), (1.4, 1), (1, 2)):
        asked = {"base": base * own["base"], "detail": detail * own["detail"]}
        found = bits_of(at_rates(CODEC, PICTURES, asked))
        assert found["base"] == pytest.approx(asked["base"], rel=0.04)
        assert found["detail"] == pytest.approx(asked["detail"], rel=0.04)


def test_a_layer_that_is_not_named_keeps_its_step_and_sees_the_one_below_in_its_own():
    found = at_rates(CODEC, PICTURES, {"base": 0.7 * bits_of(CODEC)["base"]})
    factor = found.base.quantizer.step / CODEC.base.quantizer.step
    assert factor > 1
    assert found.layers[1].quantizer.step == CODEC.layers[1].quantizer.step
    assert found.layers[1].model.below.layers[0].shift > CODEC.layers[1].model.below.layers[0].shift
    assert at_steps(CODEC, {"base": factor}).layers[1].model.to_bytes() == found.layers[1].model.to_bytes()


def test_packets_come_back_in_the_steps_they_were_coded_in():
    coarse = at_steps(CODEC, {"base": 2.0, "detail": 3.0})
    packet = coarse.compress(PICTURES[0])
    for layer in ("base", "detail"):
        assert coarse.decompress(packet, upto=layer).shape == PICTURES[0].shape
    symbols = coarse.begin(packet).symbols
    latent = CODEC.base.transform.analyse(np.moveaxis(PICTURES[0], 2, 0)[None] / np.float32(255))
    assert np.abs(coarse.pictures.latent(coarse.base, symbols) - latent).max() <= coarse.base.quantizer.step * 0.501
    assert len(packet) < len(CODEC.compress(PICTURES[0]))
    assert coarse.provenance["steps"] == {"base": 2.0, "detail": 3.0}


def test_what_cannot_be_had_is_told():
    with pytest.raises(UsageError, match="top is no layer of this codec: base, detail"):
        at_rates(CODEC, PICTURES, {"top": 9})
    with pytest.raises(UsageError, match=r"--bits base=9: the least that this codec reaches here is \d+ bits"):
        at_rates(CODEC, PICTURES, {"base": 9})
    with pytest.raises(UsageError, match=r"--bits detail=1e\+09: the most that this codec reaches"):
        at_rates(CODEC, PICTURES, {"detail": 1e9})
    with pytest.raises(UsageError, match="tables that follow from no network"):
        at_steps(alone(), {"base": 2.0})
    means = {"groups": [BASE], "width": 2, "checkerboard": False, "given": []}
    network = packed_means(OutsideMeans([BASE], 2, checkerboard=False), means)
    networks = replace(CODEC.base.transform.networks, means=network)
    outside = replace(CODEC.base, transform=replace(CODEC.base.transform, networks=networks))
    with pytest.raises(UsageError, match="means from outside its coder"):
        at_steps(replace(CODEC, layers=(outside,)), {"base": 2.0})
