"""Networks of ONNX files in torch: equal to onnxruntime's, with gradients, at other sizes too."""

import numpy as np
import pytest
import torch

from taskcodec.errors import SourceError
from taskcodec.transforms.predictors.onnx_network import OnnxNetwork

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")
RNG = np.random.default_rng(0)


def weights(name, *shape):
    return onnx.numpy_helper.from_array(RNG.normal(size=shape).astype(np.float32), name)


def integers(name, *values):
    return onnx.numpy_helper.from_array(np.array(values, np.int64), name)


def written(file, nodes, constants, rank):
    given = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1, 3, 8, 8])
    result = onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [None] * rank)
    graph = onnx.helper.make_graph(nodes, "g", [given], [result], constants)
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 11)], ir_version=8)
    file.write_bytes(model.SerializeToString())
    return file


def node(kind, inputs, output, **attributes):
    return onnx.helper.make_node(kind, inputs.split(), [output], **attributes)


@pytest.fixture
def every_operator(tmp_path):
    """Slices of every second pixel, uneven padding, groups, pooling, doubling, channels as the last axis."""
    nodes = [
        node("Slice", "x from to axes steps", "a"),
        node("Conv", "a w b", "c", pads=[1, 0, 2, 1], strides=[1, 1], kernel_shape=[3, 3], dilations=[1, 1], group=1),
        node("Sigmoid", "c", "d"),
        node("Mul", "c d", "e"),
        node("Conv", "e v", "f", pads=[1, 1, 1, 1], strides=[2, 2], group=4, kernel_shape=[3, 3]),
        node("MaxPool", "f", "g", kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=[1, 1]),
        node("Concat", "f g", "h", axis=1),
        node("Resize", "h roi scales", "i", mode="nearest", coordinate_transformation_mode="asymmetric",
             nearest_mode="floor"),
        node("Relu", "i", "j"),
        node("Add", "i j", "k"),
        node("Reshape", "k shape", "l"),
        node("Transpose", "l", "y", perm=[0, 2, 1]),
    ]  # fmt: skip
    constants = [
        integers("from", 0, 1), integers("to", 2**31, 2**31), integers("axes", 2, 3), integers("steps", 2, 2),
        weights("w", 4, 3, 3, 3), weights("b", 4), weights("v", 4, 1, 3, 3),
        onnx.numpy_helper.from_array(np.array([], np.float32), "roi"),
        onnx.numpy_helper.from_array(np.array([1, 1, 2, 2], np.float32), "scales"), integers("shape", 1, 8, -1),
    ]  # fmt: skip
    return written(tmp_path / "net.onnx", nodes, constants, 3)


def test_equal_to_onnxruntime_with_a_gradient(every_operator):
    x = RNG.random((1, 3, 8, 8), dtype=np.float32)
    expected = onnxruntime.InferenceSession(every_operator).run(None, {"x": x})[0]
    pictures = torch.from_numpy(x).requires_grad_()
    found = OnnxNetwork(every_operator)(pictures)
    torch.testing.assert_close(found.detach(), torch.from_numpy(expected), rtol=1e-5, atol=1e-6)
    found.sum().backward()
    assert pictures.grad.abs().sum() > 0


def test_several_pictures_of_another_size(every_operator):
    network = OnnxNetwork(every_operator)
    two = torch.rand(2, 3, 16, 24)
    both = network(two)
    assert len(both) == 2
    torch.testing.assert_close(both[1:], network(two[1:]))


@pytest.mark.parametrize(
    ("nodes", "told"),
    [
        ([node("Softmax", "x", "a", axis=1), node("Tanh", "a", "y")], "cannot be rebuilt in torch: Softmax, Tanh"),
        ([node("Resize", "x roi odd", "y", mode="nearest")], "whole factors"),
        ([node("Reshape", "x flat", "y")], "reshaped"),
    ],
)
def test_what_is_not_known_is_named(tmp_path, nodes, told):
    constants = [
        onnx.numpy_helper.from_array(np.array([], np.float32), "roi"),
        onnx.numpy_helper.from_array(np.array([1, 1, 1.5, 2], np.float32), "odd"), integers("flat", 1, -1),
    ]  # fmt: skip
    with pytest.raises(SourceError, match=told):
        OnnxNetwork(written(tmp_path / "net.onnx", nodes, constants, 4))(torch.zeros(1, 3, 8, 8))


def test_no_file_and_no_network(tmp_path):
    with pytest.raises(SourceError, match=r"none\.onnx: cannot be read"):
        OnnxNetwork(tmp_path / "none.onnx")
    (tmp_path / "bad.onnx").write_bytes(b"\x08no")
    with pytest.raises(SourceError, match="not an ONNX network"):
        OnnxNetwork(tmp_path / "bad.onnx")
