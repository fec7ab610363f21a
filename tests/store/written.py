"""Stores as the writer writes them."""

from taskcodec.store import SampleRecord, StoreWriter

N, D, CHUNK = 700, 24, 128


def records(count, start=0, bad=()):
    return [
        SampleRecord(f"ü{i}", i, 100, 4, 5, "even" if i % 2 == 0 else "odd", "broken" if i in bad else "ok")
        for i in range(start, start + count)
    ]


def write(place, codec, x, bad=(), chunk=CHUNK):
    with StoreWriter.create(place, codec, chunk_rows=chunk) as writer:
        for start in range(0, len(x), 50):
            part = records(len(x[start : start + 50]), start, bad)
            kept = [record.source_index for record in part if record.status == "ok"]
            writer.append(codec.encode(x[kept]), part)
        writer.finish()
    return place
