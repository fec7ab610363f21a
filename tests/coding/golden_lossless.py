"""Lossless codecs of each kind of model, stores of them, and the values in these: all from integers."""

import numpy as np

from taskcodec.fitting.lossless.fit import codec_of
from taskcodec.store import StoreWriter
from taskcodec.transforms.values.pixels import PixelValues
from tests.coding.make_golden import golden_records, golden_symbols
from tests.context_models import context_model
from tests.latent_trees import TREE, tree_of
from tests.variational import autoencoder

PICTURES = {"tree": PixelValues((2, 2, 2)), "context": PixelValues((4, 3), 16), "vae": PixelValues((5, 3, 2))}
MODELS = {"tree": lambda shape: tree_of(TREE), "context": context_model, "vae": autoencoder}


def golden_lossless(name):
    """(codec, (40, ...) values)."""
    transform = PICTURES[name]
    codec = codec_of(MODELS[name](transform.byte_shape), transform, {"made by": "tests/coding/make_golden.py"})
    values = np.abs(golden_symbols(40, transform.dimension, 60).astype(np.int64)) % (1 << transform.depth)
    return codec, values.reshape(40, *transform.shape).astype(transform.dtype)


def write_lossless(place, name):
    """A store of them, in chunks of 16."""
    codec, values = golden_lossless(name)
    with StoreWriter.create(place, codec, chunk_rows=16, source={"kind": "golden"}) as writer:
        writer.append(codec.encode(values), golden_records(40))
        writer.finish()
