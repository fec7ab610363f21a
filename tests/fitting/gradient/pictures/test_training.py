"""Codecs of pictures from the training loop: one after the other or together, killed and resumed."""

from dataclasses import replace
from importlib.util import find_spec

import pytest

if find_spec("lightning") is None:  # not by importing it: taskcodec does that in the right order
    pytest.skip("no lightning", allow_module_level=True)
pytest.importorskip("torch")

from taskcodec.codec import Codec
from taskcodec.errors import MismatchError, UsageError
from taskcodec.fitting.gradient.pictures.compressor import Fixed
from taskcodec.fitting.gradient.pictures.recipe import LayersRecipe
from taskcodec.fitting.gradient.pictures.training import train_layers
from taskcodec.fitting.gradient.training import Work
from tests.fitting.gradient.pictures.tiny import SHORT, layer, pictures, plain

TWO = LayersRecipe((layer(preview=0.1), layer("top", given=("base",))), 0.01, crop=8)


def test_layers_one_after_the_other_leave_those_below_as_they_are(tmp_path):
    told = []
    found = train_layers(plain(), TWO, SHORT, Work(tmp_path), progress=lambda *steps: told.append(steps))
    assert (found.step, found.steps) == (6, 6)
    assert told[-1] == (6, 6)
    alone = train_layers(plain(), replace(TWO, layers=TWO.layers[:1]), SHORT).codec
    assert found.codec.layers[0].transform.networks.g_a.sha256 == alone.layers[0].transform.networks.g_a.sha256
    assert {path.name for path in tmp_path.iterdir()} == {"base", "top"}
    again = Codec.from_bytes(found.codec.to_bytes())
    for picture in plain().pictures:
        packet = found.codec.compress(picture.pixels)
        assert again.decompress(packet).shape == picture.pixels.shape
    assert len(found.codec.provenance["trained"]) == 2


def test_layers_together_are_one_training():
    apart, together = (train_layers(plain(), replace(TWO, joint=joint), SHORT).codec for joint in (False, True))
    first, second = (codec.layers[0].transform.networks.g_a.sha256 for codec in (apart, together))
    assert first != second
    assert [each.name for each in together.layers] == ["base", "top"]


def test_a_finished_codec_lies_below():
    base = train_layers(plain(), replace(TWO, layers=TWO.layers[:1]), SHORT).codec
    top = replace(TWO, layers=TWO.layers[1:])
    found = train_layers(plain(), top, SHORT, fixed=Fixed(below=base)).codec
    assert found.fingerprint == train_layers(plain(), TWO, SHORT).codec.fingerprint


def test_a_stopped_training_takes_the_path_it_would_have_taken(tmp_path):
    whole = train_layers(plain(), TWO, SHORT, Work(tmp_path / "whole")).codec
    place = tmp_path / "stopped"
    found, steps = train_layers(plain(), TWO, SHORT, Work(place, seconds=0)), []
    while found.codec is None:
        steps.append(found.step)
        found = train_layers(plain(), TWO, SHORT, Work(place, resume=True, seconds=0))
    assert steps == [2, 5]
    assert found.codec.fingerprint == whole.fingerprint
    with pytest.raises(MismatchError, match=r"beta is 0.01 there and 0.02 here"):
        train_layers(plain(), replace(TWO, beta=0.02), SHORT, Work(place, resume=True))
    with pytest.raises(MismatchError, match=r"data.pictures is 4 there and 8 here"):
        train_layers(plain(8), TWO, SHORT, Work(place, resume=True))
    # Begun anew, nothing is left of what came later.
    train_layers(plain(), TWO, SHORT, Work(place, seconds=0))
    assert {path.parent.name for path in place.rglob("last.ckpt")} == {"base"}


@pytest.mark.slow
def test_tasks_learn():
    """A segmentation that answers itself is better than chance after a little training."""
    recipe = LayersRecipe((layer(task="segmentation", entropy={"side": 2, "hyper": 4, "context": 4}),), 1e-4, crop=16)
    seen = []
    for steps in (1, 60):
        schedule = replace(SHORT, steps=steps, batch=8, learning_rate=5e-3, warmup=5, checkpoint_every=100)
        codec = train_layers(pictures(16), recipe, schedule).codec
        right = total = 0
        for picture in pictures(16).pictures:
            scores = codec.pictures.values(codec.begin(codec.compress(picture.pixels)))
            right, total = right + (scores.argmax(0) == picture.labels).sum(), total + picture.labels.size
        seen.append(right / total)
    assert seen[1] > max(0.5, seen[0] + 0.1)


def test_what_several_processes_cannot_do():
    with pytest.raises(UsageError, match="one after the other take 1"):
        train_layers(plain(), TWO, replace(SHORT, devices=2))


def test_a_layer_that_is_trained_for_a_range_of_steps_is_coded_in_the_finest(tmp_path):
    recipe = LayersRecipe((layer(steps=4.0),), 0.01, crop=8)
    found, fixed = (train_layers(plain(), each, SHORT).codec for each in (recipe, replace(recipe, layers=(layer(),))))
    assert found.base.quantizer.step == 1.0
    assert found.base.transform.networks.g_a.sha256 != fixed.base.transform.networks.g_a.sha256
    stopped = train_layers(plain(), recipe, SHORT, Work(tmp_path, seconds=0))
    assert stopped.codec is None
    assert train_layers(plain(), recipe, SHORT, Work(tmp_path, resume=True)).codec.fingerprint == found.fingerprint


def test_a_range_of_steps_that_is_none():
    with pytest.raises(UsageError, match="steps must be a number from 1 to 16"):
        layer(steps=0.5)
    with pytest.raises(UsageError, match="steps: of a layer whose means come from outside"):
        layer(steps=2.0, entropy={"means": "outside"})
