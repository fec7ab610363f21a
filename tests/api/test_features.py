"""`taskcodec.features`: what the command writes, as an array."""

import warnings

import numpy as np
import pytest
from PIL import Image

import taskcodec
from taskcodec.errors import SkippedWarning, SourceError, UsageError
from tests.cli.commands import run


def test_features_are_what_the_command_writes(folder, tmp_path):
    run("features", folder / "x.npy", "-o", tmp_path / "f.npy")
    with pytest.warns(
        SkippedWarning, match=r"x\.npy: 1 of 300 samples left out \(the first: 7: NaN or infinity"
    ) as told:
        found = taskcodec.features(folder / "x.npy")
    assert told[0].filename == __file__
    assert found.dtype == np.float32
    assert np.array_equal(found, np.load(tmp_path / "f.npy"))
    np.save(tmp_path / "sound.npy", found)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.array_equal(taskcodec.features(str(tmp_path / "sound.npy")), found)
    np.save(tmp_path / "nan.npy", found * np.nan)
    with pytest.raises(SourceError, match="none of its 299 files could be read"):
        taskcodec.features(tmp_path / "nan.npy")
    with pytest.raises(SourceError, match="no such file"):
        taskcodec.features(tmp_path / "none")
    with pytest.raises(UsageError, match="holds vectors"):
        taskcodec.features(tmp_path / "sound.npy", backbone="lite0")


def test_features_of_images_by_any_backbone(tmp_path):
    models = pytest.importorskip("tests.transforms.tiny_models")
    (tmp_path / "model").mkdir()
    (tmp_path / "photos").mkdir()
    name, _ = models.clip(tmp_path / "model")
    for i in range(3):
        Image.effect_noise((40, 40), 10 * i + 1).save(tmp_path / "photos" / f"{i}.png")
    run("features", tmp_path / "photos", "-o", tmp_path / "f.npy", "--backbone", name)
    found = taskcodec.features(tmp_path / "photos", backbone=name, device="cpu")
    assert np.allclose(found, np.load(tmp_path / "f.npy"), atol=1e-6)
