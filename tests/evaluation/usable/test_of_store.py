"""What can be used of each layer of a store, and of what a codec makes of a source."""

import csv

import numpy as np
import pytest

import taskcodec
from taskcodec.data import open_source
from taskcodec.engines.encode.decide import EncodeOptions
from taskcodec.engines.encode.execute import encode_job
from taskcodec.errors import UsageError
from taskcodec.evaluation.usable.of_store import UsablePlan, usable
from tests.layered import features, layered

LINEAR = UsablePlan(folds=2, repeats=1, families=("linear",))


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A store of two layers, a target that the base tells as well as the whole, and one of which it tells the rough."""
    folder = tmp_path_factory.mktemp("usable")
    x = features(400, 5)
    np.save(folder / "x.npy", x)
    codec = layered()
    codec.save(folder / "two.codec")
    encode_job(open_source(folder / "x.npy"), folder / "x.tcz", EncodeOptions(codec=codec))
    base = codec.decode(codec.encode(x), "base")
    rows = [(i, f"{base[i, 0]:.4f}", f"{x[i, 0]:.6f}") for i in range(len(x))]
    with open(folder / "y.csv", "w", newline="") as file:
        csv.writer(file).writerows([("id", "coarse", "fine"), *rows])
    return folder


def test_each_layer_with_its_rate(place):
    found = usable(place / "x.tcz", labels=place / "y.csv", plan=LINEAR)
    rows = {(row.target, row.layer): row for row in found.rows}
    assert rows["coarse", "base"].usable_bits.value > 3
    gained = rows["fine", "detail"].usable_bits.value - rows["fine", "base"].usable_bits.value
    assert gained == pytest.approx(3, abs=0.5)  # steps of an eighth instead of 1
    store = taskcodec.open(place / "x.tcz")
    assert rows["fine", "detail"].rate_bits == pytest.approx(store.info().bits_per_sample)
    assert 0 < rows["fine", "base"].rate_bits < rows["fine", "detail"].rate_bits


def test_a_codec_is_measured_on_a_source(place):
    plan = UsablePlan(folds=2, repeats=1, families=("linear",), layers=("detail",))
    labels = f"{place / 'y.csv'}:fine"
    by_codec = usable(place / "two.codec", source=place / "x.npy", labels=labels, plan=plan)
    by_store = usable(place / "x.tcz", labels=labels, plan=plan)
    assert by_codec.rows == by_store.rows
    assert [row.layer for row in by_codec.rows] == ["detail"]


def test_what_is_missing_or_wrong_is_told(place):
    for arguments, says in (
        ({"labels": (), "plan": LINEAR}, "no labels"),
        ({"labels": place / "y.csv", "plan": UsablePlan(layers=("top",))}, "--layer must be one of base, detail"),
        ({"labels": place / "y.csv", "source": place / "x.npy"}, "--source goes with a codec"),
    ):
        with pytest.raises(UsageError, match=says):
            usable(place / "x.tcz", **arguments)
    with pytest.raises(UsageError, match="say what it is to code"):
        usable(place / "two.codec", labels=place / "y.csv")
    with pytest.raises(UsageError, match="--families must be one of linear, mlp"):
        UsablePlan(families=("svm",))
