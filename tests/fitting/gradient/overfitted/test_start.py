import numpy as np
import pytest

pytest.importorskip("torch")


from taskcodec.fitting.gradient.overfitted.recipe import OverfittedRecipe
from taskcodec.fitting.gradient.overfitted.start import drawn, train_start
from taskcodec.fitting.gradient.pictures.data import KnownPicture, PictureSet
from taskcodec.fitting.gradient.recipe import Schedule
from tests.pictured import picture

DATA = PictureSet([KnownPicture(picture(*size)) for size in ((20, 24), (9, 30), (16, 16))], {})
RECIPE = OverfittedRecipe(0.001, levels=3, width=4, context=3, crop=16)


def trained(steps, **more):
    told = []
    found = train_start(DATA, RECIPE, Schedule(steps, 3, 0.02, **more), progress=lambda *step: told.append(step))
    assert told == [(step, steps) for step in range(1, steps + 1)]
    return found


def test_a_codec_comes_out_and_says_what_it_is_for():
    found = trained(3)
    assert (found.step, found.steps) == (3, 3)
    (own,) = found.codec.provenance["trained"]
    assert (own["beta"], own["layers"]["picture"]["task"]) == (0.001, "mse")
    assert trained(3).codec.fingerprint == found.codec.fingerprint
    assert trained(3, seed=1).codec.fingerprint != found.codec.fingerprint


@pytest.mark.slow
def test_pictures_are_better_off_by_it():
    x = picture(24, 24, 5)
    losses = []
    for steps in (1, 150):
        codec = trained(steps).codec
        packet = codec.compress(x)
        losses.append(
            np.square((codec.decompress(packet) - x.astype(float)) / 255).mean() + 0.008 * len(packet) / x.size
        )
    assert losses[1] < 0.8 * losses[0]


def test_what_is_drawn_gives_grey():
    found = drawn(RECIPE.plan, 0)
    assert set(found) == {part.name for part in RECIPE.plan.parts}
    assert (found["out_bias"] == 0.5).all()
    assert not found["last"].any()
