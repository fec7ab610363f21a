"""Codecs of pictures, made by hand: tiny networks with drawn weights, a base, and an enhancement conditioned on it."""

import numpy as np
import torch

from taskcodec.codec import Codec
from taskcodec.coding import tables_from_symbols
from taskcodec.entropy_models.spatial import SpatialEntropy, SpatialOptions
from taskcodec.layer import Layer
from taskcodec.quantization.uniform import UniformQuantizer
from taskcodec.transforms.networks.build import make, pack
from taskcodec.transforms.networks.carried import Networks
from taskcodec.transforms.picture import PictureTransform
from tests.layered import conditional_on

STRIDE, BASE, DETAIL = 4, 3, 5
SIZES = ((1, 1), (1, 9), (3, 4), (4, 4), (5, 17), (33, 20))


def picture(height, width, seed=0):
    """(H, W, 3) uint8: smooth, with some noise."""
    rng = np.random.default_rng([seed, height, width])
    rows, columns = np.mgrid[:height, :width] / 16
    waves = [np.sin(rows * a + columns * b) for a, b in rng.uniform(-2, 2, (3, 2))]
    return (np.stack(waves, axis=2) * 90 + 128 + rng.normal(0, 6, (height, width, 3))).clip(0, 255).astype(np.uint8)


def transform(columns, given=(), seed=0, outputs=3):
    torch.manual_seed(seed)
    own = {"widths": [4], "latent": columns, "blocks": 1}
    sizes = {**own, **({"given": list(given)} if given else {}), **({"outputs": outputs} if outputs != 3 else {})}
    g_a, g_s = make("light", own), make("light_synthesis", sizes)
    return PictureTransform(Networks(pack("light", own, g_a), pack("light_synthesis", sizes, g_s)), columns, STRIDE)


def layer(name, own, step, model, given=()):
    quantizer = UniformQuantizer.unshifted(step, 0.5, None, own.columns)
    return Layer(name, own, quantizer, model, np.empty((0, own.columns), "f4"), given)


def tables(own, step):
    """Those of the symbols of one picture."""
    x = np.moveaxis(picture(64, 64, seed=9), 2, 0)[None] / np.float32(255)
    latent = own.analyse(x)
    return tables_from_symbols(np.moveaxis(np.rint(latent / step).astype(np.int32)[0], 0, -1).reshape(-1, own.columns))


def alone(outputs=3):
    """A codec of one layer, which gives a picture or so many channels of answers."""
    own = transform(BASE, outputs=outputs)
    return Codec("pictures", (layer("base", own, 0.02, tables(own, 0.02)),))


def layered():
    """A base and an enhancement whose model and synthesis look at it."""
    own = transform(DETAIL, given=(BASE,), seed=1)
    detail = layer("detail", own, 0.01, conditional_on(DETAIL, BASE), given=("base",))
    return Codec("pictures", (*alone().layers, detail))


def over_space():
    """The same with tables over space, of networks as they are before training: their steps can be chosen."""
    sizes = SpatialOptions(side=2, hyper=4, context=4, levels=40, phases=2)
    layers = list[Layer]()
    for name, columns, below in (("base", BASE, ()), ("detail", DETAIL, (BASE,))):
        own = transform(columns, below, seed=len(layers))
        step = float(own.analyse(np.moveaxis(picture(64, 64, seed=9), 2, 0)[None] / np.float32(255)).std())
        model = SpatialEntropy(columns, sizes, below).freeze()
        layers.append(layer(name, own, step, model, tuple(each.name for each in layers)))
    return Codec("pictures", tuple(layers))
