"""What a configuration reads to train on: evenly from all of a source, and what is left out is told."""

import gzip
import json
import warnings
from importlib.util import find_spec

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from taskcodec.engines.train.config import read_config
from taskcodec.errors import UsageError
from tests.cli.commands import run

if any(find_spec(name) is None for name in ("lightning", "kornia", "yaml", "PIL")):
    pytest.skip("the train extra is not installed", allow_module_level=True)
from taskcodec.engines.train.data import training_set
from taskcodec.engines.train.job import train_all

CONFIG = """
data: {source: SOURCE}
model: {objective: BINCE, columns: 1, analysis: {name: mlp, hidden: [8]}}
beta: 0.1
training: {steps: 2, batch: 4, accelerator: cpu}
"""


def read(folder, source, old="", new=""):
    (folder / "c.yaml").write_text(CONFIG.replace("SOURCE", str(folder / source)).replace(old, new))
    return training_set(read_config(folder / "c.yaml"))


def test_rows_that_are_not_finite_are_left_out_and_told(tmp_path, monkeypatch):
    points = np.random.default_rng(0).normal(size=(20, 3)).astype("f4")
    points[[7, 9], 1] = np.nan
    np.save(tmp_path / "x.npy", points)
    data, left_out = read(tmp_path, "x.npy")
    assert data.samples.shape == (18, 3)
    assert (left_out.count, left_out.first) == (2, "7")
    monkeypatch.chdir(tmp_path)
    found = run("train", "c.yaml", "-o", "x.codec", "--json")
    told = "2 samples were left out; the first: 7 (not all of its numbers are finite)"
    assert found.stderr.splitlines()[-1] == f"taskcodec: {told}"
    assert json.loads(found.stdout)[0]["left_out"]["count"] == 2


def test_samples_are_spread_over_a_sorted_source(tmp_path):
    np.save(tmp_path / "x.npy", np.arange(100, dtype="f4")[:, None])
    data, left_out = read(tmp_path, "x.npy", "x.npy}", "x.npy, samples: 10}")
    assert data.samples[:, 0].tolist() == list(range(0, 100, 10))
    assert left_out is None


def test_images_that_cannot_be_read_are_told(tmp_path):
    from PIL import Image

    for name in ("a", "b"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for number in range(4):
            Image.new("RGB", (8, 8), (number, 0, 0)).save(tmp_path / "photos" / name / f"{number}.png")
    (tmp_path / "photos" / "a" / "0.png").write_bytes(b"no image")
    data, left_out = read(tmp_path, "photos", "photos}", "photos, side: 8}")
    assert data.samples.shape == (7, 3, 8, 8)
    assert (left_out.count, left_out.first) == (1, "a/0.png")
    assert left_out.reason


def test_a_batch_larger_than_the_data_is_refused(tmp_path):
    np.save(tmp_path / "x.npy", np.zeros((3, 2), "f4"))
    read(tmp_path, "x.npy")
    with pytest.raises(UsageError, match=r"c\.yaml: training\.batch: 4 is more than the 3 samples"):
        train_all(read_config(tmp_path / "c.yaml"), tmp_path / "x.codec")


def test_class_names_of_vectors_are_numbered(tmp_path):
    columns = {"label": ["b", "a", "b", "c", "a"], "features": [[1.0, 2.0]] * 2 + [[np.nan, 2.0]] + [[3.0, 4.0]] * 2}
    pq.write_table(pa.table(columns), tmp_path / "x.parquet")
    assert read(tmp_path, "x.parquet")[0].labels.tolist() == [1, 0, 2, 0]
    pq.write_table(pa.table({**columns, "label": ["b", "a", "b", None, "a"]}), tmp_path / "x.parquet")
    assert read(tmp_path, "x.parquet")[0].labels is None


def test_the_classes_of_a_folder_go_with_the_features_of_a_backbone(tmp_path):
    from PIL import Image

    for number, name in enumerate("abab"):
        (tmp_path / "photos" / name).mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (32, 32), (60 * number, 0, 0)).save(tmp_path / "photos" / name / f"{number}.png")
    data, _ = read(tmp_path, "photos", "photos}", "photos, backbone: lite0}")
    assert data.samples.shape == (4, 1280)
    assert data.labels.tolist() == [0, 0, 1, 1]


def test_idx_files_are_read_without_a_warning(tmp_path):
    for name, shape in (("images-idx3", (6, 8, 8)), ("labels-idx1", (6,))):
        header = bytes([0, 0, 8, len(shape)]) + b"".join(n.to_bytes(4, "big") for n in shape)
        (tmp_path / f"train-{name}-ubyte.gz").write_bytes(gzip.compress(header + bytes(int(np.prod(shape)))))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        data, _ = read(tmp_path, ".")
    assert data.samples.shape == (6, 1, 8, 8)
