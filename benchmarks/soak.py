"""Many processes read one store for minutes while requests fail: every row right, memory flat, requests counted.

    python benchmarks/soak.py --processes 64 --seconds 300                 # a folder and a bucket, both made here
    python benchmarks/soak.py --place s3 --processes 4 --seconds 20 --faults 0.05
    python benchmarks/soak.py --store s3://mine/vectors.tcz              # no faults but its own

The bucket is that of a server on loopback (tests/s3.py), which fails, cuts or delays a share of the requests. A folder
has no requests: there, a share of the reads fails in the process itself, as on a disk or a network mount, and is to be
told, not taken for rows. Each process reads random rows, and now and then a stretch of them, compares symbols and
features with the truth, and opens the store anew every so often. Prints one JSON object.
"""

import argparse
import json
import multiprocessing
import os
import random
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

import taskcodec
from taskcodec.errors import NetworkError, SourceError
from taskcodec.store import SampleRecord, StoreWriter
from taskcodec.store.places.folder import FolderBlobs

OPENED_EVERY, STRETCH_EVERY, STRETCH, ROWS = 200, 20, 3000, 10
SAMPLED_SECONDS = 2.0


def memory_bytes() -> int:
    """What this process alone holds."""
    with open("/proc/self/smaps_rollup", encoding="ascii") as file:
        fields = {line.split(":")[0]: line.split()[1] for line in file if line.endswith("kB\n")}
    return 1024 * (int(fields["Private_Dirty"]) + int(fields["Private_Clean"]))


def failing_reads(share: float, seed: int) -> None:
    """Let a share of the reads of files fail in this process."""
    chance, get = random.Random(seed), FolderBlobs.get

    def sometimes(self, key):
        if chance.random() < share:
            raise SourceError(f"{self.name}/{key}: cannot be read (injected)")
        return get(self, key)

    FolderBlobs.get = sometimes


def read(place: str, truth: tuple[str, str], seconds: float, number: int, share: float, results) -> None:
    """One process: read until the time is over, and put what was found into `results`."""
    symbols, features = (np.load(path, mmap_mode="r") for path in truth)
    random_rows, seen, memory = np.random.default_rng(number), Counter(), []
    end, sampled, store = time.monotonic() + seconds, 0.0, None
    if "://" not in place:
        failing_reads(share, number)
    while time.monotonic() < end:
        try:
            if store is None or seen["reads"] % OPENED_EVERY == 0:
                store = taskcodec.open(place)
                seen["opened"] += 1
            seen["reads"] += 1
            if seen["reads"] % STRETCH_EVERY == 0:
                start = int(random_rows.integers(max(len(symbols) - STRETCH, 1)))
                found, expected = store.symbols[start : start + STRETCH], symbols[start : start + STRETCH]
            else:
                rows = np.sort(random_rows.integers(len(symbols), size=ROWS))
                found, expected = store.symbols[rows], symbols[rows]
                seen["wrong"] += int((np.abs(store.features[rows] - features[rows]) > 1e-4).any(axis=1).sum())
            seen["rows"] += len(found)
            seen["wrong"] += int((found != expected).any(axis=1).sum())
        except (SourceError, NetworkError):
            seen["told"] += 1
        except Exception as error:
            seen[f"unexpected: {type(error).__name__}: {error}"[:200]] += 1
        if time.monotonic() - sampled > SAMPLED_SECONDS:
            sampled = time.monotonic()
            memory.append(memory_bytes())
    results.put((number, dict(seen), memory))


def made(place: str, rows: int, dimension: int, chunk: int) -> None:
    """A store of so many vectors."""
    rng = np.random.default_rng(0)
    mixing = rng.normal(size=(dimension // 4, dimension))
    x = (rng.normal(size=(rows, dimension // 4)) @ mixing + 0.3 * rng.normal(size=(rows, dimension))).astype("f4")
    codec = taskcodec.fit(x[:10_000], bits=2.0 * dimension)
    with StoreWriter.create(place, codec, chunk_rows=chunk) as writer:
        for start in range(0, rows, 10_000):
            part = x[start : start + 10_000]
            records = [SampleRecord(f"v{start + i}", start + i, 4 * dimension) for i in range(len(part))]
            writer.append(codec.encode(part), records)
        writer.finish()


def slope_bytes(memory: list[int]) -> float:
    """Growth from the first to the last third of a process's life, by their medians: the start is not counted."""
    settled = memory[len(memory) // 4 :]
    third = max(len(settled) // 3, 1)
    return float(np.median(settled[-third:]) - np.median(settled[:third])) if len(settled) > 2 else 0.0


def soak(place: str, folder: Path, options: argparse.Namespace, counting, failing) -> dict:
    """Read one store by all processes."""
    store = taskcodec.open(place)
    paths = (str(folder / "symbols.npy"), str(folder / "features.npy"))
    np.save(paths[0], store.symbols[:])
    np.save(paths[1], store.features[:])
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    rest = (options.seconds, options.faults)
    workers = [
        context.Process(target=read, args=(place, paths, rest[0], number, rest[1], results))
        for number in range(options.processes)
    ]
    with counting as requests, failing as faults:
        for worker in workers:
            worker.start()
        found = [results.get() for _ in workers]
        for worker in workers:
            worker.join()
    total = Counter()
    for _, seen, _ in found:
        total.update(seen)
    growth = [slope_bytes(memory) for _, _, memory in found]
    return {
        "place": place,
        "processes": len(workers),
        "seconds": options.seconds,
        **{key: total[key] for key in ("rows", "reads", "opened", "wrong", "told")},
        "unexpected": {key: count for key, count in total.items() if key.startswith("unexpected")},
        "memory_mb": round(max(max(memory) for _, _, memory in found) / 1e6, 1),
        "growth_mb": {"median": round(float(np.median(growth)) / 1e6, 2), "most": round(max(growth) / 1e6, 2)},
        "requests": None
        if requests is None
        else {**requests, "a_read": round(requests.total / max(total["reads"], 1), 2)},
        "faults": None if faults is None else dict(faults.made),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--place", choices=("folder", "s3", "both"), default="both")
    parser.add_argument("--store", help="a store that is there, instead of one that is made here")
    parser.add_argument("--processes", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--faults", type=float, default=0.05, help="share of the requests")
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--dimension", type=int, default=64)
    parser.add_argument("--chunk", type=int, default=1024)
    options = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    from contextlib import nullcontext

    results = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        if options.store:
            results.append(soak(options.store, folder, options, nullcontext(), nullcontext()))
        if not options.store and options.place in ("folder", "both"):
            made(str(folder / "x.tcz"), options.rows, options.dimension, options.chunk)
            results.append(soak(str(folder / "x.tcz"), folder, options, nullcontext(), nullcontext()))
        if not options.store and options.place in ("s3", "both"):
            from tests.s3 import Faults, s3_server

            server = stack.enter_context(s3_server())
            made(server.url("x.tcz"), options.rows, options.dimension, options.chunk)
            kinds = Faults(share=options.faults, kinds=("slow_down", "error", "reset", "torn", "delay"))
            results.append(soak(server.url("x.tcz"), folder, options, server.counting(), server.failing(kinds)))
    failed = any(found["wrong"] or found["unexpected"] for found in results)
    print(json.dumps({"ok": not failed, "runs": results}, indent=1))
    sys.exit(failed)


if __name__ == "__main__":
    main()
