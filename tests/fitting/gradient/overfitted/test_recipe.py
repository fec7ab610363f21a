import pytest

from taskcodec.coding.models.overfitted.plan import Plan
from taskcodec.errors import UsageError
from taskcodec.fitting.gradient.overfitted.recipe import OverfittedRecipe


def test_sizes_make_a_plan_and_the_record_says_what_is_lowered():
    found = OverfittedRecipe(0.01, "depth", "osd_depth", 0.5, levels=5, finest=2)
    assert found.plan == Plan(5, 16, 12, 3, 2)
    told = found.described()
    assert (told["task"], told["predictor"], told["error"]) == ("depth", "osd_depth", 0.5)
    assert "predictor" not in OverfittedRecipe(0.01).described()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"beta": 0.0}, "beta must be"),
        ({"beta": 1.0, "task": "depth"}, "needs a predictor"),
        ({"beta": 1.0, "predictor": "osd_depth"}, "no use for a predictor"),
        ({"beta": 1.0, "error": 1.0}, "error: has no effect"),
        ({"beta": 1.0, "task": "poetry"}, "task must be one of"),
        ({"beta": 1.0, "levels": 11}, "levels: expected"),
        ({"beta": 1.0, "finest": 3}, "finest: expected"),
    ],
)
def test_what_does_not_go_together_is_refused(options, words):
    with pytest.raises(UsageError, match=words):
        OverfittedRecipe(**options)
