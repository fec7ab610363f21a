"""Which layers can be asked for."""

from dataclasses import fields

import pytest

pytest.importorskip("torch")

from taskcodec.entropy_models.spatial import SpatialOptions
from taskcodec.errors import UsageError
from taskcodec.fitting.gradient.pictures.layers import USUAL
from taskcodec.fitting.gradient.pictures.recipe import (
    ENTROPY_SIZES,
    NETWORK_SIZES,
    SETTLED,
    SETTLED_BY_PREDICTOR,
    LayersRecipe,
)
from taskcodec.fitting.gradient.recipe import NetworkChoice
from taskcodec.transforms.networks.build import size_names
from taskcodec.transforms.networks.carried import PICTURE_ANALYSES
from tests.fitting.gradient.pictures.tiny import SYNTHESIS, layer


def test_the_sizes_of_entropy_models_are_all_known():
    assert set(ENTROPY_SIZES) == {field.name for field in fields(SpatialOptions)}


@pytest.mark.parametrize("kind", PICTURE_ANALYSES)
def test_the_sizes_of_networks_are_all_known(kind):
    needed, given = size_names(kind)
    open_sizes = (set(needed) | set(given)) - set(SETTLED_BY_PREDICTOR)
    assert open_sizes == set(NETWORK_SIZES[kind]) == set(USUAL[kind])
    needed, given = size_names(f"{kind}_synthesis")
    assert (set(needed) | set(given)) - set(SETTLED) == set(NETWORK_SIZES[f"{kind}_synthesis"]) - set(SETTLED)


def test_layers_are_trained_alone_or_together():
    layers = (layer("base"), layer("picture", given=("base",)))
    assert LayersRecipe(layers, 0.1).stages() == [(layers[0],), (layers[1],)]
    assert LayersRecipe(layers, 0.1, joint=True).stages() == [layers]
    assert LayersRecipe(layers, 0.1).beta_of(layer(beta=0.5)) == 0.5


@pytest.mark.parametrize(
    ("changes", "sees"),
    [
        ({}, (False, False)),
        ({"given": ("base",)}, (True, True)),
        ({"given": ("base",), "conditional": "entropy"}, (True, False)),
        ({"given": ("base",), "conditional": "synthesis"}, (False, True)),
    ],
)
def test_what_sees_the_layers_below(changes, sees):
    assert layer(**changes).sees == sees


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"name": "a b"}, "name must be letters"),
        ({"task": "tracking"}, "task must be one of mse"),
        ({"analysis": NetworkChoice("mlp")}, "analysis.name must be one of light, elic"),
        ({"synthesis": NetworkChoice("deconv")}, "synthesis.name must be one of light_synthesis"),
        ({"synthesis": NetworkChoice("light_synthesis", {"given": [3]})}, "synthesis.given: follows from the layers"),
        ({"synthesis": NetworkChoice("blocks_synthesis", {"stride": 8})}, "synthesis.stride: follows from the layers"),
        ({"synthesis": NetworkChoice("blocks_synthesis", {"widths": [8]})}, "size of synthesis must be one of kernel"),
        ({"entropy": {"width": 3}}, "entropy must be one of side"),
        ({"preview": -1.0}, "preview must be a number of at least 0"),
        ({"beta": 0.0}, "beta must be a positive number"),
        ({"predictor": "x.onnx"}, "predictor: has no effect with task mse"),
        ({"task": "detection"}, "predictor: missing"),
        ({"task": "none"}, "preview: missing"),
        ({"informed_by": "osd_depth", "analysis": NetworkChoice("blocks")}, "informed_by: only an analysis of light"),
        ({"analysis": NetworkChoice("light", {"classes": 3})}, "size of analysis must be one of widths"),
        ({"conditional": "entropy"}, "conditional: has no effect without given"),
        ({"given": ("base",), "conditional": "all"}, "conditional must be one of both"),
    ],
)
def test_what_is_wrong_is_named(changes, says):
    with pytest.raises(UsageError, match=says):
        layer(**{"synthesis": SYNTHESIS, **changes})


@pytest.mark.parametrize(
    ("changes", "says"),
    [({"layers": ()}, "at least one"), ({"layers": (layer(), layer())}, "name of its own"), ({"crop": 0}, "crop must")],
)
def test_recipes_that_are_none(changes, says):
    with pytest.raises(UsageError, match=says):
        LayersRecipe(**{"layers": (layer(),), "beta": 0.1, **changes})
