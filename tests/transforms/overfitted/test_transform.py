import numpy as np
import pytest

from taskcodec.coding.models.overfitted.plan import Plan
from taskcodec.errors import CorruptFileError, MismatchError, UsageError
from taskcodec.transforms.overfitted.transform import OverfittedTransform

PLAN = Plan(levels=4, width=3, context=5, finest=2)


def test_its_manifest_reads_back():
    found = OverfittedTransform.read(OverfittedTransform(PLAN).manifest())
    assert found == OverfittedTransform(PLAN)
    with pytest.raises(CorruptFileError):
        OverfittedTransform.read({**OverfittedTransform(PLAN).manifest(), "width": 10**6})


def test_what_it_has_none_of_it_says():
    own = OverfittedTransform(PLAN)
    assert own.places((8, 8)) == (PLAN.symbols((8, 8)), 1)
    for ask in (lambda: own.analyse(np.zeros((1, 3, 4, 4))), lambda: own.synthesise(np.zeros((1, 1, 4, 4), "f4"))):
        with pytest.raises(MismatchError, match=r"overfitted|each picture"):
            ask()
    assert own.of_features is own
    for ask in (lambda: own.dimension, lambda: own.affine):
        with pytest.raises(UsageError, match="have no features"):
            ask()
