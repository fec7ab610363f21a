"""Packets of overfitted pictures: what is searched for lowers what it is to lower, and is the same each time."""

import numpy as np
import pytest

pytest.importorskip("torch")

from taskcodec.errors import UsageError
from taskcodec.stack.cost import decoding_cost
from taskcodec.symbol_choice.pictures.overfitted.levels import STEPS
from tests.overfitted import overfitted
from tests.pictured import SIZES, picture


def error(codec, packet, x):
    return np.square(codec.decompress(packet).astype(float) - x).mean()


@pytest.fixture(autouse=True)
def short(monkeypatch):
    for effort in STEPS:
        monkeypatch.setitem(STEPS, effort, 5 * effort)


def test_pictures_come_back_nearer_with_more_effort():
    codec, x = overfitted(), picture(24, 33)
    packets = [codec.compress(x, effort) for effort in (1, 9)]
    assert error(codec, packets[1], x) < error(codec, packets[0], x)
    assert codec.compress(x) == packets[0]


@pytest.mark.parametrize("size", SIZES)
def test_any_size(size):
    codec, x = overfitted(), picture(*size)
    packet = codec.compress(x)
    assert codec.decompress(packet).shape == x.shape
    found = codec.begin(packet)
    assert codec.pictures.bitstreams(size, found.symbols)[0] in packet
    assert codec.pictures.code_length(found.symbols, size)["picture"] == pytest.approx(8 * len(packet), abs=64)


def test_bits_that_are_dear_are_few():
    x = picture(24, 33)
    cheap, dear = (len(overfitted(beta=beta).compress(x, 9)) for beta in (1e-4, 1.0))
    assert dear < cheap


def test_without_a_search_nothing_is_encoded():
    with pytest.raises(UsageError, match="overfitted"):
        overfitted().pictures.encode(picture(4, 4))
    with pytest.raises(UsageError, match="names no predictor for depth"):
        overfitted("depth").compress(picture(4, 4))
    with pytest.raises(UsageError, match="what an error costs"):
        overfitted("depth", predictor="osd_depth", error="much").compress(picture(4, 4))


def test_a_predictor_says_what_is_kept():
    codec, x = overfitted("depth", predictor="osd_depth", error=0.5, beta=1e-5), picture(32, 48)
    assert codec.decompress(codec.compress(x)).shape == x.shape


def test_its_cost_is_that_of_its_plan():
    codec = overfitted()
    found, plan = decoding_cost(codec.layers), codec.base.transform.plan
    assert (found.synthesis, found.entropy) == (plan.synthesis_macs, plan.context_macs)
