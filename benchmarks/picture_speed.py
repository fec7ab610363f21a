"""Milliseconds of one core that decoding a picture takes, its base alone too, and CompressAI's model of like size.

    OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 python benchmarks/picture_speed.py [-o FILE.json]

A base and a picture on top of it, each ELIC of 64/96 channels without attention, and in the same run CompressAI's ELIC
of as many channels and groups; where it is not installed that row is left out. Weights are random, so wide that latents
spread over many symbols. Times are processor seconds, the least of some; bytes are those that are read of a store.
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from stamp import stamp

import taskcodec
from taskcodec import Codec
from taskcodec.entropy_models.spatial import SpatialEntropy, SpatialOptions
from taskcodec.layer import Layer
from taskcodec.quantization.uniform import UniformQuantizer
from taskcodec.store.backend import open_blobs
from taskcodec.transforms.networks.build import make, pack
from taskcodec.transforms.networks.carried import Networks
from taskcodec.transforms.picture import PictureTransform

WIDTH, LATENT, GROUPS = 64, 96, (4, 4, 8, 16, 64)
SIZES = {"widths": [WIDTH] * 3, "latent": LATENT, "blocks": 3, "narrow": 2, "attention": False}
SPREAD = 4.0
"""Standard deviation of a latent, in steps."""


def layer(name, x, given=()):
    """A layer with random weights, in steps of its own latent's spread."""
    seen = {**SIZES, "given": [LATENT] * len(given)} if given else SIZES
    g_a, g_s = make("elic", SIZES), make("elic_synthesis", seen)
    own = PictureTransform(Networks(pack("elic", SIZES, g_a), pack("elic_synthesis", seen, g_s)), LATENT, 16)
    step = float(own.analyse(x).std()) / SPREAD
    options = SpatialOptions(side=32, hyper=WIDTH, context=WIDTH, groups=GROUPS)
    model = SpatialEntropy(LATENT, options, (LATENT,) * len(given)).freeze()
    quantizer = UniformQuantizer.unshifted(step, 0.5, None, LATENT)
    return Layer(name, own, quantizer, model, np.empty((0, LATENT), np.float32), given)


def least(call, repeats):
    call()
    taken = []
    for _ in range(repeats):
        begun = time.process_time()
        call()
        taken.append(1000 * (time.process_time() - begun))
    return min(taken)


def ours(pixels, repeats):
    x = np.moveaxis(pixels, 2, 0)[None].astype(np.float32) / np.float32(255)
    torch.manual_seed(0)
    codec = Codec("pictures", (layer("base", x), layer("picture", x, ("base",))))
    packet, rows = codec.compress(pixels), []
    with tempfile.TemporaryDirectory() as folder:
        Image.fromarray(pixels).save(Path(folder) / "picture.png")
        codec.save(f"{folder}/p.codec")
        taskcodec.encode(str(folder), f"{folder}/s.tcz", codec=f"{folder}/p.codec")
        for upto in ("base", "picture"):
            store = taskcodec.open(f"{folder}/s.tcz")
            found = store.layer(upto)
            rows.append(
                {
                    "decoder": f"taskcodec, up to {upto}",
                    "decode_ms": least(lambda upto=upto: codec.decompress(packet, upto), repeats),
                    "symbols_ms": least(lambda upto=upto: codec.begin(packet, upto), repeats),
                    "bytes_read": read_bytes(store, found),
                }
            )
    return rows


def read_bytes(store, found):
    """What reading one picture asks of the store's files, with what says where it lies."""
    blobs, sizes = open_blobs(store.place), []
    get, get_range = type(blobs).get, type(blobs).get_range

    def counted(call):
        def counting(*arguments):
            data = call(*arguments)
            sizes.append(0 if data is None else len(data))
            return data

        return counting

    type(blobs).get, type(blobs).get_range = counted(get), counted(get_range)
    try:
        found.decoded(0)
    finally:
        type(blobs).get, type(blobs).get_range = get, get_range
    return sum(sizes)


def compressai(pixels, repeats):
    try:
        from compressai.models.sensetime import Elic2022Official
    except ImportError as error:
        print(f"without CompressAI: {error}", file=sys.stderr)
        return []
    torch.manual_seed(0)
    model = Elic2022Official(N=WIDTH, M=LATENT, groups=list(GROUPS)).eval()
    x = torch.from_numpy(np.moveaxis(pixels, 2, 0)[None].astype(np.float32) / 255)
    with torch.no_grad():
        gain = SPREAD / model.g_a(x).std()
        last = [module for module in model.g_a.modules() if isinstance(module, torch.nn.Conv2d)][-1]
        last.weight *= gain
        last.bias *= gain
        model.update(force=True)
        coded = model.compress(x)
        call = lambda: model.decompress(**{key: coded[key] for key in ("strings", "shape")})  # noqa: E731
        return [{"decoder": f"CompressAI ELIC {WIDTH}/{LATENT}", "decode_ms": least(call, repeats)}]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, default=Path(__file__).parent / "results/picture_speed.json")
    parser.add_argument("--pixels", type=int, default=256)
    parser.add_argument("--repeats", type=int, default=10)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rows, columns = np.mgrid[: arguments.pixels, : arguments.pixels] / 16
    waves = np.stack([np.sin(rows * a + columns * b) for a, b in ((0.5, 1.1), (1.7, -0.4), (0.2, 0.9))], axis=2)
    noise = np.random.default_rng(0).normal(0, 8, waves.shape)
    pixels = (waves * 90 + 128 + noise).clip(0, 255).astype(np.uint8)
    found = [*ours(pixels, arguments.repeats), *compressai(pixels, arguments.repeats)]
    for row in found:
        print(json.dumps(row), flush=True)
    record = {"stamp": stamp("numpy", "torch", "constriction", seed=0), "pixels": arguments.pixels, "rows": found}
    arguments.output.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
