"""Bytes really written against the tables' own code length, on real features.

    python benchmarks/bytes_against_entropy.py FEATURES.npy [-o benchmarks/results/bytes_against_entropy.json]

FEATURES.npy: what `taskcodec features FOLDER -o FEATURES.npy` writes for images through `lite0`; rows are repeated
to fill a chunk of 4096. The bundled codec is refitted to them at each rate, as `encode` does.
"""

import argparse
import json
import platform
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np

from taskcodec.coding import encode_block, encode_sample
from taskcodec.fitting import adapt
from taskcodec.loading import load_codec

RATES, CHUNK, SINGLES = (500.0, 850.0, 1200.0), 4096, 512


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("features", type=Path)
    parser.add_argument("-o", "--output", type=Path)
    arguments = parser.parse_args()
    features = np.load(arguments.features)
    rows = []
    for bits in RATES:
        codec = adapt(load_codec("lite0"), features, bits)
        symbols = np.resize(codec.encode(features), (CHUNK, codec.columns))
        ideal = codec.code_length(symbols)
        block = 8 * (len(encode_block(symbols, codec.base.model)) + 4)  # + the chunk's CRC-32C
        singles = [8 * len(encode_sample(row, codec.base.model)) for row in symbols[:SINGLES]]
        rows.append(
            {
                "bits_asked": bits,
                "entropy_bits": float(ideal.mean()),
                "chunk_bits": block / CHUNK,
                "chunk_over_entropy": block / float(ideal.sum()) - 1,
                "single_bits": float(np.mean(singles)),
                "single_over_entropy": float(np.sum(singles) / ideal[:SINGLES].sum() - 1),
            }
        )
    versions = {name: version(name) for name in ("numpy", "constriction")}
    result = {"rows": rows, "samples": len(features), "command": sys.argv, "versions": versions}
    print(json.dumps(result | {"python": platform.python_version()}, indent=1))
    if arguments.output:
        arguments.output.write_text(json.dumps(result | {"python": platform.python_version()}, indent=1) + "\n")


if __name__ == "__main__":
    main()
