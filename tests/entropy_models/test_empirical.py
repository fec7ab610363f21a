"""Tables from samples: closed-form counts and points, tables that columns share, and the rate on other samples."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taskcodec.coding.models.tables import TOTAL, Tables
from taskcodec.coding.trellis import Trellis
from taskcodec.entropy_models.empirical import (
    MARGIN,
    MAX_COUNTS,
    MAX_RANGE,
    POINT_WEIGHT,
    SHARED_TABLES,
    freeze,
    freeze_dependent,
    freeze_shared,
    pseudo_samples,
    sketch,
    sketch_of,
)
from taskcodec.quantization.uniform import MAX_SYMBOL, dequantize, quantize

ROUNDING = 0.4


def laplace(n, k, seed=0, spread=1.0):
    return (np.random.default_rng(seed).laplace(size=(n, k)) * spread).astype("f4")


def rate(frozen, latent, step):
    return float(frozen.model.code_length(quantize(latent, step, ROUNDING)).mean())


def entropy(spread, step):
    """Bits of a Laplace density quantized with the dead zone, in closed form."""
    zero = 1 - np.exp(-(1 - ROUNDING) * step / spread)
    tail = np.exp(-(1 - ROUNDING) * step / spread) / 2 * (1 - np.exp(-step / spread))
    each = tail * np.exp(-step / spread * np.arange(2000))
    each = each[each > 0]
    return -zero * np.log2(zero) - 2 * np.sum(each * np.log2(each))


@pytest.mark.parametrize("frozen_by", [freeze, freeze_shared])
@pytest.mark.parametrize("step", [0.3, 1.0, 4.0])
def test_the_rate_is_the_entropy_of_the_density(frozen_by, step):
    x = laplace(4000, 12)
    assert rate(frozen_by(x, step, ROUNDING), laplace(4000, 12, seed=1), step) / 12 == pytest.approx(
        entropy(1.0, step), rel=0.02
    )


@pytest.mark.parametrize("frozen_by", [freeze, freeze_shared])
def test_runs_reach_a_little_beyond_what_was_seen(frozen_by):
    x = np.array([[-3.0], [0.0], [0.0], [5.0]], "f4")
    tables = frozen_by(x, 1.0, ROUNDING).model.plain
    assert (tables.first[0], tables.first[0] + tables.sizes[0] - 1) == (-3 - MARGIN, 5 + MARGIN)
    counts = tables.column(0)
    assert counts.sum() == TOTAL
    assert counts[:-1].argmax() == 3 + MARGIN  # zero was seen twice
    assert (counts >= 1).all()


@pytest.mark.parametrize("frozen_by", [freeze, freeze_shared])
def test_points_are_shrunk_means_of_what_was_quantized(frozen_by):
    x = np.repeat(np.array([1.1, 1.3, -2.2, 0.1], "f4"), [3, 1, 5, 2])[:, None]
    frozen = frozen_by(x, 1.0, ROUNDING)
    found = dict(zip(range(frozen.model.plain.first[0], 10), frozen.quantizer.points.tolist(), strict=False))
    wanted = {1: (0.1 * 3 + 0.3) / (4 + POINT_WEIGHT), -2: -0.2 * 5 / (5 + POINT_WEIGHT), 0: 0.2 / (2 + POINT_WEIGHT)}
    for symbol in range(-4, 4):
        assert found[symbol] == pytest.approx(wanted.get(symbol, 0), abs=1e-3)
    decoded = frozen.quantizer.dequantize(frozen.quantizer.quantize(x))
    assert np.abs(decoded - x).max() < 0.3


@pytest.mark.parametrize("n", [1, 2, 5, 40, 301])
def test_a_column_is_counted_as_if_it_stood_alone(n):
    x = laplace(n, 6, seed=n) * np.array([0.01, 0.5, 1, 3, 9, 400], "f4") + np.arange(6, dtype="f4")
    together = freeze(x, 0.7, ROUNDING)
    alone = [freeze(x[:, [j]], 0.7, ROUNDING) for j in range(6)]
    for j, one in enumerate(alone):
        assert together.model.plain.column(j).tolist() == one.model.plain.column(0).tolist()
    assert np.array_equal(together.quantizer.points, np.concatenate([one.quantizer.points for one in alone]))


def test_columns_of_one_spread_share_a_table():
    spreads = np.repeat([0.01, 1.0, 30.0], 20)
    frozen = freeze_shared(laplace(60, 60, spread=spreads), 0.5, ROUNDING)
    index = frozen.model.index.reshape(3, 20)
    assert not set(index[0]) & set(index[1])
    assert not set(index[1]) & set(index[2])
    assert len(set(index[0])) == 1  # silent ones, whatever their spread
    assert frozen.model.distinct.columns <= SHARED_TABLES
    points, density = frozen.quantizer.points, np.zeros((0, frozen.model.columns), np.float32)
    gathered = frozen.model.gathered(points, density)
    assert np.array_equal(frozen.model.spread(**gathered)["points"], points)


@pytest.mark.parametrize("n", [1, 2, 4, 8, 16, 32, 128])
@pytest.mark.parametrize("step", [0.3, 1.0])
def test_shared_tables_hold_their_rate_on_other_samples(n, step):
    spreads = np.exp(np.random.default_rng(5).normal(size=600))
    x, other = laplace(n, 600, spread=spreads), laplace(300, 600, seed=1, spread=spreads)
    shared = freeze_shared(x, step, ROUNDING)
    assert rate(shared, other, step) < {1: 1.15, 2: 1.25, 4: 1.3, 8: 1.2}.get(n, 1.12) * rate(shared, x, step)
    best = float(np.sum([entropy(spread, step) for spread in spreads]))
    assert rate(shared, other, step) < {1: 1.3, 2: 1.35, 4: 1.3, 8: 1.15}.get(n, 1.08) * best
    if n <= 32:
        own = freeze(x, step, ROUNDING)
        assert rate(shared, other, step) < rate(own, other, step)
        assert len(shared.model.distinct.to_bytes()) < len(own.model.to_bytes()) / 2


@pytest.mark.parametrize("frozen_by", [freeze, freeze_shared])
@pytest.mark.parametrize(
    "latent",
    [
        np.zeros((1, 1)),
        np.zeros((30, 5)),
        np.full((30, 5), 3e6),  # beyond what any table holds
        np.r_[np.zeros((30, 5)), np.full((1, 5), 1e9)],
        np.c_[np.zeros((30, 4)), np.full((30, 1), -1e4)],
        np.full((4, 3), 1e-30),
    ],
    ids=["one number", "zeros", "all far out", "one far out", "a column far out", "next to nothing"],
)
def test_whatever_the_samples_are_tables_code_them(frozen_by, latent):
    x = latent.astype("f4")
    frozen = frozen_by(x, 1.0, ROUNDING)
    assert np.isfinite(frozen.quantizer.points).all()
    assert frozen.model.plain.sizes.max() <= MAX_RANGE
    assert np.isfinite(frozen.model.code_length(quantize(x, 1.0, ROUNDING))).all()
    decoded = dequantize(quantize(x, 1.0, ROUNDING), 1.0, frozen.quantizer.runs, frozen.quantizer.points)
    near = np.abs(x) < MAX_SYMBOL
    assert np.abs(decoded - x)[near].max(initial=0) < 1


@pytest.mark.parametrize("frozen_by", [freeze, freeze_shared])
@pytest.mark.slow
def test_tables_of_very_many_columns_are_such_as_files_hold(frozen_by):
    x = laplace(6, 20_000)
    x[:, 7] *= 1e4
    tables = frozen_by(x, 0.2, ROUNDING).model.plain
    assert tables.sizes.sum() <= MAX_COUNTS
    assert np.array_equal(Tables.from_bytes(tables.to_bytes()).counts, tables.counts)


@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.integers(1, 30), st.floats(1e-3, 1e3))
@settings(max_examples=40, deadline=None)
def test_shared_tables_are_fewer_than_columns_and_samples(seed, n, k, step):
    rng = np.random.default_rng(seed)
    x = (rng.normal(size=(n, k)) * np.exp(3 * rng.normal(size=k))).astype("f4")
    frozen = freeze_shared(x, step, ROUNDING)
    assert frozen.model.columns == k
    assert frozen.model.distinct.columns <= min(k, max(n, 1), SHARED_TABLES)
    again = freeze_shared(x.copy(), step, ROUNDING)
    assert np.array_equal(again.model.plain.counts, frozen.model.plain.counts)


def test_a_sketch_has_the_density_of_its_samples():
    x = laplace(5000, 3, spread=np.array([0.1, 1.0, 50.0]))
    drawn = pseudo_samples(sketch(x, 66), 2000)
    wanted, found = (np.quantile(values, [0.1, 0.5, 0.9], axis=0) for values in (x, drawn))
    assert (np.abs(found - wanted) < 0.02 * x.std(axis=0)).all()
    assert rate(freeze(drawn, 1.0, ROUNDING), x, 1.0) == pytest.approx(rate(freeze(x, 1.0, ROUNDING), x, 1.0), rel=0.03)


def test_a_shared_sketch_is_one_for_all_columns_of_a_table():
    x = laplace(30, 40, spread=np.repeat([1.0, 20.0], 20))
    shares = freeze_shared(x, 1.0, ROUNDING).model
    found = sketch_of(x, 66, shares)
    assert found.shape == (66, 40)
    for number in range(shares.distinct.columns):
        columns = np.flatnonzero(shares.index == number)
        assert (found[:, columns] == found[:, columns[:1]]).all()
        assert np.array_equal(found[:, columns[0]], sketch(x[:, columns].reshape(-1, 1), 66)[:, 0])


MACHINE = Trellis(8)


def of_states(symbols, sharing=None):
    return freeze_dependent(symbols, MACHINE.along(symbols), MACHINE, sharing)


def test_dependent_tables_code_what_they_counted_at_about_its_entropy():
    rng = np.random.default_rng(0)
    symbols = np.rint(2 * rng.normal(size=(4000, 6))).astype(np.int32)
    values, counts = np.unique(symbols, return_counts=True)
    entropy = -(counts / symbols.size) @ np.log2(counts / symbols.size)
    found = of_states(symbols).costs(symbols)
    assert abs(found.mean() - entropy) < 0.03
    assert len(values) < 25


def test_zero_has_a_count_of_its_own_in_the_second_table():
    rng = np.random.default_rng(0)
    symbols = np.rint(rng.normal(size=(4000, 5))).astype(np.int32)
    second = MACHINE.along(symbols) == 1
    symbols[second & (rng.random(symbols.shape) < 0.5)] &= 1  # fewer even ones, zero apart: states stay as they are
    again = MACHINE.along(symbols)
    tables = of_states(symbols)
    for j in (2, 3, 4):
        share = (symbols[again[:, j] == 1, j] == 0).mean()
        assert abs(tables.zeros[j] / 2**16 - share) < 0.01


def test_columns_may_share_dependent_tables():
    rng = np.random.default_rng(0)
    symbols = np.rint(rng.normal(size=(100, 6)) * [1, 1, 1, 5, 5, 5]).astype(np.int32)
    sharing = np.array([0, 0, 0, 1, 1, 1], np.int32)
    tables = of_states(symbols, sharing)
    assert tables.sharing.tolist() == sharing.tolist()
    assert tables.zeros.shape == (2,)
    assert tables.choices.columns == 12
    assert tables.zeros[0] > tables.zeros[1]


def test_what_was_never_seen_costs_but_is_no_fault():
    """The second quantizer of a first column has no symbols at all; runs reach zero wherever data lie."""
    tables = of_states(np.full((70, 2), 500, np.int32))
    assert (tables.first.first <= 0).all()
    assert (tables.first.first + tables.first.sizes > 500).all()
    assert tables.code_length(np.array([[500, 500]]))[0] < 1
    assert tables.code_length(np.array([[7, 9_999_999]]))[0] > 40
