"""Tables of overfitted pictures out of integer arithmetic only, and symbols of pictures, for golden files."""

import numpy as np

from taskcodec.codec import Codec
from taskcodec.coding.models.overfitted.model import OverfittedTables
from taskcodec.coding.models.overfitted.plan import HEAD, Plan
from taskcodec.coding.picture import encode_layer, join_picture
from taskcodec.layer import Layer
from taskcodec.quantization.whole import WholeNumbers
from taskcodec.transforms.overfitted.transform import OverfittedTransform

PLAN, SCALES = Plan(levels=4, width=3, context=5), 9
SIZES = ((1, 1), (13, 30), (40, 22))
PROVENANCE = {"trained": [{"layers": {"picture": {"task": "mse"}}, "beta": 0.001}]}


def golden_overfitted(symbols, tables):
    """From the sequences of `make_golden`: weights up to about 1, the bank in order of its widths."""
    start = symbols(1, PLAN.weights, 81)[0].astype(np.int64) % 5000 - 2500
    return OverfittedTables(tables(1 + 3 * SCALES), PLAN, start, SCALES)


def golden_overfitted_symbols(symbols, size):
    """(1, 1, symbols, 1) of a picture of this size, some of them escaped."""
    head = np.arange(HEAD) % (SCALES - 1)
    changes = symbols(1, PLAN.weights, 82)[0] % 7 - 3
    latents = symbols(1, PLAN.symbols(size) - HEAD - PLAN.weights, 83)[0]
    return np.concatenate([head, changes, latents]).astype(np.int32).reshape(1, 1, -1, 1)


def golden_overfitted_codec(symbols, tables):
    """One layer of it."""
    empty = np.empty((0, 1), np.float32)
    own = Layer("picture", OverfittedTransform(PLAN), WholeNumbers(1), golden_overfitted(symbols, tables), empty)
    return Codec("pictures", (own,), provenance=PROVENANCE)


def golden_overfitted_packet(codec, symbols, size):
    """The packet of a picture."""
    found = golden_overfitted_symbols(symbols, size)
    return join_picture(size, [encode_layer(found, codec.base.model, (), size)])
