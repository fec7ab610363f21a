"""What `--effort` buys: bits at the same error, accuracy at the same bits, and what it takes, level by level.

    python benchmarks/effort.py FEATURES.npz ... [-o benchmarks/results/effort.json]

Each file holds `x` (n, d) and labels `y` (n,) of a set (what `folder_features.py` writes). For each set and rate

- codecs are fitted to three quarters of the samples, without labels, and code the others: real bytes, and the squared
  error in the domain that codecs quantize. `saved` is by how much fewer bits those are than what the uniform quantizer
  takes at this very error, interpolated between its steps (tables frozen anew at each);
- codecs are fitted to all samples at the rate, as a store's is, and ridge probes (3 folds, 3 times) tell how many
  points of accuracy more than with effort 1 they come to, with the standard error of the paired differences.

Seconds are of one thread's processor time: of the fit beyond effort 1's, and of a thousand samples coded and decoded.
What is in the result already is not measured again, so that a run that was stopped goes on.
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path
from time import process_time

import numpy as np
from default_sizes import folds_of, right
from stamp import stamp

from taskcodec import fit
from taskcodec.coding import decode_block, encode_block
from taskcodec.entropy_models.empirical import freeze
from taskcodec.fitting.effort import with_effort
from taskcodec.store import CHUNK_ROWS
from taskcodec.transforms.companding import compand

SEED, FOLDS_TIMES, HELD = 0, 3, 4
RATES, EFFORTS = (128.0, 290.0, 512.0), (1, 2, 3, 5, 8, 9)
STEPS = (0.8, 0.9, 1.0, 1.1, 1.25)
"""Of the uniform quantizer, times the fitted one: its errors lie around those of all efforts."""


def coded(codec, x):
    """Of a codec on (n, d) features: bits a sample in real bytes, squared error, seconds to code and to decode."""
    began = process_time()
    symbols = codec.encode(x)
    blocks = [encode_block(symbols[i : i + CHUNK_ROWS], codec.base.model) for i in range(0, len(x), CHUNK_ROWS)]
    middle = process_time()
    rows = [min(CHUNK_ROWS, len(x) - i) for i in range(0, len(x), CHUNK_ROWS)]
    read = np.concatenate([decode_block(b, n, codec.base.model) for b, n in zip(blocks, rows, strict=True)])
    decoded = codec.decode(read)
    ended = process_time()
    companding = codec.base.transform.affine.companding
    error = np.square(compand(decoded, companding) - compand(x, companding), dtype=np.float64).sum(axis=1).mean()
    return 8 * sum(map(len, blocks)) / len(x), error, middle - began, ended - middle


def uniform_bits(codec, x, others):
    """Of a squared error: the bits that the uniform quantizer takes of other samples."""
    base, points = codec.base, []
    latent = base.transform.analyse(x)
    for share in STEPS:
        frozen = freeze(latent, share * base.quantizer.step, base.quantizer.rounding)
        layer = replace(base, quantizer=frozen.quantizer, model=frozen.model, sketch=base.sketch[:0])
        points.append(coded(codec.with_base(layer), others)[:2])
    bits, errors = np.array(points).T
    return lambda error: float(np.interp(np.log(error), np.log(errors), bits))


def measure(name, x, y, rate, efforts):
    """The rows of a set at a rate."""
    generator = np.random.default_rng(SEED)
    order = generator.permutation(len(x))
    learned, others = x[order[len(x) // HELD :]], x[order[: len(x) // HELD]]
    folds = [folds_of(y, generator) for _ in range(FOLDS_TIMES)]
    half, whole = fit(learned, bits=rate), fit(x, bits=rate)
    usual, first = uniform_bits(half, learned, others), None
    for effort in efforts:
        began = process_time()
        codec = with_effort(half, learned, effort)
        took = process_time() - began
        bits, error, encoding, decoding = coded(codec, others)
        rated = with_effort(whole, x, effort, rate)
        decoded = rated.decode(rated.encode(x))
        rights = np.mean([right(decoded, y, each) for each in folds], axis=0)
        first = rights if first is None else first
        gained = rights - first
        yield {
            "set": name, "samples": len(x), "asked_bits": rate, "columns": half.columns, "effort": effort,
            "bits": bits, "error": error, "saved_percent": 100 * (1 - bits / usual(error)),
            "rated_bits": rated.rate_of(x), "accuracy": 100 * float(rights.mean()),
            "gained_points": 100 * float(gained.mean()),
            "gained_error": 100 * float(gained.std(ddof=1) / np.sqrt(len(gained))),
            "codec_bytes": len(replace(codec, layers=(replace(codec.base, sketch=codec.base.sketch[:0]),)).to_bytes()),
            "fit_seconds": took,
            "encode_seconds_a_thousand": 1000 * encoding / len(others),
            "decode_seconds_a_thousand": 1000 * decoding / len(others),
        }  # fmt: skip


def table(rows):
    """Lines: for each effort the means over sets."""
    rates = sorted({row["asked_bits"] for row in rows})
    yield "effort  " + "  ".join(f"saved at {rate:g}" for rate in rates) + "  points at equal bits  seconds"
    for effort in sorted({row["effort"] for row in rows}):
        here = [row for row in rows if row["effort"] == effort]
        saved = [np.mean([row["saved_percent"] for row in here if row["asked_bits"] == rate]) for rate in rates]
        gained = np.mean([row["gained_points"] for row in here])
        half = 1.96 * np.sqrt(np.sum([row["gained_error"] ** 2 for row in here])) / len(here)
        times = [
            np.mean([row[key] for row in here])
            for key in ("fit_seconds", "encode_seconds_a_thousand", "decode_seconds_a_thousand")
        ]
        yield (
            f"{effort:6}  " + "  ".join(f"{one:12.1f}%" for one in saved) + f"  {gained:+6.2f} +- {half:.2f}  "
            + f"fit {times[0]:.1f}, 1,000 samples {times[1]:.3f} and {times[2]:.3f}"
        )  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("features", type=Path, nargs="+")
    parser.add_argument("-o", "--output", type=Path, default=Path("benchmarks/results/effort.json"))
    parser.add_argument("--rates", type=float, nargs="+", default=list(RATES))
    parser.add_argument("--efforts", type=int, nargs="+", default=list(EFFORTS))
    arguments = parser.parse_args()
    rows = json.loads(arguments.output.read_text())["rows"] if arguments.output.exists() else []
    made_by = stamp("numpy", "scipy", "scikit-learn", "constriction", seed=SEED)
    for file in arguments.features:
        with np.load(file) as kept:
            x, y = kept["x"], kept["y"]
        for rate in arguments.rates:
            if any((row["set"], row["asked_bits"]) == (file.stem, rate) for row in rows):
                continue
            for row in measure(file.stem, x, y, rate, arguments.efforts):
                rows.append(row)
                print(json.dumps(row), flush=True)
            arguments.output.write_text(json.dumps({**made_by, "rows": rows}, indent=1) + "\n")
    print("\n".join(table(rows)))


if __name__ == "__main__":
    main()
