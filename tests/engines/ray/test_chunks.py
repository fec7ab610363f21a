"""Chunks are cut where the local writer cuts them, wherever blocks end and whichever samples fail."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest

import taskcodec
from taskcodec.engines.ray.chunks import Chunks
from taskcodec.store import SampleRecord, StoreWriter
from tests.cli.commands import contents
from tests.engines.encode.vectors import low_rank
from tests.engines.ray.inline import Inline

CODEC = taskcodec.fit(low_rank(600), bits=40)


@pytest.fixture(autouse=True)
def ray(monkeypatch):
    """Tasks import Ray; here they find the stand-in."""
    monkeypatch.setitem(sys.modules, "ray", SimpleNamespace(get=lambda reference: reference.value))


def records(start, stop, bad):
    return [SampleRecord(f"s{i}", i, 4, status="broken" if i in bad else "ok") for i in range(start, stop)]


def write(place, cuts, bad=(), first=0, chunk=32, ahead=2, put_by_tasks=True):
    """Samples from cut to cut, in a block each; appended where there is a store already."""
    x, kept = low_rank(cuts[-1], seed=1), [i for i in range(cuts[-1]) if i not in bad]
    symbols = dict(zip(kept, CODEC.encode(x[kept]), strict=True))
    writer = (
        StoreWriter.open(place, source={"more": 1}) if first else StoreWriter.create(place, CODEC, chunk_rows=chunk)
    )
    with writer:
        chunks = Chunks(Inline(), writer, ahead) if put_by_tasks else None
        for start, stop in zip([first, *cuts], cuts, strict=False):
            own = [symbols[i] for i in range(start, stop) if i in symbols]
            block = np.array(own, np.int32).reshape(-1, CODEC.columns)
            if chunks is None:
                writer.append(block, records(start, stop, bad))
            else:
                chunks.append(records(start, stop, bad), Inline().put(block), len(block))
        if chunks is not None:
            chunks.close()
        writer.finish()


@pytest.mark.parametrize("cuts", [[300], [7, 40, 41, 100, 300], [64, 128, 300], [10, 20, 31], [320]])
@pytest.mark.parametrize("bad", [(), (0, 31, 32, 33), tuple(range(40, 300)), tuple(range(5, 41))])
def test_the_store_is_that_of_the_writer_alone(tmp_path, cuts, bad):
    write(tmp_path / "alone.tcz", cuts, bad, put_by_tasks=False)
    write(tmp_path / "tasks.tcz", cuts, bad)
    assert contents(tmp_path / "tasks.tcz") == contents(tmp_path / "alone.tcz")


@pytest.mark.parametrize("bad", [(), (99, 100, 101), tuple(range(90, 100))])
def test_an_append_goes_on_in_a_chunk_that_is_not_full(tmp_path, bad):
    for name in ("alone.tcz", "tasks.tcz"):
        write(tmp_path / name, [100], bad, put_by_tasks=False)
        write(tmp_path / name, [101, 110, 200, 300], bad, first=100, put_by_tasks=name == "tasks.tcz")
    assert contents(tmp_path / "tasks.tcz") == contents(tmp_path / "alone.tcz")
    assert len(taskcodec.open(tmp_path / "tasks.tcz")) == 300 - len(bad)


def test_few_chunks_wait_to_be_committed(tmp_path):
    with StoreWriter.create(tmp_path / "s.tcz", CODEC, chunk_rows=32) as writer:
        chunks, block = Chunks(Inline(), writer, ahead=2), CODEC.encode(low_rank(320))
        chunks.append(records(0, 320, ()), Inline().put(block), 320)
        assert writer.manifest.samples == 320 - 2 * 32
