"""Kills workers and the command of an encode on Ray at random moments; the rerun must end in the very same store.

    python -m benchmarks.ray_kills photos/ --kills 10 --workers 4                in a folder
    python -m benchmarks.ray_kills 200000 --kills 10 --workers 4 --s3            so many vectors, S3 on loopback

Prints JSON: kills by target, how many stores came to be, in how many every key holds the bytes that the local engine
wrote, and the lines of `verify`. The exit code is 0 only where all are the same and sound. Needs Linux (/proc).
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack, suppress
from pathlib import Path

import numpy as np
from benchmarks.stamp import stamp

import taskcodec
from taskcodec.store.backend import open_blobs


def command(source, place, options, workers=None):
    cluster = [] if workers is None else ["--engine", "ray", "--workers", str(workers)]
    return [sys.executable, "-m", "taskcodec", "encode", str(source), str(place), "--json", *options, *cluster]


def start(arguments):
    environment = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
    return subprocess.Popen(
        arguments, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment, text=True, errors="replace"
    )


def contents(place):
    """Every key of a store, orphans among them, and its bytes."""
    blobs = open_blobs(place)
    return {key: blobs.get(key) for key in blobs.sizes()}


def workers_of(process):
    """The processes of Ray that work for a command: actors and tasks, not those that wait for some."""
    parents, names = {}, {}
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError, IndexError, ValueError):
            parents[int(folder.name)] = int((folder / "stat").read_text().rsplit(")", 1)[1].split()[1])
            names[int(folder.name)] = (folder / "cmdline").read_bytes().rstrip(b"\0")

    def is_below(pid):
        while pid in parents:
            pid = parents[pid]
            if pid == process.pid:
                return True
        return False

    working = (pid for pid, name in names.items() if name.startswith(b"ray::") and name != b"ray::IDLE")
    return [pid for pid in working if is_below(pid)]


def kill_one(process, target, generator):
    """Kill the command or one of its workers; whether there was one."""
    if process.poll() is not None:
        return False
    if target == "command":
        process.send_signal(signal.SIGKILL)
        process.wait()
        return True
    found = workers_of(process)
    if not found:
        return False
    with suppress(ProcessLookupError):
        os.kill(generator.choice(found), signal.SIGKILL)
        return True
    return False


def timed(arguments):
    started = time.monotonic()
    run = start(arguments)
    said = run.communicate()[1]
    if run.returncode:
        sys.exit(f"{' '.join(arguments)}: exit code {run.returncode}: {said}")
    return time.monotonic() - started


def finished(run, arguments, tries=5):
    """Let a run end, and go on where it was stopped, as its user would; what those said that failed."""
    errors = []
    for _ in range(tries):
        said = run.communicate()[1]
        if run.returncode == 0:
            return errors
        errors.append(said.strip()[-500:])
        run = start(arguments)
    sys.exit(f"{' '.join(arguments)}: not finished after {tries} runs")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", help="a source, or a number of vectors")
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--chunk", type=int, default=256)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--s3", action="store_true", help="stores on an S3 server of this process")
    asked = parser.parse_args()
    generator, stack, begun = random.Random(asked.seed), ExitStack(), time.monotonic()
    with stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        source, where = asked.source, lambda name: f"{folder}/{name}"
        if source.isdecimal():
            rng = np.random.default_rng(asked.seed)
            x = rng.normal(size=(int(source), 8)) @ rng.normal(size=(8, 64)) + rng.normal(size=(int(source), 64))
            np.save(source := f"{folder}/x.npy", x.astype("f4"))
        if asked.s3:
            from tests.s3 import s3_server

            where = stack.enter_context(s3_server()).new_bucket().url
        options = ("--chunk", str(asked.chunk))
        alone = timed(command(source, where("alone.tcz"), options))
        seconds = timed(command(source, where("whole.tcz"), options, asked.workers))
        expected, targets, stores, errors = contents(where("alone.tcz")), Counter(), [where("whole.tcz")], []
        while targets.total() < asked.kills:
            stores.append(where(f"killed-{len(stores)}.tcz"))
            arguments = command(source, stores[-1], options, asked.workers)
            run = start(arguments)
            while run.poll() is None and targets.total() < asked.kills:
                time.sleep(generator.uniform(0.1, 0.9) * seconds)
                target = generator.choice(("command", "worker"))
                if kill_one(run, target, generator):
                    targets[target] += 1
                    run = start(arguments) if target == "command" else run
            errors += finished(run, arguments)
        found = {
            **stamp("numpy", "ray", "zarr", "constriction", seed=asked.seed),
            "source": asked.source,
            "s3": asked.s3,
            "workers": asked.workers,
            "samples": len(taskcodec.open(where("alone.tcz"))),
            "seconds": {"local": round(alone, 1), "ray": round(seconds, 1), "all": round(time.monotonic() - begun, 1)},
            "kills": dict(targets),
            "stores": len(stores),
            "same": sum(contents(store) == expected for store in stores),
            "errors_that_reruns_mended": errors,
            "verify": [line for store in stores for line in taskcodec.open(store).verify()],
        }
    print(json.dumps(found, indent=2))
    sys.exit(found["same"] < found["stores"] or bool(found["verify"]))


if __name__ == "__main__":
    main()
