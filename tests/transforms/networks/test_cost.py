"""The published costs of decoders' syntheses, in thousand multiplications a pixel, tell whether ours are theirs."""

import pytest

pytest.importorskip("torch")

from taskcodec.transforms.networks.cost import macs_per_pixel

CASES = [
    ("elic_synthesis", {}, 255),
    ("elic_synthesis", {"widths": [96] * 3, "latent": 128, "attention": False}, 51),
    ("elic_synthesis", {"widths": [64] * 3, "latent": 96, "attention": False}, 23),
    ("light_synthesis", {}, 38),
    ("blocks_synthesis", {"latent": 320, "kernel": 18}, 1.2),  # the JPEG-like synthesis of Yang and Mandt
]


@pytest.mark.parametrize(("name", "sizes", "thousands"), CASES)
def test_syntheses_cost_what_was_published(name, sizes, thousands):
    assert macs_per_pixel(name, sizes) / 1000 == pytest.approx(thousands, abs=0.6)


def test_an_analysis_costs_what_its_mirror_does():
    assert macs_per_pixel("elic", {}) == macs_per_pixel("elic_synthesis", {})


def test_what_lies_below_costs_its_share_of_the_first_step():
    own, with_below = macs_per_pixel("light_synthesis", {}), macs_per_pixel("light_synthesis", {"given": [64]})
    assert with_below - own == 25 * 64 * 192 / 256
