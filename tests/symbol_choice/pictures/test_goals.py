from dataclasses import replace

import pytest

pytest.importorskip("torch")

from taskcodec.symbol_choice.pictures.goals import Goal, goals_of, reasons
from tests.pictured import layered

BASE, DETAIL = layered().layers
SOLE = (BASE,)


def record(beta=0.5, **choices):
    return {"trained": [{"layers": {"base": {"task": "mse", "beta": None, "weight": 1.0, **choices}}, "beta": beta}]}


@pytest.mark.parametrize(
    ("provenance", "goal"),
    [
        (record(), Goal("mse", 0.5)),
        (record(beta=None, **{"task": "ms_ssim"}) | {}, None),
        (record(weight=4.0), Goal("mse", 0.125)),
        (record(preview=0), Goal("mse", 0.5)),
    ],
)
def test_a_layer_is_searched_for_what_it_was_trained_for(provenance, goal):
    found = goals_of(SOLE, provenance)["base"]
    assert found == goal or (goal is None and isinstance(found, str))


def test_a_layer_s_own_beta_goes_before():
    provenance = record()
    provenance["trained"][0]["layers"]["base"] |= {"beta": 0.25, "task": "ms_ssim"}
    assert goals_of(SOLE, provenance) == {"base": Goal("ms_ssim", 0.25)}


@pytest.mark.parametrize(
    ("provenance", "why"),
    [
        ({}, "does not say what it was trained for"),
        ({"trained": 3}, "does not say what it was trained for"),
        ({"trained": [3, {"layers": {"base": 1}}]}, "does not say what it was trained for"),
        (record(task="detection"), "trained for detection, of which the codec holds no predictor"),
        (record(preview=0.1), "rewarded a preview"),
        (record(beta="much"), "does not say what a bit costs"),
        (record(beta=float("nan")), "does not say what a bit costs"),
        (record(weight=0), "does not say what a bit costs"),
    ],
)
def test_why_a_layer_is_not_searched(provenance, why):
    assert why in reasons(goals_of(SOLE, provenance))[0]


def test_tables_that_follow_from_other_symbols_are_not_searched():
    provenance = {"trained": [{"layers": {"detail": {"task": "mse"}}, "beta": 1}]}
    assert "its tables follow" in goals_of((replace(DETAIL),), provenance)["detail"]
