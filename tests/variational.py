"""Variational autoencoders whose numbers come from integers alone."""

import numpy as np

from taskcodec.coding import Tables
from taskcodec.coding.models.latent.variational import Level, VariationalAutoencoder
from taskcodec.coding.models.spatial.convolution import Convolution, Stack
from tests.coding.make_golden import golden_symbols
from tests.context_models import context_model


def autoencoder(shape, levels=((1, 2), (1, 1))):
    """One with so many halvings and latents of a place at each level, the lowest first."""
    mixture = context_model((1, 1, 1))._mixture
    below, told, found = shape[2], shape[2] * len(mixture.tables), []
    for seed, (halvings, own) in enumerate(levels, 20):
        up = [_convolution(4 if at else below, 4, 3, seed, stride=2) for at in range(halvings)]
        down = [_convolution(4, 4, 3, seed + 10, grow=2) for _ in range(halvings)]
        found.append(
            Level(
                Stack(255, 4000, (*up, _convolution(4 if halvings else below, 2 * own, 1, seed + 30))),
                Stack(255, 4000, (_convolution(own, 4, 3, seed + 20), *down, _convolution(4, told, 1, seed + 40))),
            )
        )
        below, told = own, 2 * own
    halvings = sum(count for count, _ in levels)
    places = -(-shape[0] // 2**halvings) * -(-shape[1] // 2**halvings)
    top = golden_symbols(places, told, 9).astype(np.int64) % 5
    return VariationalAutoencoder(shape, tuple(found), mixture, _bank(4), top, growth=50)


def _convolution(inputs, outputs, kernel, seed, *, stride=1, grow=1):
    outputs *= grow**2
    values = golden_symbols(1, outputs * (kernel**2 * inputs + 1), seed)[0].astype(np.int64) % 23 - 11
    weights = values[outputs:].reshape(outputs, kernel, kernel, inputs)
    return Convolution(weights, 40 * values[:outputs], 3 if kernel == 3 else 13, stride, grow)


def _bank(scales):
    """Bells of integers, narrow and wide."""
    first, sizes, counts = [], [], []
    for scale in range(scales):
        reach = 12 << scale
        bell = (reach - np.abs(np.arange(-reach, reach + 1))) ** 4
        own = 1 + bell * (65535 - bell.size) // bell.sum()
        own[reach] += 65535 - own.sum()
        first.append(-reach)
        sizes.append(own.size)
        counts += [*own.tolist(), 1]
    return Tables(np.array(first, np.int32), np.array(sizes, np.int32), np.array(counts, np.uint32))
