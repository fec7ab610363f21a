"""torchvision's detectors and segmenters, with weights of a file; nothing is fetched."""

from importlib.util import find_spec

import pytest
import torch

from taskcodec.errors import BackboneError
from taskcodec.transforms.predictors.torchvision_models import (
    TorchvisionDetector,
    TorchvisionSegmenter,
    load_torchvision,
)
from taskcodec.transforms.torchvision import import_torchvision

pytestmark = pytest.mark.skipif(find_spec("torchvision") is None, reason="torchvision not installed")
SEGMENTER, DETECTOR = "lraspp_mobilenet_v3_large", "fasterrcnn_mobilenet_v3_large_320_fpn"


def weights(name, folder, classes, **options):
    import_torchvision()
    from torchvision import models

    torch.manual_seed(0)
    network = models.get_model(name, weights=None, weights_backbone=None, num_classes=classes, **options)
    torch.save(network.state_dict(), folder / "w.pth")
    return network.eval(), f"{name}@{folder / 'w.pth'}"


@pytest.mark.slow  # importing torchvision takes seconds
@pytest.mark.parametrize("name", [SEGMENTER, "deeplabv3_mobilenet_v3_large"])
def test_a_segmenter_of_a_file(tmp_path, name):
    options = {"aux_loss": True} if name.startswith("deeplab") else {}
    network, called = weights(name, tmp_path, 4, **options)
    segmenter = load_torchvision(called)
    assert isinstance(segmenter, TorchvisionSegmenter)
    pictures = torch.rand(1, 3, 40, 48, requires_grad=True)
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    expected = network((pictures - mean[:, None, None]) / std[:, None, None])["out"]
    scores = segmenter(pictures)
    assert scores.shape == (1, 4, 40, 48)
    torch.testing.assert_close(scores, expected)
    scores.square().sum().backward()
    assert pictures.grad.abs().sum() > 0


@pytest.fixture
def operators(monkeypatch):
    """torchvision's operators in Python: they are compiled, and here perhaps for another torch."""
    import_torchvision()
    from torchvision.ops import boxes, poolers
    from torchvision.ops.roi_align import _roi_align

    def nms(corners, scores, most):
        kept, order, shared = [], scores.argsort(descending=True).tolist(), boxes.box_iou(corners, corners).tolist()
        while order:
            kept.append(order.pop(0))
            order = [i for i in order if shared[kept[-1]][i] <= most]
        return torch.tensor(kept, dtype=torch.long)

    def roi_align(x, rois, output_size, spatial_scale, sampling_ratio):
        return _roi_align(x, rois, spatial_scale, *output_size, sampling_ratio, False)

    monkeypatch.setattr(boxes, "nms", nms)
    monkeypatch.setattr(poolers, "roi_align", roi_align)


@pytest.mark.slow
def test_a_detector_of_a_file(tmp_path, operators):
    network, called = weights(DETECTOR, tmp_path, 4)
    detector = load_torchvision(called)
    assert isinstance(detector, TorchvisionDetector)
    for each in (network, detector.network):  # few proposals in small pictures
        each.transform.min_size, each.transform.max_size = (64,), 64
        each.rpn._pre_nms_top_n = each.rpn._post_nms_top_n = {"training": 6, "testing": 6}
        each.rpn.score_thresh, each.roi_heads.score_thresh = 0.0, 0.2
    pictures = torch.rand(2, 3, 60, 64, requires_grad=True)
    expected = network(list(pictures))
    for boxes, theirs in zip(detector.found(pictures), expected, strict=True):
        torch.testing.assert_close(boxes.corners, theirs["boxes"])
        torch.testing.assert_close(boxes.labels, theirs["labels"] - 1)  # theirs begin with a background
    before = {key: value.clone() for key, value in detector.state_dict().items()}
    loss = detector.loss(pictures, [torch.tensor([[5.0, 5, 40, 50]])] * 2, [torch.tensor([2])] * 2)
    loss.sum().backward()
    assert loss.shape == (2,)
    assert pictures.grad.abs().sum() > 0
    assert not detector.network.training
    for key, value in detector.state_dict().items():
        torch.testing.assert_close(value, before[key])


def test_no_model_that_is_known():
    with pytest.raises(BackboneError, match="resnet18: no detector or segmenter of fasterrcnn"):
        load_torchvision("resnet18")


@pytest.mark.slow
def test_weights_that_do_not_fit(tmp_path):
    _, called = weights(SEGMENTER, tmp_path, 4)
    file = called.partition("@")[2]
    with pytest.raises(BackboneError, match="no such weights file"):
        load_torchvision(f"{SEGMENTER}@{tmp_path}/none.pth")
    with pytest.raises(BackboneError, match="of another model"):
        load_torchvision(f"deeplabv3_resnet50@{file}")
    state = torch.load(file, weights_only=True)
    del state["classifier.cbr.0.weight"]
    torch.save(state, file)
    with pytest.raises(BackboneError, match="weights of another model"):
        load_torchvision(called)
