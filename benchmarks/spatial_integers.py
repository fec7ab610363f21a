"""What integers cost an entropy model over space, and how near its estimate is to bytes.

    python benchmarks/spatial_integers.py IMAGES.zip [-o benchmarks/results/spatial_integers.json] [--steps 1500]

The latent is fixed: the lowest coefficients of a DCT of 8 x 8 blocks of grey pictures, divided by a step. For each step
and seed a model is trained twice on it, from the same start and with the same batches: as it will code, and with
all rounding of networks, scales and means left out. Then pictures kept aside are coded, each alone. Two trainings part
ways by half a percent either way; what rounding costs the one that codes, once it is trained, is told more exactly.
"""

import argparse
import contextlib
import io
import json
import time
import zipfile
from pathlib import Path
from unittest import mock

import constriction
import numpy as np
import torch
from PIL import Image
from scipy.fft import dctn
from stamp import stamp

from taskcodec.entropy_models import gaussian
from taskcodec.entropy_models.over_space import integer_convolution, mirrored_gaussian
from taskcodec.entropy_models.spatial import SpatialEntropy, SpatialOptions

BLOCK = 8
HELD_OUT = 5
"""One picture in so many is kept aside."""
BATCH = 16
START = np.array([1 << 16], np.uint32)
"""17 bits, where packets have their check value."""
RATE = 3e-3


PARTS = {"scales": gaussian, "networks": integer_convolution, "means": mirrored_gaussian}


@contextlib.contextmanager
def in_floats(parts=tuple(PARTS)):
    """Every rounding but that of symbols passes its input on, or that of some parts."""
    with contextlib.ExitStack() as stack:
        for module in map(PARTS.get, parts):
            stack.enter_context(mock.patch.object(module, "pass_through", lambda value, gradient_of: gradient_of))
        yield


def blocks(place, pixels, channels, most):
    """(n, channels, h, w) coefficients of the middle of each picture, in order of frequency."""
    rows, columns = np.divmod(np.arange(BLOCK**2), BLOCK)
    order = np.lexsort((rows, rows + columns))[:channels]
    found = []
    with zipfile.ZipFile(place) as archive:
        names = [name for name in sorted(archive.namelist()) if name.lower().endswith((".jpg", ".jpeg", ".png"))]
        for name in names[:: max(1, len(names) // most)][:most]:
            picture = Image.open(io.BytesIO(archive.read(name))).convert("L")
            left, top = (picture.width - pixels) // 2, (picture.height - pixels) // 2
            if min(left, top) < 0:
                continue
            x = np.asarray(picture.crop((left, top, left + pixels, top + pixels)), np.float64) - 128
            n = pixels // BLOCK
            parts = x.reshape(n, BLOCK, n, BLOCK).transpose(0, 2, 1, 3)
            found.append(dctn(parts, axes=(2, 3), norm="ortho").reshape(n, n, -1)[..., order].transpose(2, 0, 1))
    return torch.from_numpy(np.stack(found).astype(np.float32))


@torch.enable_grad()
def train(y, options, steps, seed):
    torch.manual_seed(seed)
    model = SpatialEntropy(y.shape[1], options)
    optimizer = torch.optim.Adam(model.parameters(), lr=RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(steps):
        loss = model(y[torch.randint(len(y), (BATCH,))]).bits.mean()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1000.0)
        optimizer.step()
        schedule.step()
    return model.eval()


def measured(y, test, options, steps, seed):
    """Bits a picture: of the model of floats, of the one that codes (unrounded, estimated, by tables), in bytes."""
    with torch.no_grad():
        with in_floats():
            floats = train(y, options, steps, seed)(test).bits
        model = train(y, options, steps, seed)
        estimate, tables = model(test).bits, model.freeze()
        with in_floats():
            unrounded = model(test).bits
        saved = {}
        for part in PARTS:
            with in_floats([part]):
                saved[part] = float(100 * (estimate.mean() / model(test).bits.mean() - 1))
    symbols, sizes, seconds = torch.round(test).numpy().astype(np.int32), [], 0.0
    for picture in symbols:
        coder = constriction.stream.stack.AnsCoder(START)
        tables.push(coder, picture[None])
        sizes.append(len(coder.get_compressed().tobytes().rstrip(b"\0")))
        begun = time.perf_counter()
        again = tables.pop(coder, (1, *picture.shape))
        seconds += time.perf_counter() - begun
        assert np.array_equal(again[0], picture)
    lengths = tables.code_length(symbols)
    found = {
        "float_bits": float(floats.mean()),
        "unrounded_bits": float(unrounded.mean()),
        "estimate_bits": float(estimate.mean()),
        "code_length_bits": float(lengths.mean()),
        "bytes": float(np.mean(sizes)),
        "model_bytes": len(tables.to_bytes()),
        "decode_ms": 1000 * seconds / len(symbols),
    }
    found["rounding_parts_percent"] = saved
    found["rounding_costs_percent"] = 100 * (found["code_length_bits"] / found["unrounded_bits"] - 1)
    found["integers_cost_percent"] = 100 * (found["code_length_bits"] / found["float_bits"] - 1)
    found["bytes_over_estimate_percent"] = 100 * (8 * found["bytes"] / found["estimate_bits"] - 1)
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("images", type=Path)
    parser.add_argument("-o", "--output", type=Path, default=Path(__file__).parent / "results/spatial_integers.json")
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--pixels", type=int, default=64)
    parser.add_argument("--channels", type=int, default=24)
    parser.add_argument("--pictures", type=int, default=1000)
    parser.add_argument("--quantizer-steps", type=float, nargs="+", default=[8.0, 24.0, 72.0])
    parser.add_argument("--phases", type=int, nargs="+", default=[4])
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    y = blocks(arguments.images, arguments.pixels, arguments.channels, arguments.pictures)
    aside = torch.arange(len(y)) % HELD_OUT == 0
    rows = []
    for phases in arguments.phases:
        options = SpatialOptions(side=16, hyper=32, context=32, phases=phases)
        for step in arguments.quantizer_steps:
            for seed in range(arguments.seeds):
                row = {"step": step, "phases": phases, "seed": seed}
                row |= measured(y[~aside] / step, y[aside] / step, options, arguments.steps, seed)
                print(json.dumps(row), flush=True)
                rows.append(row)
    result = {"stamp": stamp("numpy", "torch", "constriction", seed=0), "pictures": len(y), "rows": rows}
    arguments.output.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
