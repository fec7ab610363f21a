"""Multiplications of integer networks, counted by hand."""

import pytest

pytest.importorskip("torch")

from taskcodec.coding.models.spatial.cost import macs_per_place
from taskcodec.entropy_models.spatial import SpatialEntropy, SpatialOptions

HYPER = 9 * 3 * 4 * 5 / 16 + 9 * 5 * 4 * 5 / 4 + 9 * 5 * 5  # 3 channels of z at a 16th of the places, then 5
FIRST = 5 * 7 + 7 * 7 + 7 * 2 * 2  # mix, and two layers of 1 x 1, of 2 channels
SECOND = 25 * 2 * 7 + (5 + 7) * 7 + 7 * 7 + 7 * 2 * 4


@pytest.mark.parametrize(
    ("changes", "given", "macs"),
    [
        ({"checkerboard": False}, (), HYPER + FIRST + SECOND),
        ({}, (), HYPER + FIRST + SECOND + 12 * 7 * (2 + 4) / 2),  # only every second place has neighbours
        ({"checkerboard": False, "means": "outside"}, (), HYPER + FIRST + SECOND - 7 * (2 + 4)),
        ({"checkerboard": False}, (6,), HYPER + FIRST + SECOND + 25 * 6 * 5 + 2 * 5 * 7),
    ],
)
def test_each_place_costs_its_share(changes, given, macs):
    options = SpatialOptions(side=3, hyper=5, context=7, groups=(2, 4), **changes)
    assert macs_per_place(SpatialEntropy(6, options, given).freeze()) == macs
