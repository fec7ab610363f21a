"""Milliseconds of one core that the entropy coding of a 256-pixel picture's latent takes, 16 x 16 places.

    OPENBLAS_NUM_THREADS=1 python benchmarks/spatial_speed.py [-o benchmarks/results/spatial_speed.json]

Weights are random, so wide that scales and means spread as in trained models; symbols are drawn from the tables:
random words are decoded to them. Times are processor seconds, the least of many.
"""

import argparse
import json
import time
from pathlib import Path

import constriction
import numpy as np
import torch
from stamp import stamp

from taskcodec.entropy_models.spatial import SpatialEntropy, SpatialOptions

PLACES = 16
REPEATS = 30
SPREAD = 80.0
MODELS = {
    "192 channels, networks of 96": (192, SpatialOptions()),
    "192 channels, networks of 64": (192, SpatialOptions(side=32, hyper=64, context=64)),
    "96 channels, networks of 64": (96, SpatialOptions(side=32, hyper=64, context=64)),
    "192 channels, networks of 96, six groups": (192, SpatialOptions(groups=(8, 8, 16, 32, 64, 64))),
    "192 channels, networks of 96, one pass": (192, SpatialOptions(groups=(192,), checkerboard=False)),
}


def least(call):
    call()
    taken = []
    for _ in range(REPEATS):
        begun = time.process_time()
        call()
        taken.append(time.process_time() - begun)
    return 1000 * min(taken)


def measured(channels, options):
    torch.manual_seed(0)
    model = SpatialEntropy(channels, options)
    with torch.no_grad():
        for group in model.groups:
            group.rest[-1].weight *= SPREAD
    tables, rng = model.freeze(), np.random.default_rng(0)
    shape = (1, channels, PLACES, PLACES)
    noise = rng.integers(1, 2**32, 1 << 16, dtype=np.uint32)
    symbols = tables.pop(constriction.stream.stack.AnsCoder(noise), shape)

    def push():
        coder = constriction.stream.stack.AnsCoder()
        tables.push(coder, symbols)
        return coder.get_compressed()

    words = push()
    assert np.array_equal(tables.pop(constriction.stream.stack.AnsCoder(words), shape), symbols)
    passes = [table for _, _, table, _ in tables._residuals(symbols, ())[1]]
    y = np.ascontiguousarray(np.moveaxis(symbols, 1, 3))
    z = tables.side_of(symbols)
    return {
        "decode_ms": least(lambda: tables.pop(constriction.stream.stack.AnsCoder(words), shape)),
        "networks_ms": least(lambda: list(tables._passes(y, z, ()))),
        "encode_ms": least(push),
        "symbols": symbols.size,
        "bytes": 4 * len(words),
        "passes": 1 + len(passes),
        "runs": tables.side.outputs + sum(len(np.unique(table)) for table in passes),
        "model_bytes": len(tables.to_bytes()),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, default=Path(__file__).parent / "results/spatial_speed.json")
    output = parser.parse_args().output
    torch.set_num_threads(1)
    rows = []
    for name, (channels, options) in MODELS.items():
        rows.append({"model": name, **measured(channels, options)})
        print(json.dumps(rows[-1]), flush=True)
    result = {"stamp": stamp("numpy", "torch", "constriction", seed=0), "rows": rows}
    output.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
