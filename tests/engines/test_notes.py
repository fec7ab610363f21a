"""A sample that was coded all the same tells why its reader should know, in its record and in a line."""

import numpy as np
import pyarrow.parquet as pq
from PIL import Image

import taskcodec
from taskcodec.store import SampleRecord, StoreWriter
from tests.cli.test_main import run
from tests.data.pictures import as_bytes, encoded, noise, put


def dim(largest):
    pixels = np.random.default_rng(largest).integers(0, largest + 1, (30, 40)).astype(np.uint16)
    pixels[0, 0] = largest
    return as_bytes(Image.fromarray(pixels))


def test_pictures_of_fewer_bits_than_their_files_are_counted_and_named(tmp_path):
    put(tmp_path / "p", {"a.png": dim(4000), "b.png": dim(4000), "c.png": dim(200), "d.png": as_bytes(noise())})
    store, said = encoded(tmp_path / "p", tmp_path / "s.tcz")
    assert store.samples["note"].to_pylist() == [
        "12-bit values in a 16-bit picture", "12-bit values in a 16-bit picture", "8-bit values in a 16-bit picture",
        None,
    ]  # fmt: skip
    assert said == [
        f"warning: {tmp_path / 'p'}: 3 of 4 samples were coded with a note: 2 with 12-bit values in a 16-bit picture "
        "(such as a.png), 1 with 8-bit values in a 16-bit picture (such as c.png)"
    ]
    listed = run("info", tmp_path / "s.tcz", "--failures").stdout
    assert "coded, with 8-bit values in a 16-bit picture: c.png" in listed
    put(tmp_path / "q", {"e.png": dim(1000)})
    _, said = encoded(tmp_path / "q", tmp_path / "s.tcz", append=True)
    assert said == [
        f"warning: {tmp_path / 'q'}: 1 of 1 samples were coded with a note: 1 with 10-bit values in a 16-bit picture "
        "(such as e.png)"
    ]


def test_nothing_is_said_of_pictures_of_8_bits(tmp_path):
    put(tmp_path / "p", {f"{i}.png": as_bytes(noise(i)) for i in range(3)})
    store, said = encoded(tmp_path / "p", tmp_path / "s.tcz")
    assert said == []
    part = next((tmp_path / "s.tcz" / "samples").iterdir())
    assert "note" not in pq.read_schema(part).names  # a store without notes is as it was before there were any
    assert store.records["note"].null_count == 3


def test_parts_with_and_without_notes_are_read_as_one(tmp_path):
    codec = taskcodec.fit(np.random.default_rng(0).normal(size=(300, 8)).astype("f4"), bits=20)
    symbols = codec.encode(np.zeros((4, 8), "f4"))
    with StoreWriter.create(tmp_path / "s.tcz", codec, chunk_rows=2) as writer:
        writer.append(symbols[:2], [SampleRecord("a", 0, 1), SampleRecord("b", 1, 1)])
        writer.append(symbols[2:], [SampleRecord("c", 2, 1, note="odd"), SampleRecord("d", 3, 1)])
        writer.finish()
    store = taskcodec.open(tmp_path / "s.tcz")
    assert store.samples["note"].to_pylist() == [None, None, "odd", None]
    assert store.verify() == []
    with StoreWriter.open(tmp_path / "s.tcz", source={}) as writer:
        writer.append(symbols[:1], [SampleRecord("e", 4, 1)])
        writer.finish()
    assert taskcodec.open(tmp_path / "s.tcz").samples["note"].to_pylist() == [None, None, "odd", None, None]
