"""Chunks put by others, committed by the writer: the store is the one that the writer writes alone."""

import pickle

import numpy as np
import pytest

import taskcodec
from taskcodec.errors import MismatchError
from taskcodec.store import SampleRecord, StoreWriter
from taskcodec.store.writer import records_for
from tests.cli.commands import contents
from tests.layered import features, layered
from tests.store.written import CHUNK, N, records, write


def put_by_others(writer, symbols, records):
    """Commit all full chunks of what the writer holds and of this, put by copies of its chunk writer."""
    held, before = writer.take_pending()
    symbols, records = np.concatenate([held, symbols]), [*before, *records]
    copy = pickle.loads(pickle.dumps(writer.chunks))
    while len(symbols) >= CHUNK:
        cut = records_for(records, CHUNK)
        crcs = copy.put(writer.manifest.samples // CHUNK, symbols[:CHUNK])
        writer.append_written(records[:cut], crcs)
        symbols, records = symbols[CHUNK:], records[cut:]
    writer.append(symbols, records)


def test_a_store_of_chunks_put_by_others(tmp_path, codec, x):
    bad = (0, 5, 127, 128, 300, N - 1)
    write(tmp_path / "alone.tcz", codec, x, bad)
    kept = [i for i in range(N) if i not in bad]
    with StoreWriter.create(tmp_path / "others.tcz", codec, chunk_rows=CHUNK) as writer:
        put_by_others(writer, codec.encode(x[kept]), records(N, 0, bad))
        writer.finish()
    assert contents(tmp_path / "others.tcz") == contents(tmp_path / "alone.tcz")


def test_an_append_of_chunks_put_by_others(tmp_path, codec, x):
    for name in ("alone", "others"):
        write(tmp_path / f"{name}.tcz", codec, x[:200])
    more = records(N - 200, 200)
    with StoreWriter.open(tmp_path / "alone.tcz", source={"kind": "more"}) as writer:
        writer.append(codec.encode(x[200:]), more)
        writer.finish()
    with StoreWriter.open(tmp_path / "others.tcz", source={"kind": "more"}) as writer:
        put_by_others(writer, codec.encode(x[200:]), more)
        writer.finish()
    assert contents(tmp_path / "others.tcz") == contents(tmp_path / "alone.tcz")
    assert np.array_equal(taskcodec.open(tmp_path / "others.tcz").symbols[:], codec.encode(x))


def test_a_written_chunk_that_is_not_full_or_not_next_is_refused(tmp_path, codec, x):
    with StoreWriter.create(tmp_path / "s.tcz", codec, chunk_rows=CHUNK) as writer:
        crcs = writer.chunks.put(0, codec.encode(x[:CHUNK]))
        with pytest.raises(MismatchError):
            writer.append_written(records(CHUNK - 1), crcs)
        writer.append(codec.encode(x[:1]), [SampleRecord("a", 0, 1)])
        with pytest.raises(MismatchError):
            writer.append_written(records(CHUNK), crcs)


def test_layers_put_by_others(tmp_path):
    codec, found = layered(), features(300)
    write(tmp_path / "alone.tcz", codec, found)
    with StoreWriter.create(tmp_path / "others.tcz", codec, chunk_rows=CHUNK) as writer:
        put_by_others(writer, codec.encode(found), records(300))
        writer.finish()
    assert contents(tmp_path / "others.tcz") == contents(tmp_path / "alone.tcz")
