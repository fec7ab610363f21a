"""A codec of pictures out of integer arithmetic only, and symbols of pictures of several sizes, for golden files.

Base: plain tables. Detail: spatial tables and a synthesis that look at the base. Other: a synthesis alone that does.
"""

from dataclasses import replace

import numpy as np

from taskcodec.codec import Codec
from taskcodec.coding.picture import join_picture, write_size
from taskcodec.layer import Layer
from taskcodec.quantization.uniform import UniformQuantizer
from taskcodec.store import StoreWriter
from taskcodec.transforms.networks.carried import Network, Networks
from taskcodec.transforms.picture import PictureTransform
from tests.coding.golden_spatial import golden_spatial

SIZES = ((1, 1), (16, 16), (13, 30), (7, 65), (40, 22))
STRIDE = 4
COLUMNS = {"base": 2, "detail": 6, "other": 3}


def network(name, latent, given, symbols, seed):
    """Networks of one step more than the least, 2 channels wide, whose weights are 32nds."""
    inner = {"enter": (2, 2, 1, 1), "look": (2, 2, 3, 3), "leave": (2, 2, 1, 1)}
    if name == "light":
        first, last, outputs = (2, 3, 5, 5), (latent, 2, 5, 5), latent
    else:
        first, last, outputs = (latent + sum(given), 2, 5, 5), (2, 3, 5, 5), 3
    shapes = {"layers.0.weight": first, "layers.0.bias": (2,)}
    for part, shape in inner.items():
        shapes |= {f"layers.1.{part}.weight": shape, f"layers.1.{part}.bias": (2,)}
    shapes |= {"layers.2.weight": last, "layers.2.bias": (outputs,)}
    weights = {}
    for number, (key, shape) in enumerate(shapes.items()):
        values = symbols(1, int(np.prod(shape)), 100 * seed + number)[0].astype(np.int64) % 15 - 7
        weights[key] = (values / 32).astype(np.float32).reshape(shape)
    sizes = {"widths": [2], "latent": latent, "blocks": 1, **({"given": list(given)} if given else {})}
    return Network(name, sizes, weights)


def golden_picture_codec(symbols, tables):
    """From the sequences of `make_golden`."""
    layers = []
    for place, (name, columns) in enumerate(COLUMNS.items()):
        given = () if name == "base" else ("base",)
        seen = [COLUMNS[below] for below in given]
        g_a = network("light", columns, (), symbols, 2 * place + 1)
        g_s = network("light_synthesis", columns, seen, symbols, 2 * place + 2)
        model = golden_spatial(symbols, tables) if name == "detail" else tables(columns)
        quantizer = UniformQuantizer.unshifted(2.0**-place, 0.5, None, columns)
        transform = PictureTransform(Networks(g_a, g_s), columns, STRIDE)
        layers.append(Layer(name, transform, quantizer, model, np.empty((0, columns), np.float32), given))
    return Codec("pictures", tuple(layers), provenance={"made by": "tests/coding/make_golden.py"})


def golden_preview_codec(symbols, tables):
    """The base alone, which is for a task, with a synthesis that shows it to people."""
    (base, *_), columns = golden_picture_codec(symbols, tables).layers, COLUMNS["base"]
    g_p = network("light_synthesis", columns, (), symbols, 9)
    transform = replace(base.transform, networks=replace(base.transform.networks, g_p=g_p))
    provenance = {"made by": "tests/coding/make_golden.py"}
    return Codec("pictures", (replace(base, transform=transform),), provenance=provenance)


def blocks(outputs, symbols, seed):
    """A sum of blocks between the base's channels and three colours, as part of a network; its weights are 32nds."""
    shape = (COLUMNS["base"], 3, 6, 6)
    weight = (symbols(1, int(np.prod(shape)), seed)[0].astype(np.int64) % 15 - 7) / np.float32(32)
    bias, gain = np.zeros((outputs, 1, 1), np.float32), np.full(1, 0.5, np.float32)
    return {"linear.map.weight": weight.reshape(shape).astype("f4"), "linear.bias": bias, "linear.gain": gain}


def golden_blocks_codec(symbols, tables):
    """The base alone, of blocks that overlap, with a second synthesis that reads a channel of noise."""
    (base, *_), columns = golden_picture_codec(symbols, tables).layers, COLUMNS["base"]
    deep = base.transform.networks.g_a
    own = {f"deep.{key}": value for key, value in deep.weights.items()}
    g_a = Network("blocks", {**deep.sizes, "kernel": 6}, {**own, **blocks(columns, symbols, 901)})
    sizes = {"latent": columns, "stride": STRIDE, "kernel": 6}
    g_s = Network("blocks_synthesis", sizes, blocks(3, symbols, 902))
    g_r = network("light_synthesis", columns, (1,), symbols, 11)
    networks = replace(base.transform.networks, g_a=g_a, g_s=g_s, g_r=g_r)
    provenance = {"made by": "tests/coding/make_golden.py"}
    return Codec("pictures", (replace(base, transform=replace(base.transform, networks=networks)),), None, provenance)


def golden_grain_codec(symbols, tables):
    """The base alone, with grain that reads a channel of noise at each place of each step."""
    (base, *_), columns = golden_picture_codec(symbols, tables).layers, COLUMNS["base"]
    given = 2 * 2 + 4 * 4
    shapes = {"steps.0": (columns, 2, 5, 5), "steps.3": (2, 2, 5, 5), "leave": (3, 2, 3, 3)}
    for step in (1, 4):
        shapes |= {f"steps.{step}.enter": (2, 3, 1, 1), f"steps.{step}.look": (2, 2, 3, 3)}
        shapes |= {f"steps.{step}.leave": (2, 2, 1, 1)}
    shapes |= {f"steps.2.{part}": (2, 2, side, side) for part, side in (("enter", 1), ("look", 3), ("leave", 1))}
    weights = {}
    for number, (key, shape) in enumerate(shapes.items()):
        values = symbols(1, int(np.prod(shape)), 1300 + number)[0].astype(np.int64) % 15 - 7
        weights[f"{key}.weight"] = (values / 32).astype(np.float32).reshape(shape)
        weights[f"{key}.bias"] = np.zeros(shape[0] if key == "leave" else 2, np.float32)
    sizes = {"widths": [2], "latent": columns, "blocks": 1, "narrow": 1, "tail": 2, "noise": 1, "grains": 1}
    grain = Network("grain", {**sizes, "given": [given]}, weights)
    networks = replace(base.transform.networks, grain=grain)
    provenance = {"made by": "tests/coding/make_golden.py"}
    return Codec("pictures", (replace(base, transform=replace(base.transform, networks=networks)),), None, provenance)


def golden_picture_symbols(symbols, number):
    """(1, c, h, w) of each layer, of the picture of this number."""
    places = [-(-side // STRIDE) for side in SIZES[number]]
    return {
        name: symbols(columns, places[0] * places[1], 40 + 3 * number + place).reshape(1, columns, *places)
        for place, (name, columns) in enumerate(COLUMNS.items())
    }


def golden_picture_packet(codec, symbols, number):
    return join_picture(
        SIZES[number], codec.pictures.bitstreams(SIZES[number], golden_picture_symbols(symbols, number))
    )


def write_pictures(place, codec, symbols, records):
    """A store of them, in chunks of 2."""
    rows = np.empty((len(SIZES), len(codec.layers)), object)
    for number, size in enumerate(SIZES):
        found = codec.pictures.bitstreams(size, golden_picture_symbols(symbols, number))
        rows[number] = [write_size(size) + data for data in found]
    with StoreWriter.create(place, codec.for_store("codec"), chunk_rows=2, source={"kind": "golden"}) as writer:
        writer.append(rows, records(len(SIZES)))
        writer.finish()
