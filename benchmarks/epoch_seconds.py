"""Seconds an epoch of training from a store, against the same features as .npy, Parquet and WebDataset shards.

    python benchmarks/epoch_seconds.py [--small] [-o benchmarks/results/epoch_seconds/results.json]

Each way feeds a linear classifier, in batches of 256, through a DataLoader with 0 and 2 workers, on one thread. Timed
are the first epoch after opening, and the next ones in the same loader (the median of them); workers stay. Cold: the
pages of the files are dropped beforehand (posix_fadvise, DONTNEED), which reaches the cache of this machine and not
that of a disk behind it. The ways take turns, round after round, and a ratio is the median of the rounds' own: of an
epoch from a store to that of the .npy file that gives its rows the same way (single rows that the loader stacks, or
ready batches).

All decode to the same features: those of the store, so that every way trains on the same numbers.
"""

import argparse
import io
import json
import os
import sys
import tarfile
import tempfile
import time
from pathlib import Path
from statistics import median

os.environ["OMP_NUM_THREADS"] = "1"  # before numpy starts its threads

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
import webdataset
from stamp import stamp
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    Dataset,
    IterableDataset,
    RandomSampler,
    get_worker_info,
)

import taskcodec
from taskcodec.store import SampleRecord, StoreWriter

BATCH, CLASSES, SEED, EPOCHS = 256, 10, 0, 3
SHAPES = ((200_000, 64), (20_000, 1280))
SMALL = ((20_000, 64), (2_000, 1280))
ROW_GROUP, SHARD = 10_000, 10_000
WAYS = {
    "store, rows": "npy, rows",
    "store, batches": "npy, batches",
    "store, stream of rows": "npy, rows",
    "store, stream of batches": "npy, batches",
    "npy, rows": None,
    "npy, batches": None,
    "parquet, batches": None,
    "webdataset, rows": None,
}
"""What is timed, and the .npy way that it is compared with."""
SLOW = ("webdataset, rows",)
"""What takes minutes an epoch, and is timed once, with workers and a warm cache."""
RATIOS = ("first_against_npy", "next_against_npy", "first_against_parquet", "next_against_parquet")


def make(folder, samples, dimension):
    """The same features in every form; their bytes on disk."""
    rng = np.random.default_rng(SEED)
    mix = (rng.normal(size=(dimension, dimension)) * np.linspace(1, 0.05, dimension)).astype("f4")
    x = rng.normal(size=(samples, dimension)).astype("f4") @ mix
    labels = rng.integers(0, CLASSES, samples)
    codec = taskcodec.fit(x[:20_000], bits=3.0 * min(dimension, 128))
    with StoreWriter.create(str(folder / "x.tcz"), codec) as writer:
        for start in range(0, samples, 8192):
            rows = range(start, min(start + 8192, samples))
            records = [SampleRecord(str(i), i, 4 * dimension, label=str(labels[i])) for i in rows]
            writer.append(codec.encode(x[rows.start : rows.stop]), records)
        writer.finish()
    x = taskcodec.open(folder / "x.tcz").to_numpy()
    np.save(folder / "x.npy", x)
    np.save(folder / "y.npy", labels)
    lists = pa.FixedSizeListArray.from_arrays(pa.array(x.ravel()), dimension)
    pq.write_table(pa.table({"features": lists, "label": labels}), folder / "x.parquet", row_group_size=ROW_GROUP)
    (folder / "shards").mkdir()
    for number, start in enumerate(range(0, samples, SHARD)):
        with tarfile.open(folder / "shards" / f"{number:05d}.tar", "w") as shard:
            for i in range(start, min(start + SHARD, samples)):
                _add(shard, f"{i:08d}.npy", x[i])
                _add(shard, f"{i:08d}.cls", str(labels[i]).encode())
    places = {"store": "x.tcz", "npy": "x.npy", "parquet": "x.parquet", "webdataset": "shards"}
    return {name: sum(file.stat().st_size for file in files(folder / place)) for name, place in places.items()}


def _add(shard, name, content):
    if isinstance(content, np.ndarray):
        sink = io.BytesIO()
        np.save(sink, content)
        content = sink.getvalue()
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    shard.addfile(entry, io.BytesIO(content))


def files(place):
    return [path for path in place.rglob("*") if path.is_file()] if place.is_dir() else [place]


def drop_cache(folder):
    for path in files(folder):
        handle = os.open(path, os.O_RDONLY)
        os.fsync(handle)
        os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(handle)


class Mapped(Dataset):
    """Rows of a memory-mapped file, one at a time or by lists of them."""

    def __init__(self, folder):
        self.x, self.y = np.load(folder / "x.npy", mmap_mode="r"), np.load(folder / "y.npy")

    def __len__(self):
        return len(self.y)

    def __getitem__(self, index):
        rows = torch.from_numpy(np.array(self.x[index]))
        return rows, torch.from_numpy(self.y[index]) if isinstance(index, list) else int(self.y[index])


class Groups(IterableDataset):
    """Batches of a Parquet file: row groups in another order each epoch, shared out over workers, each one shuffled."""

    def __init__(self, folder):
        self.place, self.epoch = folder / "x.parquet", 0

    def __iter__(self):
        file, worker = pq.ParquetFile(self.place), get_worker_info()
        order = np.random.default_rng((SEED, self.epoch)).permutation(file.num_row_groups)
        self.epoch += 1
        for group in order if worker is None else order[worker.id :: worker.num_workers]:
            table = file.read_row_group(int(group), use_threads=False)
            y = table["label"].to_numpy()
            x = table["features"].combine_chunks().flatten().to_numpy().reshape(len(y), -1)
            rows = np.random.default_rng((SEED, self.epoch, group)).permutation(len(y))
            for start in range(0, len(y), BATCH):
                part = rows[start : start + BATCH]
                yield torch.from_numpy(x[part]), torch.from_numpy(y[part])


def loader(way, folder, workers):
    """A shuffled loader of (features (b, d), labels (b,))."""
    stay = {"num_workers": workers, "persistent_workers": workers > 0}
    if way == "parquet, batches":
        return DataLoader(Groups(folder), batch_size=None, **stay)
    if way == "webdataset, rows":
        urls = sorted(map(str, (folder / "shards").glob("*.tar")))
        data = webdataset.WebDataset(urls, shardshuffle=len(urls), empty_check=False).shuffle(1000).decode()
        return DataLoader(data.to_tuple("npy", "cls").map_tuple(torch.from_numpy, int), batch_size=BATCH, **stay)
    store = taskcodec.open(folder / "x.tcz")
    if way == "store, stream of rows":
        return DataLoader(store.torch(style="iterable", shuffle=True), batch_size=BATCH, **stay)
    if way == "store, stream of batches":
        data = store.torch(style="iterable", shuffle=True, batch_size=BATCH)
        return DataLoader(data, batch_size=None, **stay)
    data = store.torch() if way.startswith("store") else Mapped(folder)
    if way.endswith("batches"):
        return DataLoader(data, sampler=BatchSampler(RandomSampler(data), BATCH, False), batch_size=None, **stay)
    return DataLoader(data, batch_size=BATCH, shuffle=True, **stay)


def epochs(way, folder, workers, samples):
    """Seconds of the first epoch, opening included, and the median of those that follow."""
    torch.manual_seed(SEED)
    found, start, batches = [], time.perf_counter(), loader(way, folder, workers)
    layer = optimizer = None
    for _ in range(EPOCHS):
        seen = 0
        for features, labels in batches:
            if layer is None:
                layer = torch.nn.Linear(features.shape[1], CLASSES)
                optimizer = torch.optim.SGD(layer.parameters(), 1e-4)
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(layer(features), labels).backward()
            optimizer.step()
            seen += len(features)
        assert seen == samples, f"{way}: {seen} samples instead of {samples}"
        found.append(time.perf_counter() - start)
        start = time.perf_counter()
    return found[0], median(found[1:])


def measure(folder, samples, dimension, rounds):
    sizes, found = make(folder, samples, dimension), {}
    settings = [(workers, cold) for workers in (0, 2) for cold in (False, True)]
    for number in range(rounds):
        for workers, cold in settings:
            for way in WAYS:
                if way in SLOW and (number, workers, cold) != (0, 2, False):
                    continue
                if cold:
                    drop_cache(folder)
                found.setdefault((way, workers, cold), []).append(epochs(way, folder, workers, samples))
        print(f"{samples} x {dimension}: round {number + 1} of {rounds}", file=sys.stderr, flush=True)
    rows = []
    for (way, workers, cold), times in found.items():
        npy, parquet = found[WAYS[way] or way, workers, cold], found["parquet, batches", workers, cold]
        rows.append(
            {
                "samples": samples, "dimension": dimension, "way": way, "workers": workers, "cold": cold,
                "first_epoch_seconds": median(first for first, _ in times),
                "next_epoch_seconds": median(later for _, later in times),
                "first_against_npy": median(a[0] / b[0] for a, b in zip(times, npy, strict=False)),
                "next_against_npy": median(a[1] / b[1] for a, b in zip(times, npy, strict=False)),
                "first_against_parquet": median(a[0] / b[0] for a, b in zip(times, parquet, strict=False)),
                "next_against_parquet": median(a[1] / b[1] for a, b in zip(times, parquet, strict=False)),
                "bytes": sizes[way.partition(", ")[0]],
            }
        )  # fmt: skip
    return rows


def lines(rows):
    """The rows as a table: seconds of the first and of a later epoch, and how many times those of .npy and Parquet."""
    head = f"{'':<42}workers cache{'first':>8}{'next':>8}{'x npy':>8}{'':>8}{'x Parquet':>12}"
    keys = ("first_epoch_seconds", "next_epoch_seconds", *RATIOS)
    return [
        head,
        *(
            f"{row['samples']} x {row['dimension']}, {row['way']}".ljust(42)
            + f"{row['workers']:>7} {'cold' if row['cold'] else 'warm'} "
            + "".join(f"{row[key]:8.3f}" for key in keys)
            for row in rows
        ),
    ]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true", help="A tenth of the samples, one round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("-o", "--output", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    for samples, dimension in SMALL if arguments.small else SHAPES:
        with tempfile.TemporaryDirectory() as folder:
            rows += measure(Path(folder), samples, dimension, 1 if arguments.small else arguments.rounds)
    for line in lines(rows):
        print(line)
    result = {
        "rows": rows,
        "batch": BATCH,
        "rounds": 1 if arguments.small else arguments.rounds,
        "cores": os.cpu_count(),
        **stamp("torch", "numpy", "pyarrow", "webdataset", "constriction", seed=SEED),
    }
    if arguments.output:
        arguments.output.parent.mkdir(parents=True, exist_ok=True)
        arguments.output.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
