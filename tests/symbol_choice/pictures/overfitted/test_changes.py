import numpy as np
import pytest

pytest.importorskip("torch")

from taskcodec.coding.models.overfitted.plan import HEAD, KINDS
from taskcodec.symbol_choice.pictures.overfitted.changes import UNIT, chosen, flat, named
from tests.overfitted import overfitted

TABLES = overfitted().base.model


def test_weights_by_name_and_flat_are_inverse():
    assert np.array_equal(np.round(flat(TABLES, named(TABLES, TABLES.start)) / UNIT), TABLES.start)


def test_weights_that_do_not_pay_stay_as_they_are():
    rng = np.random.default_rng(0)
    found = chosen(TABLES, TABLES.start * UNIT + rng.normal(0, 0.1, len(TABLES.start)), 1.0, lambda kind, weights: 0.0)
    assert len(found) == HEAD + TABLES.plan.weights
    assert not found[HEAD:].any()


def test_changes_are_as_fine_as_pays():
    wanted = TABLES.start * UNIT
    wanted[TABLES.plan.kinds[0]] += 0.25

    def loses(kind, weights):
        whole = flat(TABLES, weights)
        return float(np.abs(whole - wanted)[TABLES.plan.kinds[kind]].sum())

    found = chosen(TABLES, wanted, 1e-6, loses)
    first, *rest = TABLES.plan.kinds
    assert (found[HEAD:][first] == 0.25 * 2 ** found[0]).all()
    assert not any(found[HEAD:][other].any() for other in rest)
    assert len(KINDS) == len(rest) + 1
