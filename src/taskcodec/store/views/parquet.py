"""A store as one Parquet file of ids, labels and features."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from taskcodec.atomic import replacing
from taskcodec.store.format.records import SCHEMA
from taskcodec.store.views.protocol import Readable


def write_parquet(store: Readable, path: str | Path) -> None:
    """See `Store.to_parquet`."""
    d = store.manifest.dimension
    schema = pa.schema([("id", pa.string()), ("label", pa.string()), ("features", pa.list_(pa.float32(), d))])
    names, start = ("id", "label"), 0
    empty = SCHEMA.empty_table().select(list(names))  # a store may have no file of records
    samples = pa.concat_tables([empty, *store.tables(*names)])
    # Arrow takes names of text alone; a file system may have others.
    with replacing(path) as temporary, open(temporary, "wb") as file, pq.ParquetWriter(file, schema) as writer:
        for batch in store.batches():
            rows = samples.slice(start, len(batch)).combine_chunks()
            lists = pa.FixedSizeListArray.from_arrays(pa.array(batch.ravel()), d)
            writer.write_table(pa.table([rows["id"], rows["label"], lists], schema=schema))
            start += len(batch)
