"""Pictures, predictors and codecs that a configuration names."""

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("torch")
pytest.importorskip("yaml")

import taskcodec
from taskcodec.engines.train.config import read_config
from taskcodec.engines.train.pictures.config import PREDICTORS, SHIPPED
from taskcodec.engines.train.pictures.data import fixed_of, picture_set
from taskcodec.errors import SourceError, UsageError
from taskcodec.transforms.predictors import load
from tests.engines.train.pictures.test_config import GOOD


def config(folder, old="", new=""):
    (folder / "c.yaml").write_text(GOOD.replace(old, new, 1))
    return read_config(folder / "c.yaml")


def photos(folder, classes=("a", "b")):
    rng = np.random.default_rng(0)
    for number in range(6):
        place = folder / "photos" / classes[number % len(classes)]
        place.mkdir(parents=True, exist_ok=True)
        x = rng.integers(0, 256, (20 + number, 40, 3), dtype=np.uint8)
        Image.fromarray(x).save(place / f"{number}.png")
    (folder / "photos" / classes[0] / "broken.png").write_bytes(b"none")


def test_scenes_come_with_all_that_is_known(tmp_path):
    found, left_out = picture_set(config(tmp_path))
    assert (len(found.pictures), left_out) == (20, None)
    assert found.pictures[0].depth.shape == found.pictures[0].pixels.shape[:2] == (16, 16)
    assert found.classes["segmentation"] == 7
    assert 2 <= found.classes["classification"] <= 5


def test_images_keep_their_shape_and_their_folders_classes(tmp_path):
    photos(tmp_path)
    found, left_out = picture_set(config(tmp_path, "scenes, samples: 20", f"{tmp_path / 'photos'}, samples: 100"))
    assert left_out.count == 1
    assert left_out.first == "a/broken.png"
    assert sorted(picture.pixels.shape for picture in found.pictures)[0] == (16, 26, 3)
    assert [picture.whole for picture in found.pictures] == [0, 0, 0, 1, 1, 1]
    assert found.classes == {"classification": 2}
    few, _ = picture_set(config(tmp_path, "scenes, samples: 20", f"{tmp_path / 'photos'}, samples: 4"))
    assert len(few.pictures) == 3


def test_images_without_classes_have_none(tmp_path):
    photos(tmp_path, ("a",))
    found, _ = picture_set(config(tmp_path, "scenes, samples: 20", str(tmp_path / "photos")))
    assert (found.classes, found.pictures[0].whole) == ({}, None)


def test_predictors_are_those_that_can_be_loaded(tmp_path):
    assert (PREDICTORS, SHIPPED) == (load.KINDS, load.SHIPPED)
    fixed = fixed_of(config(tmp_path, "preview: 0.1", "predictor: osd_depth"))
    assert list(fixed.predictors) == ["osd_depth"]
    fixed = fixed_of(config(tmp_path, "preview: 0.1", "informed_by: osd_depth"))
    assert list(fixed.predictors) == ["osd_depth"]
    with pytest.raises(SourceError, match=r"c.yaml: layers.base.predictor: none.onnx"):
        fixed_of(config(tmp_path, "preview: 0.1", "predictor: 'yolox:none.onnx'"))


def test_faults_name_file_and_key(tmp_path):
    np.save(tmp_path / "x.npy", np.zeros((9, 4), "f4"))
    with pytest.raises(SourceError, match=r"c.yaml: data.source: .*vectors, where layers of pictures need images"):
        picture_set(config(tmp_path, "scenes, samples: 20", str(tmp_path / "x.npy")))
    taskcodec.fit(np.random.default_rng(0).normal(size=(50, 4)), bits=4).save(tmp_path / "v.codec")
    with pytest.raises(UsageError, match=r"c.yaml: .*a codec of vectors, not of pictures"):
        fixed_of(config(tmp_path, "beta: [", f"below: {tmp_path / 'v.codec'}\nbeta: ["))
