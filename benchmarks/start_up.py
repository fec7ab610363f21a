"""Processor seconds that the command needs to start: `--help` of every verb, and `info` of a store.

    python benchmarks/start_up.py [-o benchmarks/results/start_up.json]

Beside them what Python and numpy need alone. User and system time of the process from the operating system, the median
of several runs in turn, once as it is and once with one thread for BLAS (OMP_NUM_THREADS=1), whose threads cost
processor time when they start.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

import numpy as np
from stamp import stamp

import taskcodec
from taskcodec.cli.main import VERBS

ROUNDS, SAMPLES, DIMENSION, SEED = 5, 5000, 64, 0


def processor_seconds(command, threads):
    """User and system seconds of a command."""
    environment = {key: value for key, value in os.environ.items() if key != "OMP_NUM_THREADS"}
    running = subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        env={**environment, **({"OMP_NUM_THREADS": str(threads)} if threads else {})},
    )
    _, status, used = os.wait4(running.pid, 0)
    running.returncode = os.waitstatus_to_exitcode(status)
    if running.returncode:
        raise SystemExit(f"{' '.join(command)}: exit code {running.returncode}")
    return used.ru_utime + used.ru_stime


def commands(store):
    """What is timed, by name."""
    own = [sys.executable, "-m", "taskcodec"]
    verbs = [verb.__name__ for verb in VERBS.values()]
    return {
        "python -c pass": [sys.executable, "-c", "pass"],
        "python -c 'import numpy'": [sys.executable, "-c", "import numpy"],
        "taskcodec --help": [*own, "--help"],
        **{f"taskcodec {verb} --help": [*own, verb, "--help"] for verb in verbs},
        "taskcodec info STORE": [*own, "info", store],
        "taskcodec info lite0": [*own, "info", "lite0"],
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path)
    arguments = parser.parse_args()
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        x = np.random.default_rng(SEED).normal(size=(SAMPLES, DIMENSION)).astype("f4")
        taskcodec.encode(x, f"{folder}/x.tcz")
        jobs = commands(f"{folder}/x.tcz")
        for round_number in range(ROUNDS + 1):
            for name, command in jobs.items():
                for threads in (None, 1):
                    took = processor_seconds(command, threads)
                    if round_number:  # the first round warms up
                        found.setdefault(name, {}).setdefault(threads, []).append(took)
    rows = [
        {"command": name, "seconds": median(took[None]), "seconds_one_thread": median(took[1])}
        for name, took in found.items()
    ]
    for row in rows:
        print(f"{row['command']:<28}{row['seconds']:8.3f} s, one thread {row['seconds_one_thread']:.3f} s")
    result = {
        "processor_seconds": rows,
        "store": {"samples": SAMPLES, "dimension": DIMENSION},
        "cores": os.cpu_count(),
        **stamp("numpy", "pyarrow", "typer", "zarr", seed=SEED),
    }
    if arguments.output:
        arguments.output.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
