import numpy as np
import pytest

from taskcodec.errors import StorageError
from taskcodec.evaluation.npz import read_arrays, write_arrays


def test_what_is_written_is_read_again_whole_or_not_at_all(tmp_path):
    file = tmp_path / "deep" / "x.npz"
    assert read_arrays(file) is None
    write_arrays(file, {"a": np.arange(5), "b": np.eye(2)})
    assert np.array_equal(read_arrays(file)["a"], np.arange(5))
    assert read_arrays(file, ("b", "c")).keys() == {"b"}
    file.write_bytes(file.read_bytes()[:-40])
    assert read_arrays(file) is None


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match=r"file: cannot be made"):
        write_arrays(tmp_path / "file" / "x.npz", {"a": np.arange(5)})
