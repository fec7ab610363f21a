"""What Zarr's sharding codec would give over longer chunks: objects, and what one random row costs.

    python benchmarks/shards.py [--rows 131072] [-o benchmarks/results/shards.json]

Vectors of 64 features at 128 bits: chunks of 1,024 rows, of 16,384 and of 65,536 (`encode --chunk`), and shards of
65,536 rows with chunks of 1,024 in them, as Zarr writes and reads them. Bytes and requests are what a store is asked
for by one random row, the mean of some; the metadata is not counted, since a reader keeps it.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import zarr
from stamp import stamp
from zarr.codecs import Crc32cCodec
from zarr.storage import MemoryStore

import taskcodec
from taskcodec.store.format.zarr_codec import AnsCodec

D, BITS, TRIES = 64, 128, 20
LAYOUTS = ((1024, None), (16_384, None), (65_536, None), (1024, 65_536))
"""(rows of a chunk, rows of a shard or None)."""


class Counted(MemoryStore):
    """Counts what is read of chunks."""

    requests = bytes = 0

    async def get(self, key, prototype, byte_range=None):
        found = await super().get(key, prototype, byte_range)
        if "/c/" in f"/{key}" and found is not None:
            self.requests, self.bytes = self.requests + 1, self.bytes + len(found)
        return found


def measured(symbols, model, chunk, shard):
    store = Counted()
    array = zarr.create_array(
        store,
        shape=symbols.shape,
        dtype="int32",
        chunks=(chunk, symbols.shape[1]),
        shards=None if shard is None else (shard, symbols.shape[1]),
        serializer=AnsCodec(model),
        compressors=(Crc32cCodec(),),
        filters=(),
        fill_value=0,
    )
    array[:] = symbols
    sizes = [len(value) for key, value in store._store_dict.items() if key.startswith("c/")]
    store.requests = store.bytes = 0
    rows = np.random.default_rng(1).integers(0, len(symbols), TRIES)
    for row in rows:
        assert np.array_equal(array[int(row)], symbols[row])
    return {
        "chunk_rows": chunk,
        "shard_rows": shard,
        "objects_of_a_billion_rows": -(-(10**9) // (shard or chunk)),
        "bits_a_row": round(8 * sum(sizes) / len(symbols), 2),
        "requests_of_a_row": store.requests / TRIES,
        "bytes_of_a_row": round(store.bytes / TRIES),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=2**17)
    parser.add_argument("-o", "--output", type=Path, default=Path("benchmarks/results/shards.json"))
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    mix = (rng.normal(size=(D, D)) * np.linspace(1, 0.05, D)).astype("f4")
    features = rng.normal(size=(options.rows, D)).astype("f4") @ mix
    codec = taskcodec.fit(features[:20_000], bits=BITS)
    symbols = codec.encode(features)
    found = [measured(symbols, codec.base.model, *layout) for layout in LAYOUTS]
    for each in found:
        print(each)
    options.output.write_text(
        json.dumps({"rows": options.rows, "layouts": found, **stamp("zarr", "numpy", seed=0)}, indent=2) + "\n"
    )


if __name__ == "__main__":
    main()
