import numpy as np
import pytest

torch = pytest.importorskip("torch")

from taskcodec.errors import BackboneError, CorruptFileError, UsageError  # noqa: E402
from taskcodec.transforms.networks.build import make, pack, unpack  # noqa: E402
from taskcodec.transforms.networks.carried import Network, Networks  # noqa: E402
from taskcodec.transforms.torchvision import import_torchvision  # noqa: E402

VECTORS, IMAGES = torch.randn(5, 6), torch.rand(5, 3, 32, 32)
CASES = [
    ("mlp", {"inputs": 6, "outputs": 4, "hidden": [8, 7]}, VECTORS, (5, 4)),
    ("head", {"inputs": 6, "outputs": 4, "hidden": [8]}, VECTORS, (5, 4)),
    ("resnet_small", {"channels": 3, "outputs": 4, "widths": [4, 8], "blocks": 2, "stem_stride": 2}, IMAGES, (5, 4)),
    ("deconv", {"inputs": 6, "channels": 1, "side": 28, "width": 4}, VECTORS, (5, 1, 28, 28)),
]


@pytest.mark.parametrize(("name", "sizes", "x", "shape"), CASES, ids=[case[0] for case in CASES])
def test_a_network_comes_back_from_its_data(name, sizes, x, shape):
    module = make(name, sizes)
    module(x)  # batch normalisation takes in what it has seen: it must travel too
    packed = pack(name, sizes, module.eval())
    again = Networks.read(Networks(g_s=packed).manifest(), Networks(g_s=packed).tensors()) if name == "deconv" else None
    network = unpack(packed if again is None else again.g_s)
    assert torch.equal(network(x), module(x))
    assert network(x).shape == shape
    assert not any(parameter.requires_grad for parameter in network.parameters())


@pytest.mark.parametrize("side", [32, 128])
def test_resnet18_is_torchvision_s(side):
    try:
        import_torchvision()
    except BackboneError:
        pytest.skip("no torchvision")
    sizes = {"channels": 1, "outputs": 4, "side": side}
    module = make("resnet18", sizes).eval()
    x = torch.rand(2, 1, side, side)
    assert torch.equal(unpack(pack("resnet18", sizes, module))(x), module(x))
    assert module.body.conv1.kernel_size == ((3, 3) if side == 32 else (7, 7))


def test_a_head_standardises_its_features():
    head = make("head", {"inputs": 3, "outputs": 2})
    features = torch.randn(200, 3) * torch.tensor([1.0, 50.0, 0.0]) + 7
    head.standardise(features)
    seen = (features - head.mean) * head.scale
    assert torch.allclose(seen[:, :2].std(dim=0), torch.ones(2), atol=0.1)
    assert torch.equal(seen[:, 2], torch.zeros(200))


@pytest.mark.parametrize(
    ("name", "sizes", "says"),
    [
        ("vgg", {}, "vgg"),
        ("mlp", {"inputs": 3}, "outputs"),
        ("mlp", {"inputs": 3, "outputs": 2, "hiden": [3]}, "hiden"),
        ("mlp", {"inputs": 3, "outputs": 2, "hidden": ["x"]}, "hidden"),
        ("mlp", {"inputs": -3, "outputs": 2}, "inputs"),
        ("mlp", {"inputs": 3, "outputs": 2, "hidden": 8}, "hidden must be a list of whole numbers"),
        ("mlp", {"inputs": 3, "outputs": [2]}, "outputs must be a whole number"),
        ("deconv", {"inputs": 3, "channels": 1, "side": 27}, "multiple of 4"),
    ],
)
def test_wrong_sizes_are_named(name, sizes, says):
    with pytest.raises(UsageError, match=says):
        make(name, sizes)


def test_weights_and_sizes_that_do_not_fit_are_corrupt():
    sizes = {"inputs": 3, "outputs": 2, "hidden": [4]}
    good = pack("mlp", sizes, make("mlp", sizes))
    # Sizes that would fill the memory cost none before the weights are found not to fit.
    for changed in ({**sizes, "hidden": [60_000, 60_000, 60_000]}, {**sizes, "wide": 1}):
        with pytest.raises(CorruptFileError, match="mlp"):
            unpack(Network("mlp", changed, good.weights))
    with pytest.raises(CorruptFileError, match="lack"):
        unpack(Network("mlp", sizes, dict(list(good.weights.items())[1:])))
    with pytest.raises(CorruptFileError, match="finite"):
        Network("mlp", sizes, {key: np.full_like(value, np.nan) for key, value in good.weights.items()})
    with pytest.raises(CorruptFileError, match="vgg"):
        Network("vgg", sizes, good.weights)
    with pytest.raises(CorruptFileError, match="deconv"):
        Networks.read({"g_a": {"name": "deconv", "sizes": {}}, "preprocessing": {}}, {})
