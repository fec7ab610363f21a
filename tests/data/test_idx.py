import gzip

import numpy as np
import pytest

from taskcodec.data.idx import read_idx, read_idx_folder
from taskcodec.errors import SourceError


def idx(array):
    return bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes() + array.tobytes()


def test_images_and_labels_come_back(tmp_path):
    images, labels = np.arange(24, dtype=np.uint8).reshape(2, 3, 4), np.array([7, 1], np.uint8)
    (tmp_path / "train-images-idx3-ubyte").write_bytes(idx(images))
    (tmp_path / "train-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx(labels)))
    found = read_idx_folder(tmp_path)
    assert np.array_equal(found[0], images)
    assert np.array_equal(found[1], labels)
    with pytest.raises(SourceError, match="t10k-images"):
        read_idx_folder(tmp_path, "t10k")
    (tmp_path / "train-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx(labels[:1])))
    with pytest.raises(SourceError, match="do not go together"):
        read_idx_folder(tmp_path)


@pytest.mark.parametrize(
    "data", [b"", b"\x00\x00\x08", b"\x00\x00\x0d\x01" + b"\x00" * 8, idx(np.zeros((2, 2), np.uint8))[:-1],
             b"\x1f\x8bnot gzip", b"\x00\x00\x08\x04" + b"\xff" * 16]
)  # fmt: skip
def test_damaged_files_are_named(tmp_path, data):
    (tmp_path / "x").write_bytes(data)
    with pytest.raises(SourceError, match="x: "):
        read_idx(tmp_path / "x")


def test_mnist_is_read(data_dir):
    images, labels = read_idx_folder(data_dir / "mnist", "t10k")
    assert images.shape == (10_000, 28, 28)
    assert np.bincount(labels).min() > 800
