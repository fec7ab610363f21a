"""Spatial tables out of integer arithmetic only, for the golden bitstreams."""

import numpy as np

from taskcodec.coding import SpatialTables
from taskcodec.coding.models.spatial.convolution import Convolution, Stack
from taskcodec.coding.models.spatial.group import Checkerboard, SpatialGroup

LEVELS, PHASES, SIDE, REACH, CAP = 5, 4, 3, 20, 300


def golden_spatial(symbols, tables):
    """Groups of 2 and 4 channels on a checkerboard, on a layer below of 2; from the sequences of `make_golden`."""

    def integers(*shape):
        nonlocal seed
        seed += 1
        return symbols(1, int(np.prod(shape)), seed)[0].astype(np.int64).reshape(shape) % 23 - 11

    def convolution(inputs, outputs, k=3, shift=4, stride=1, grow=1):
        wide = outputs * grow**2
        return Convolution(integers(wide, k, k, inputs), 9 * integers(wide), shift, stride, grow)

    def group(columns, before):
        first = Stack(REACH, CAP, (convolution(before, 4, 5),)) if before else None
        mix = convolution(9 + 4 * bool(before), 6, 1, 2)
        taps = Checkerboard(2 * integers(6, 12, columns), 9 * integers(6), REACH)
        return SpatialGroup(
            columns, first, mix, taps, (convolution(6, 5, 1, 3), convolution(5, 2 * columns, 1, 8)), CAP
        )

    seed = 70
    side = Stack(REACH, CAP, (convolution(6, 4), convolution(4, 4, 3, 5, 2), convolution(4, SIDE, 5, 6, 2)))
    hyper = Stack(REACH, CAP, (convolution(SIDE, 4, 3, 2, 1, 2), convolution(4, 5, 3, 4, 1, 2)))
    below = Stack(REACH, CAP, (convolution(2, 4, 3, 2),))
    return SpatialTables(tables(SIDE + LEVELS * PHASES), side, hyper, (group(2, 0), group(4, 2)), LEVELS, PHASES, below)
