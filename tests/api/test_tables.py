"""From a file of rows to a store and back: by commands and from Python, in another process, bit for bit."""

import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

import taskcodec
from taskcodec.api.decode import decode_to_file
from taskcodec.api.tables import encode_table, fit_table_file
from taskcodec.cli.main import app
from taskcodec.errors import CorruptFileError, MismatchError, StorageError, UsageError

RNG = np.random.default_rng(0)


def rows(n=300):
    return pa.table(
        {
            "age": RNG.integers(20, 80, n),
            "town": RNG.choice(["Ulm", "Bern"], n),
            "dose": np.where(RNG.random(n) < 0.1, np.nan, np.round(RNG.normal(5, 1, n), 2)),
        }
    )


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    place = tmp_path_factory.mktemp("tables")
    table = rows()
    pq.write_table(table, place / "t.parquet")
    codec = fit_table_file(place / "t.parquet").codec
    return place, table, codec, encode_table(place / "t.parquet", place / "t.tcz", codec, 128)


def bits(table):
    return [np.asarray(column.to_numpy()).tobytes() for column in table.select(["age", "dose"]).columns]


@pytest.mark.slow
def test_rows_come_back_in_another_process(stored):
    place, table, _, store = stored
    assert store.verify() == []
    code = "import sys, taskcodec as t, pyarrow.parquet as q; assert 'torch' not in sys.modules;"
    code += "q.write_table(t.open(sys.argv[1]).values[:], sys.argv[2]); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code, place / "t.tcz", place / "back.parquet"], check=True)
    found = pq.read_table(place / "back.parquet")
    assert found.schema.equals(table.schema)
    assert bits(found) == bits(table)
    assert found["town"].equals(table["town"])
    assert store.values[7]["town"] == table["town"][7].as_py()
    assert bits(store.values[130:140]) == bits(table.slice(130, 10))


def test_commands_do_the_same(stored, tmp_path):
    place, table, _, _ = stored
    run = CliRunner().invoke
    names = [str(tmp_path / name) for name in ("t.codec", "t.tcz", "t.csv")]
    for words in (
        ["fit", str(place / "t.parquet"), "-o", names[0], "--lossless"],
        ["encode", str(place / "t.parquet"), names[1], "--codec", names[0]],
        ["decode", names[1], "-o", names[2]],
        ["verify", names[1]],
        ["info", names[1]],
    ):
        found = run(app, words, catch_exceptions=False)
        assert found.exit_code == 0, found.output
    text = (tmp_path / "t.csv").read_text()
    assert text.splitlines()[0] == '"age","town","dose"'
    assert len(text.splitlines()) == len(table) + 1


def test_faults_are_named(stored, tmp_path):
    place, table, codec, _ = stored
    with pytest.raises(StorageError, match="a store already"):
        encode_table(place / "t.parquet", place / "t.tcz", codec)
    pq.write_table(table.drop_columns("age"), tmp_path / "other.parquet")
    with pytest.raises(MismatchError, match="columns"):
        encode_table(tmp_path / "other.parquet", tmp_path / "o.tcz", codec)
    with pytest.raises(UsageError, match=r"\.parquet, \.csv or \.npy"):
        decode_to_file(place / "t.tcz", tmp_path / "x.txt")


def test_damage_is_named(stored, tmp_path):
    place, _, codec, _ = stored
    encode_table(place / "t.parquet", tmp_path / "d.tcz", codec)
    chunk = next(path for path in (tmp_path / "d.tcz/layers").rglob("*") if path.is_file() and path.suffix != ".json")
    data = bytearray(chunk.read_bytes())
    data[len(data) // 2] ^= 1
    chunk.write_bytes(bytes(data))
    with pytest.raises(CorruptFileError):
        _ = taskcodec.open(tmp_path / "d.tcz").values[:]
