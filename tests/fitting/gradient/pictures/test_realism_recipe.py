"""What a second synthesis may be asked to be (files say more: `tests/engines/train/pictures/test_realism.py`)."""

import pytest

from taskcodec.errors import UsageError
from taskcodec.fitting.gradient.pictures.realism_recipe import RealismRecipe
from taskcodec.fitting.gradient.recipe import NetworkChoice


def test_a_recipe_is_plain_json():
    own = RealismRecipe("base", noise=4, synthesis=NetworkChoice("light_synthesis", {"blocks": 2}), windows=(8,))
    assert own.described() == {
        "noise": 4,
        "synthesis": {"name": "light_synthesis", "blocks": 2},
        "windows": [8],
        "crop": 128,
    }
    assert RealismRecipe("base", draws=4).described()["draws"] == 4
    assert RealismRecipe("base").described()["synthesis"] is None
    assert own.beta is None


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"noise": 0}, "noise: expected channels from 1"),
        ({"windows": ()}, "windows: expected sides"),
        ({"windows": (8, 1)}, "windows: expected sides"),
        ({"draws": 1}, "draws: expected 2 to 32, found 1"),
        ({"crop": 0}, "crop must be from 1"),
        ({"synthesis": NetworkChoice("deconv")}, "synthesis.name must be one of light_synthesis"),
        ({"synthesis": NetworkChoice("light_synthesis", {"outputs": 3})}, "synthesis.outputs: follows from the layer"),
        ({"synthesis": NetworkChoice("light_synthesis", {"kernel": 3})}, "size of synthesis must be one of widths"),
    ],
)
def test_what_is_wrong_is_named(changes, says):
    with pytest.raises(UsageError, match=says):
        RealismRecipe(**{"layer": "base", **changes})
