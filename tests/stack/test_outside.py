"""Means from outside the entropy coder: what a codec keeps of them, and what a mismatch of floats can and cannot do."""

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tests.pictured import BASE, DETAIL, alone, layer, picture, transform  # noqa: E402
from tests.stack.test_checks import works  # noqa: E402
from tests.test_codec import opened, signed  # noqa: E402

from taskcodec.codec import Codec  # noqa: E402
from taskcodec.container.file import read  # noqa: E402
from taskcodec.entropy_models.spatial import SpatialEntropy, SpatialOptions  # noqa: E402
from taskcodec.errors import CorruptFileError, TaskcodecError  # noqa: E402
from taskcodec.stack.outside import RunningMeans, packed_means  # noqa: E402

OPTIONS = SpatialOptions(side=4, hyper=8, context=8, groups=(2, 3), means="outside")
STEP = 0.01


def outside():
    """A base, and an enhancement whose means a drawn network gives by the base and by what was decoded before."""
    torch.manual_seed(3)
    model = SpatialEntropy(DETAIL, OPTIONS, (BASE,))
    with torch.no_grad():
        for parameter in model.outside.parameters():
            parameter.mul_(3).add_(0.05)
    sizes = {"groups": [2, 3], "width": 8, "checkerboard": True, "given": [BASE]}
    own = transform(DETAIL, given=(BASE,), seed=1)
    own = replace(own, networks=replace(own.networks, means=packed_means(model.outside, sizes)))
    return Codec("pictures", (*alone().layers, layer("detail", own, STEP, model.freeze(), given=("base",))))


CODEC = outside()
X = picture(21, 34)


def changed(codec, amount):
    """The codec on a machine whose floats differ."""
    base, detail = codec.layers
    means = detail.transform.networks.means
    weights = {key: (value * (1 + amount)).astype("f4") for key, value in means.weights.items()}
    networks = replace(detail.transform.networks, means=replace(means, weights=weights))
    return replace(codec, layers=(base, replace(detail, transform=replace(detail.transform, networks=networks))))


def test_a_latent_comes_back_within_half_a_step():
    detail, decoded = CODEC.layers[1], CODEC.begin(CODEC.compress(X))
    y = detail.transform.analyse(np.moveaxis(X, 2, 0)[None] / np.float32(255))
    found = CODEC.pictures.latent(detail, decoded.symbols)
    assert np.abs(found - y).max() <= STEP / 2 * 1.001
    plain = np.rint(y / STEP).astype(np.int32)
    assert not np.array_equal(decoded.symbols["detail"], plain)  # means are at work
    assert CODEC.decompress(CODEC.compress(X)).shape == X.shape


def test_other_floats_shift_values_and_lose_no_symbol():
    packet = CODEC.compress(X)
    decoded, far = CODEC.begin(packet), changed(CODEC, 1e-5)
    found = far.begin(packet)
    assert np.array_equal(found.symbols["detail"], decoded.symbols["detail"])
    one = CODEC.pictures.latent(CODEC.layers[1], decoded.symbols)
    moved = far.pictures.latent(far.layers[1], decoded.symbols)
    assert 0 < np.abs(moved - one).max() < STEP / 10
    assert np.abs(far.decompress(packet).astype(int) - CODEC.decompress(packet)).max() <= 2


def test_the_file_says_where_means_come_from(tmp_path):
    CODEC.save(tmp_path / "p.codec")
    manifest, _ = read((tmp_path / "p.codec").read_bytes(), "p")
    assert manifest["layers"][1]["transform"]["networks"]["means"]["name"] == "outside_means"
    assert "means" not in manifest["layers"][0]["transform"]["networks"]
    again = Codec.from_bytes((tmp_path / "p.codec").read_bytes())
    assert again.to_bytes() == CODEC.to_bytes()
    assert again.compress(X) == CODEC.compress(X)
    kept = CODEC.for_store("p.codec")
    assert np.array_equal(kept.decompress(CODEC.compress(X)), CODEC.decompress(CODEC.compress(X)))


@pytest.mark.parametrize("key", ["groups", "width", "checkerboard", "given"])
@pytest.mark.parametrize("value", [None, 0, 10**9, True, "x", [], [1], [2, 3, 4], [10**9], {}])
def test_sizes_that_are_none_are_refused(key, value):
    manifest, tensors = opened(CODEC)
    sizes = manifest["layers"][1]["transform"]["networks"]["means"]["sizes"]
    if sizes[key] == value:
        return
    sizes[key] = value
    assert not works(signed(manifest, tensors))


def test_weights_that_do_not_fit_are_refused():
    means = CODEC.layers[1].transform.networks.means
    with pytest.raises(CorruptFileError, match="outside_means"):
        RunningMeans(replace(means, weights={}))
    with pytest.raises(TaskcodecError, match="sizes are"):
        RunningMeans(replace(means, sizes={}))
