import gzip

import numpy as np
import pytest

from taskcodec.data.idx import read_idx, read_idx_folder
from taskcodec.data.sources import open_source
from taskcodec.errors import SourceError
from taskcodec.transforms.pictures.images import open_image


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


def test_a_folder_of_idx_files_is_a_source_with_classes_and_given_parts(tmp_path):
    rng = np.random.default_rng(0)
    for part, count in (("train", 6), ("t10k", 4)):
        images = rng.integers(0, 256, (count, 9, 7), np.uint8)
        (tmp_path / f"{part}-images-idx3-ubyte").write_bytes(idx(images))
        (tmp_path / f"{part}-labels-idx1-ubyte").write_bytes(idx(np.arange(count, dtype=np.uint8)))
    (tmp_path / "README").write_text("digits")
    source = open_source(tmp_path)
    assert [item.id for item in source.items] == [
        *(f"train/{i:05d}" for i in range(6)), *(f"test/{i:05d}" for i in range(4)), "README",
    ]  # fmt: skip
    assert [item.label for item in source.items[6:]] == ["0", "1", "2", "3", None]
    np.testing.assert_array_equal(np.asarray(open_image(source.items[9].read()))[..., 0], images[3])
    assert source.items[10].fault == "beside the IDX files, none of them"
    (tmp_path / "t10k-images-idx3-ubyte").write_bytes(b"cut")
    with pytest.raises(SourceError, match="t10k-images-idx3-ubyte: not an IDX file"):
        open_source(tmp_path)
