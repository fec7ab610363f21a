"""A model of contexts whose numbers come from integers alone."""

import numpy as np

from taskcodec.coding import IntegerNetwork, Linear
from taskcodec.coding.models.context.model import ContextModel
from taskcodec.coding.models.context.neighbours import Neighbours
from tests.coding.make_golden import golden_symbols


def context_model(shape, components=5):
    """One whose numbers are integers of a congruential sequence."""
    near = Neighbours(shape, 2)
    i, width = near.inputs, 6
    values = golden_symbols(1, width * i + width + components * (width + i + 1), 4)[0].astype(np.int64) % 23 - 11
    a, b, c = width * i, width * i + width, len(values) - components
    hidden = Linear(values[:a].reshape(width, i), 40 * values[a:b], 3)
    network = IntegerNetwork(i, 255, 4000, (hidden,), Linear(values[b:c].reshape(components, -1), values[c:], 6))
    tables = np.abs(golden_symbols(components, 256, 5).astype(np.int64)) % 50 * (np.arange(256) % 3 > 0)
    tables[0] += 1
    tables = tables * 60000 // tables.sum(axis=1, keepdims=True)
    tables[0] = np.maximum(tables[0], 1)
    tables[:, 7] += 65536 - tables.sum(axis=1)
    return ContextModel(near, network, np.array([1 << 20, 1 << 18, 5000, 12, 0]), tables)
