"""YOLOX in torch: the same boxes as from the exported file, with gradients."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from taskcodec.errors import SourceError
from taskcodec.transforms.predictors.yolox import PAD, Yolox, letterbox, load_yolox

FILE = "frozen_predictors/yolox_nano_416.onnx"


def test_letterbox_is_that_of_the_authors():
    """Bilinear at the upper left of grey, as Pillow does it, to a grey level."""
    rows, columns = np.mgrid[:50, :70]
    image = np.stack([rows * 5 % 256, columns * 3, (rows + columns) * 2], axis=-1).astype(np.uint8)
    pictures = torch.from_numpy(image).permute(2, 0, 1)[None] / 255
    for side in (32, 64, 160):
        seen, scale = letterbox(pictures, side)
        assert scale == side / 70
        height, width = int(50 * scale), int(70 * scale)
        expected = np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR))
        found = 255 * seen[0].permute(1, 2, 0).numpy()
        assert found.shape == (side, side, 3)
        assert np.abs(found[:height, :width] - expected).max() <= 1.01
        assert np.allclose(found[height:], 114)


def test_without_a_side_pictures_stay_and_are_padded_to_whole_strides():
    seen, scale = letterbox(torch.rand(1, 3, 9, 33), None, 8)
    assert (scale, seen.shape) == (1, (1, 3, 16, 40))
    assert (seen[:, :, 9:] == PAD).all()


class Fixed(nn.Module):
    """Sure of one object at the position (2, 1) of a grid of stride 4: 2 strides wide, 3 high, of class 1."""

    def forward(self, pictures):
        rows, columns = (side // 4 for side in pictures.shape[2:])
        raw = torch.zeros(len(pictures), rows, columns, 7)
        raw[:, 1, 2] = torch.tensor([0.5, 0.25, np.log(2), np.log(3), 0.9, 0.005, 0.8])
        return raw.reshape(len(pictures), -1, 7)


def test_a_position_s_box_in_the_pixels_of_the_picture():
    detector = Yolox(Fixed(), strides=(4,), side=16)
    (first, second) = detector.found(torch.zeros(2, 3, 32, 24))
    for corners, labels, scores in (first, second):
        # Middle (2.5, 1.25) and size (2, 3) in strides of 4 pixels, of a picture that was halved.
        torch.testing.assert_close(corners, torch.tensor([[12.0, -2, 28, 22]]))
        assert labels.tolist() == [1]
        torch.testing.assert_close(scores, torch.tensor([0.9 * 0.8]))


def test_another_network_is_told(tmp_path):
    onnx = pytest.importorskip("onnx")
    given, result = (
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1, 3, None, None]) for name in "xy"
    )
    graph = onnx.helper.make_graph([onnx.helper.make_node("Relu", ["x"], ["y"])], "g", [given], [result])
    file = tmp_path / "relu.onnx"
    file.write_bytes(onnx.helper.make_model(graph, ir_version=8).SerializeToString())
    with pytest.raises(SourceError, match=r"gives \(1, 3, 64, 64\) .* YOLOX gives \(1, 84, 85\)"):
        load_yolox(file)


def test_yolox_nano_is_equal_to_its_onnx_file(data_dir):
    pytest.importorskip("onnx")
    onnxruntime = pytest.importorskip("onnxruntime")
    file = data_dir / FILE
    if not file.is_file():
        pytest.skip(f"no {file}")
    generator = torch.Generator().manual_seed(0)
    smooth = nn.functional.interpolate(torch.rand(1, 3, 9, 9, generator=generator), (416, 416), mode="bilinear")
    session = onnxruntime.InferenceSession(file)
    expected = session.run(None, {session.get_inputs()[0].name: (255 * smooth.flip(1)).numpy()})[0]
    detector = load_yolox(file)
    torch.testing.assert_close(detector(smooth), torch.from_numpy(expected), rtol=1e-4, atol=1e-4)
    pictures = smooth[..., :96, :128].clone().requires_grad_()
    loss = detector.loss(pictures, [torch.tensor([[20.0, 20, 90, 80]])], [torch.tensor([0])])
    loss.sum().backward()
    assert torch.isfinite(pictures.grad).all()
    assert pictures.grad.abs().sum() > 0
    assert not any(weight.requires_grad for weight in detector.parameters())
