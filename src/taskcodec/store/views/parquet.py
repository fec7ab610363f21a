"""A store as one Parquet file of ids, labels and features."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from taskcodec.atomic import replacing
from taskcodec.store.views.protocol import Readable


def write_parquet(store: Readable, path: str | Path) -> None:
    """See `Store.to_parquet`."""
    d = store.manifest.dimension
    schema = pa.schema([("id", pa.string()), ("label", pa.string()), ("features", pa.list_(pa.float32(), d))])
    samples, start = store.samples.select(["id", "label"]), 0
    with replacing(path) as temporary, pq.ParquetWriter(temporary, schema) as writer:
        for batch in store.batches():
            rows = samples.slice(start, len(batch)).combine_chunks()
            lists = pa.FixedSizeListArray.from_arrays(pa.array(batch.ravel()), d)
            writer.write_table(pa.table([rows["id"], rows["label"], lists], schema=schema))
            start += len(batch)
