"""Layers that begin with what another training has learned."""

from dataclasses import replace
from importlib.util import find_spec

import pytest

if find_spec("lightning") is None:  # not by importing it: taskcodec does that in the right order
    pytest.skip("no lightning", allow_module_level=True)
pytest.importorskip("torch")

import torch

from taskcodec.errors import CorruptFileError, UsageError
from taskcodec.fitting.gradient.pictures.begun import begin_layer
from taskcodec.fitting.gradient.pictures.layers import TrainedLayer
from taskcodec.fitting.gradient.pictures.recipe import LayersRecipe
from taskcodec.fitting.gradient.pictures.training import train_layers
from taskcodec.fitting.gradient.recipe import NetworkChoice
from taskcodec.fitting.gradient.training import Work
from taskcodec.transforms.networks.build import unpack
from taskcodec.transforms.networks.pictures.pyramid import SmallSegmenter
from tests.fitting.gradient.pictures.tiny import SHORT, layer, plain

STILL = replace(SHORT, steps=1, learning_rate=1e-12, entropy_learning_rate=1e-12)


@pytest.fixture(scope="module")
def before(tmp_path_factory):
    """The folder of a training, and its codec."""
    place = tmp_path_factory.mktemp("before")
    return place, train_layers(plain(), LayersRecipe((layer(),), 0.01, crop=8), SHORT, Work(place)).codec


def hashes(codec):
    networks = codec.layers[0].transform.networks
    return networks.g_a.sha256, networks.g_s.sha256


@pytest.mark.parametrize("name", ["base", "another"])
def test_a_training_goes_on_from_another_of_the_same_layer(before, name):
    place, known = before
    recipe = LayersRecipe((layer(name, begin=str(place)),), 0.01, crop=8)
    found = train_layers(plain(), recipe, STILL).codec
    weights = [unpack(codec.layers[0].transform.networks.g_a).state_dict() for codec in (found, known)]
    fresh = train_layers(plain(), LayersRecipe((layer(name),), 0.01, crop=8), STILL).codec
    assert hashes(fresh) != hashes(known)
    assert all(weights[0][key].allclose(weights[1][key], atol=1e-6) for key in weights[1])


def test_a_preview_and_an_answer_of_other_sizes_stay_fresh(before):
    own = TrainedLayer(layer(task="segmentation", preview=0.1), {}, 7)
    first = {name: value.clone() for name, value in own.state_dict().items()}
    begin_layer(own, str(before[0] / "last.ckpt"))
    changed = {name.partition(".")[0] for name, value in own.state_dict().items() if not value.equal(first[name])}
    assert changed == {"g_a", "entropy"}


def test_an_informed_analysis_begins_as_one_that_is_not(before):
    own = TrainedLayer(layer(), {}, 3, SmallSegmenter(2, (8, 8, 16, 16)))
    told = {name: value.clone() for name, value in own.g_a.told.state_dict().items()}
    begin_layer(own, str(before[0]))
    known = unpack(before[1].layers[0].transform.networks.g_a)
    torch.testing.assert_close(own.g_a.layers.state_dict(), known.layers.state_dict())
    torch.testing.assert_close(own.g_a.told.state_dict(), told)


def test_other_sizes_and_other_layers_are_refused(before, tmp_path):
    place = str(before[0])
    wider = NetworkChoice("light", {"widths": [6], "latent": 3, "blocks": 1})
    with pytest.raises(UsageError, match="the analysis of layer base has other sizes than that of wide"):
        begin_layer(TrainedLayer(layer("wide", analysis=wider), {}, 3), place)
    with pytest.raises(UsageError, match="the entropy model of layer base has other sizes"):
        begin_layer(TrainedLayer(layer(given=("below",)), {"below": 3}, 3), place)
    both = LayersRecipe((layer(), layer("top", given=("base",))), 0.01, joint=True, crop=8)
    train_layers(plain(), both, SHORT, Work(tmp_path))
    with pytest.raises(UsageError, match=r"no layer other; there are: base, top"):
        begin_layer(TrainedLayer(layer("other"), {}, 3), str(tmp_path))


@pytest.mark.parametrize("content", [None, b"", b"no checkpoint"])
def test_what_is_no_checkpoint_is_named(tmp_path, content):
    file = tmp_path / "strange.ckpt"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(CorruptFileError, match=r"strange\.ckpt: not a checkpoint that can be read: name the last"):
        begin_layer(TrainedLayer(layer(), {}, 3), str(file))
