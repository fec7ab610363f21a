"""What a store of narrow vectors takes as it grows: to write, to open, and to take rows, ids and features from.

    python benchmarks/store_scale.py [--counts 100000 1000000] [-o benchmarks/results/store_scale/]

Vectors of 64 features, made block by block into a memory-mapped .npy file. Each measurement runs in a process of its
own, through one that counts what the place is asked; memory is its peak resident set above that of one that only
imports taskcodec. `--counts 10000000` takes an hour on two cores and 4 GB of disk. Results: a JSON file a count, and
extrapolated.json for 10^9 from the two longest: by the slope for what grows, as it is for what does not (less than
twofold). Use 10^6 and 10^7 for that: below a million samples a store is one segment.
"""

import argparse
import json
import platform
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from stamp import stamp

D, BLOCK, SEED = 64, 100_000, 0
TOUCHED = "rows"
"""What grows with the segments that it touches, and ten rows touch ten at most: as many as ten million samples have."""
READS = ("import", "open", "rows", "find", "ids", "labels", "info", "stream")


def write_vectors(path, count):
    """Correlated rows, so that a codec has something to find."""
    rng = np.random.default_rng(SEED)
    mix = (rng.normal(size=(D, D)) * np.linspace(1, 0.05, D)).astype("f4")
    out = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=(count, D))
    for start in range(0, count, BLOCK):
        size = min(BLOCK, count - start)
        out[start : start + size] = rng.normal(size=(size, D)).astype("f4") @ mix
    out.flush()


def count_requests():
    """Count what folders are asked from here on."""
    from taskcodec.store.backend import FolderBlobs

    asked = {}
    for name in ("get", "get_range", "put", "sizes", "delete"):
        method = getattr(FolderBlobs, name)

        def counted(self, *given, _name=name, _method=method):
            asked[_name] = asked.get(_name, 0) + 1
            return _method(self, *given)

        setattr(FolderBlobs, name, counted)
    return asked


def measured(task, place, vectors):
    """Do one thing in this process; seconds, requests, peak memory."""
    import taskcodec

    asked, start, found = count_requests(), time.perf_counter(), {}
    if task == "encode":
        taskcodec.encode(vectors, place, bits=128)
    elif task != "import":
        store = taskcodec.open(place)
        random = np.random.default_rng(1).integers(0, len(store), 10)
        if task == "open":
            _ = store.codec
        elif task == "rows":
            store.features[random]
        elif task == "find":
            for row in random[:3].tolist():
                assert store.find(str(row)) == row
        elif task == "ids":
            assert len(store.ids) == len(store)
        elif task == "labels":
            assert not len(store.rows_where(label="none"))
        elif task == "info":
            found["bytes"] = store.info().store_bytes
        elif task == "stream":
            assert sum(map(len, store.batches())) == len(store)
    seconds = time.perf_counter() - start
    status = Path("/proc/self/status").read_text()  # the peak that getrusage tells may be that of who started this
    peak = 1024 * int(re.search(r"VmHWM:\s+(\d+) kB", status)[1])
    return {"seconds": seconds, "peak_bytes": peak, "requests": asked, **found}


def in_a_process(task, place, vectors):
    command = [sys.executable, __file__, "--task", task, str(place), str(vectors)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1])


def of_count(count, folder):
    vectors, place = Path(folder) / "x.npy", Path(folder) / "x.tcz"
    write_vectors(vectors, count)
    found = {"encode": in_a_process("encode", place, vectors)}
    for task in READS:
        found[task] = in_a_process(task, place, vectors)
    base = found.pop("import")["peak_bytes"]
    for task in found.values():
        task["bytes_above_import"] = max(task.pop("peak_bytes") - base, 0)
    return {
        "count": count,
        "dimension": D,
        "store_bytes": found["info"].pop("bytes"),
        "manifest_bytes": (place / "zarr.json").stat().st_size,
        "tasks": found,
    }


def extrapolated(rows, count=10**9):
    """Linear in the number of samples through the two longest where the longest takes twice as much, else as that."""
    (a, b), out = sorted(rows, key=lambda row: row["count"])[-2:], {"count": count}
    out["from"] = [{key: row[key] for key in ("count", "command", "seed", "versions")} for row in (a, b)]

    def line(x, y):
        return y + (y - x) * (count - b["count"]) / (b["count"] - a["count"]) if y > 2 * x else y

    for key in ("store_bytes", "manifest_bytes"):
        out[key] = line(a[key], b[key])
    out["tasks"] = {}
    for task, later in b["tasks"].items():
        first = later if task == TOUCHED else a["tasks"][task]
        out["tasks"][task] = {key: line(first[key], later[key]) for key in ("seconds", "bytes_above_import")}
        totals = [sum(each["requests"].values()) for each in (first, later)]
        out["tasks"][task]["requests"] = line(*totals)
    return out


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--counts", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--folder", help="where vectors and stores lie meanwhile; a temporary one by default")
    parser.add_argument("-o", "--output", type=Path, default=Path(__file__).parent / "results" / "store_scale")
    parser.add_argument("--task", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.task:
        print(json.dumps(measured(*arguments.task)))
        return
    arguments.output.mkdir(parents=True, exist_ok=True)
    for count in arguments.counts:
        with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
            made_by = stamp("numpy", "pyarrow", "zarr", "constriction", seed=SEED)
            found = {**of_count(count, folder), "machine": platform.machine(), **made_by}
        (arguments.output / f"{count}.json").write_text(json.dumps(found, indent=1) + "\n")
        print(json.dumps(found))
    rows = [json.loads(file.read_text()) for file in arguments.output.glob("[0-9]*.json")]
    if len(rows) > 1:
        (arguments.output / "extrapolated.json").write_text(json.dumps(extrapolated(rows), indent=1) + "\n")


if __name__ == "__main__":
    main()
