import io
import json
import zipfile

import numpy as np
import pytest
import torch
from PIL import Image

from taskcodec.data.dense.scenes import Scenes
from taskcodec.distortions.tasks import Detection
from taskcodec.errors import BackboneError, SourceError, UsageError
from taskcodec.evaluation.dense.of_task import PictureTask, score_pictures
from taskcodec.transforms.predictors.load import load_predictor
from taskcodec.transforms.predictors.saved import SmallPredictor, save_small
from tests import ROOT

LARGEST_ERROR = 0.1
"""Mean relative error of depth."""


def test_by_name(tmp_path):
    of = SmallPredictor("segmentation", (8, 8, 8, 8), ("a", "b"))
    save_small(of.build(), of, tmp_path / "p.safetensors")
    assert load_predictor(f"small:{tmp_path}/p.safetensors")(torch.rand(1, 3, 8, 8)).shape == (1, 2, 4, 4)
    with pytest.raises(SourceError, match=r"none\.onnx: cannot be read"):
        load_predictor(f"yolox:{tmp_path}/none.onnx")
    with pytest.raises(BackboneError, match="no detector or segmenter"):
        load_predictor("torchvision:resnet18")


@pytest.mark.parametrize("name", ["", "nothing", "small:", "word:file"])
def test_names_that_are_none(name):
    with pytest.raises(UsageError, match="predictor must be one of"):
        load_predictor(name)


def test_the_detector_of_scenes_that_ships():
    """On some of the scenes that it was measured on it is about as good as was written down of all."""
    results = json.loads((ROOT / "benchmarks" / "results" / "scenes_detector.json").read_text())
    scenes = Scenes(40, 64, 64, seed=2)
    task = PictureTask(scenes, Detection(load_predictor("scenes_detector")), "ships")
    scores = score_pictures(task, (scenes[place].pixels for place in range(len(scenes))))
    (found,) = scores.values(np.ones((1, len(scenes))))
    assert found == pytest.approx(results["map on 500 unseen scenes"], abs=0.1)


def test_the_depth_network_that_ships(data_dir):
    """On two scenes that it was not trained on; figures of all are in benchmarks/results/osd_depth.json."""
    file = data_dir / "osd_rgbd_seg" / "osd_rgbd_seg.zip"
    if not file.is_file():
        pytest.skip(f"no {file}")
    network = load_predictor("osd_depth")
    with zipfile.ZipFile(file) as archive:
        for name in ("test10", "test40"):
            picture, depth = (
                np.array(Image.open(io.BytesIO(archive.read(f"test/{folder}/{name}.png"))))
                for folder in ("rgb", "depth_mm")
            )
            pixels = (torch.from_numpy(picture).permute(2, 0, 1)[None].float() / 255).requires_grad_()
            found = network(pixels)
            assert found.shape == (1, 120, 160)
            known = depth[::2, ::2] > 0
            true = depth[::2, ::2][known] / 1000
            assert np.mean(abs(found[0].detach().numpy()[known] - true) / true) < LARGEST_ERROR
            found.sum().backward()
            assert pixels.grad.abs().sum() > 0
