import numpy as np
import pytest

from taskcodec.errors import BackboneError

pytest.importorskip("torch")

from taskcodec.transforms.backbones import load_backbone


def test_onnx_from_a_local_file(tmp_path):
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    helper = onnx.helper
    graph = helper.make_graph(
        [helper.make_node("GlobalAveragePool", ["x"], ["p"]), helper.make_node("Flatten", ["p"], ["y"])],
        "mean",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["n", 3, 32, 32])],
        [helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, ["n", 3])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.save(model, tmp_path / "m.onnx")
    backbone = load_backbone(f"onnx:{tmp_path / 'm.onnx'}")
    assert backbone(np.full((2, 32, 32, 3), 255, np.uint8)).shape == (2, 3)
    with pytest.raises(BackboneError, match="no such file"):
        load_backbone("onnx:/none.onnx")
    (tmp_path / "bad.onnx").write_bytes(b"no")
    with pytest.raises(BackboneError, match="not a model"):
        load_backbone(f"onnx:{tmp_path / 'bad.onnx'}")
