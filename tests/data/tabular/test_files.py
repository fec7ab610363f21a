"""Files of tables are read and written with their values as they are."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from taskcodec.data.tabular.files import holds_pictures, kind_of, read_table, write_table
from taskcodec.errors import MismatchError, SourceError, UsageError


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_tables_come_back(tmp_path, kind):
    table = pa.table({"a": [1, None, 3], "b": ["x", "y,z", ""], "c": [0.1, -2.5, 1e-9]})
    path = tmp_path / f"t.{kind}"
    write_table(path, table, kind_of(path))
    assert read_table(path, table.schema).equals(table)


def test_arrays_of_whole_numbers_come_back(tmp_path):
    array = RNG.integers(-9, 9, (20, 3)).astype(">i2")
    np.save(tmp_path / "a.npy", array)
    table = read_table(tmp_path / "a.npy")
    assert table.column_names == ["0", "1", "2"]
    write_table(tmp_path / "b.npy", table, "npy")
    found = np.load(tmp_path / "b.npy")
    assert found.dtype == np.int16
    assert np.array_equal(found, array)


def test_what_is_no_table_is_named(tmp_path):
    np.save(tmp_path / "f.npy", np.ones((2, 2)))
    with pytest.raises(MismatchError, match="rows of whole numbers"):
        read_table(tmp_path / "f.npy")
    (tmp_path / "t.parquet").write_bytes(b"PAR1 no more")
    for name in ("t.parquet", "none.csv", "t.txt"):
        with pytest.raises(SourceError, match=name):
            read_table(tmp_path / name)
    with pytest.raises(UsageError, match="several types"):
        write_table(tmp_path / "x.npy", pa.table({"a": [1.5]}), "npy")


RNG = np.random.default_rng(0)


def test_parquet_with_pictures_is_no_table(tmp_path):
    pa.parquet.write_table(pa.table({"image": [b"\x89PNG"], "label": ["a"]}), tmp_path / "p.parquet")
    pa.parquet.write_table(pa.table({"x": [1.5], "label": ["a"]}), tmp_path / "t.parquet")
    assert holds_pictures(tmp_path / "p.parquet")
    assert not holds_pictures(tmp_path / "t.parquet")


def test_nan_in_csv_is_a_number_and_not_missing(tmp_path):
    (tmp_path / "t.csv").write_text("a\n1.5\nnan\nNaN\nNA\n\n", newline="\n")
    found = read_table(tmp_path / "t.csv")["a"]
    assert found.null_count == 1  # an empty line of one column is no row
    assert np.isnan(found.drop_null().to_numpy()).sum() == 2


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_two_columns_of_one_name_are_named(tmp_path, kind):
    path = tmp_path / f"t.{kind}"
    write_table(path, pa.table([pa.array([1]), pa.array([2])], names=["a", "a"]), kind)
    with pytest.raises(SourceError, match=r"two columns are named 'a'"):
        read_table(path)


def test_an_array_without_rows_is_a_table_without_rows(tmp_path):
    np.save(tmp_path / "a.npy", np.empty((0, 3), np.int16))
    assert read_table(tmp_path / "a.npy").shape == (0, 3)
