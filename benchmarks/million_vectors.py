"""Peak memory of encoding and decoding feature vectors through the commands, as their number grows.

    python benchmarks/million_vectors.py [--counts 100000 1000000] [-o benchmarks/results/million_vectors.json]

Random 512-d float32 vectors in a .npy file; each command runs in its own process, whose peak resident set is taken
from the operating system.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from stamp import stamp

DIMENSION, SEED, BLOCK = 512, 0, 10_000


def write_vectors(path, count):
    """Correlated rows, so that a codec has something to find; written block by block."""
    rng = np.random.default_rng(SEED)
    mix = rng.normal(size=(DIMENSION, DIMENSION)).astype(np.float32) * np.linspace(1, 0.05, DIMENSION, dtype="f4")
    out = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=(count, DIMENSION))
    for start in range(0, count, BLOCK):
        size = min(BLOCK, count - start)
        out[start : start + size] = rng.normal(size=(size, DIMENSION)).astype(np.float32) @ mix
    out.flush()


def run(*command):
    """(seconds, peak resident bytes) of a command."""
    script = (
        "import resource, subprocess, sys; code = subprocess.call(sys.argv[1:], stdout=subprocess.DEVNULL); "
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss); sys.exit(code)"
    )
    start = time.perf_counter()
    taskcodec = "from taskcodec.cli.main import main; main()"
    whole = [sys.executable, "-c", script, sys.executable, "-c", taskcodec, *command]
    found = subprocess.run(whole, check=True, capture_output=True, text=True)
    return time.perf_counter() - start, 1024 * int(found.stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--counts", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("-o", "--output", type=Path)
    arguments = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for count in arguments.counts:
            vectors, store, back = (f"{folder}/{name}" for name in ("x.npy", "x.tcz", "back.npy"))
            write_vectors(vectors, count)
            jobs = {
                "encode": ("encode", vectors, store, "--bits", "512", "--overwrite"),
                "decode": ("decode", store, "-o", back),
                "verify": ("verify", store),
            }
            for name, command in jobs.items():
                seconds, peak = run(*command)
                rows.append({"job": name, "vectors": count, "seconds": seconds, "peak_bytes": peak})
                print(f"{name} {count}: {seconds:.1f} s, peak {peak / 2**20:.0f} MiB", flush=True)
    result = {
        "rows": rows,
        "dimension": DIMENSION,
        **stamp("numpy", "constriction", "zarr", "pyarrow", seed=SEED),
    }
    if arguments.output:
        arguments.output.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
