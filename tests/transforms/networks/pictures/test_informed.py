"""Analyses that see what a frozen predictor says."""

from importlib.util import find_spec

import pytest

if find_spec("torch") is None:
    pytest.skip("no torch", allow_module_level=True)

import numpy as np
import torch

from taskcodec.errors import CorruptFileError, UsageError
from taskcodec.transforms.networks.build import make, pack, unpack
from taskcodec.transforms.networks.carried import Network
from taskcodec.transforms.networks.pictures.informed import Answers
from taskcodec.transforms.networks.pictures.pyramid import SmallSegmenter
from taskcodec.transforms.networks.run import Steps, on_places
from taskcodec.transforms.predictors.informing import sizes_of_answers, take_predictor
from taskcodec.transforms.predictors.load import load_predictor
from taskcodec.transforms.predictors.small import SmallClassifier, SmallDepth, small_detector

READS = (8, 8, 16, 16)
SMALL = {"widths": [4, 6], "latent": 5, "blocks": 1}


def predictors():
    torch.manual_seed(0)
    return [SmallSegmenter(3, READS), SmallDepth(2.0, READS), small_detector(2, READS)]


def informed(predictor):
    analysis = make("light", {**SMALL, **sizes_of_answers(predictor)})
    take_predictor(analysis, predictor)
    return analysis


@pytest.mark.parametrize("place", range(3))
def test_it_sees_what_the_predictor_says(place):
    predictor = predictors()[place]
    analysis, x = informed(predictor), torch.rand(2, 3, 24, 32)
    answers = next(module for module in analysis.modules() if isinstance(module, Answers))(x)
    wanted = [
        lambda: predictor(x).softmax(dim=1),
        lambda: predictor(x).log()[:, None],
        lambda: predictor.network.maps(x)[0],
    ][place]()
    torch.testing.assert_close(answers[:, : wanted.shape[1]], wanted)
    assert analysis(x).shape == (2, 5, 3, 4)


def test_another_predictor_gives_another_latent_and_none_of_its_weights_learns():
    first, second = predictors()[0], SmallSegmenter(3, READS)
    analysis, x = informed(first), torch.rand(1, 3, 16, 16)
    before = analysis(x)
    take_predictor(analysis, second)
    assert not torch.equal(analysis(x), before)
    analysis(x).sum().backward()
    learning = {name for name, weight in analysis.named_parameters() if weight.grad is not None}
    assert learning
    assert not any("predictor" in name for name in learning)


def test_it_travels_as_data():
    predictor, x = predictors()[2], torch.rand(1, 3, 16, 24)
    analysis = informed(predictor)
    again = unpack(pack("light", {**SMALL, **sizes_of_answers(predictor)}, analysis))
    torch.testing.assert_close(again(x), analysis(x))


def test_a_large_picture_is_read_as_a_whole(monkeypatch):
    """The predictor normalises over the picture: tiles would tell it of other pictures."""
    predictor = predictors()[0]
    network = pack("light", {**SMALL, **sizes_of_answers(predictor)}, informed(predictor))
    x = np.random.default_rng(0).random((1, 3, 64, 128), dtype=np.float32)
    whole = on_places(network, Steps(1, 8))(x)
    monkeypatch.setattr("taskcodec.transforms.networks.run.TILE", 16)
    assert np.array_equal(on_places(network, Steps(1, 8))(x), whole)


def test_shipped_predictors_inform():
    assert sizes_of_answers(load_predictor("osd_depth"))["classes"] == 1
    assert sizes_of_answers(load_predictor("scenes_detector"))["boxes"]


def test_what_is_no_small_predictor_of_places_is_refused():
    with pytest.raises(UsageError, match="small predictors alone"):
        sizes_of_answers(SmallClassifier(3, READS))


@pytest.mark.parametrize(
    ("sizes", "fault"),
    [
        ({"reads": [8, 8], "classes": 2}, "at least 4 widths"),
        ({"reads": [8, 8, 8, 12], "classes": 2}, "at least 4 widths"),
        ({"reads": [8] * 4, "classes": 2, "boxes": True, "widths": [4]}, "every 4 pixels"),
        ({"reads": [8] * 4, "classes": 0}, "from 1 to"),
    ],
)
def test_sizes_that_are_none_are_refused(sizes, fault):
    with pytest.raises(UsageError, match=fault):
        make("light", {**SMALL, **sizes})
    with pytest.raises(CorruptFileError, match="network light"):
        unpack(Network("light", {**SMALL, **sizes}, {}))
