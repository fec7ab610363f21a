import numpy as np
import pytest

from taskcodec.engines.shift import ShiftWatch, measure_shift
from taskcodec.errors import MismatchError
from taskcodec.evaluation.predictors.probing import probe_accuracy
from taskcodec.fitting import adapt, fit
from tests.conditional import conditional

D = 24


def gaussian(rows, seed, scale=1.0, shift=0.0):
    return np.random.default_rng(seed).normal(shift, scale, size=(rows, D)).astype(np.float32)


@pytest.fixture(scope="module")
def codec():
    return fit(gaussian(20_000, 0), bits=60, method="dimensionwise")


@pytest.mark.parametrize("rows", [64, 200, 5000])
def test_more_of_the_same_is_no_shift_however_few(codec, rows):
    found = measure_shift(codec, gaussian(rows, 1))
    assert found.rate_bits == pytest.approx(found.expected_rate_bits, rel=0.05)
    assert found.kl_bits < 0.02 * found.rate_bits
    assert found.warning is None


def test_the_divergence_of_another_density_is_what_theory_says(codec):
    found = measure_shift(codec, gaussian(20_000, 1, scale=2.0))
    per_column = np.log2(1 / 2) + (2.0**2 - 1) / (2 * np.log(2))  # KL of N(0, 4) from N(0, 1), in bits
    assert 0.5 * D * per_column < found.kl_bits < 4 * D * per_column  # coarse steps lose some, escapes add some
    assert found.escape_share > 0
    assert found.tables_shifted
    assert "refit" in found.warning


def test_a_refit_saves_what_the_divergence_says(codec):
    data = gaussian(5000, 2, shift=0.8)
    before = measure_shift(codec, data)
    entropy = before.rate_bits - before.kl_bits
    counted = adapt(codec, data)
    after = measure_shift(counted, data)
    assert before.tables_shifted
    assert after.kl_bits < 0.02 * after.rate_bits
    assert after.rate_bits == pytest.approx(entropy, rel=0.05)


def test_symbols_that_no_tables_hold_are_not_held_against_a_fit_and_drift_is():
    """At a fine step most symbols are seen once or lie beyond the longest table: no tables would do better."""
    data = gaussian(2000, 4)
    fine = fit(data, step=0.0005)
    for used in (fine, adapt(fine, data)):
        found = measure_shift(used, data)
        assert found.escape_share > 0.1
        assert found.warning is None
    coarse = fit(data, step=0.02)
    assert measure_shift(coarse, data).warning is None
    assert "fitted on other data or on too few samples" in measure_shift(coarse, data / 8 + 1).warning


def test_too_few_samples_give_no_verdict(codec):
    found = measure_shift(codec, gaussian(20, 3, scale=3.0))
    assert found.kl_bits > 0
    assert found.warning is None


def spread(rows, seed, strong):
    """Gaussian data in which only the columns of `strong` vary much."""
    x = gaussian(rows, seed)
    x[:, np.setdiff1d(np.arange(D), strong)] *= 0.05
    return x


def test_variance_outside_the_kept_directions_is_seen_and_no_refit_helps():
    fitted_on, other = spread(4000, 0, np.arange(4)), spread(4000, 1, np.arange(4, 8))
    codec = fit(fitted_on, bits=10)
    assert codec.columns == 4
    assert codec.provenance["outside_share"] == pytest.approx(20 * 0.05**2 / (4 + 20 * 0.05**2), rel=0.05)
    own = measure_shift(codec, spread(1000, 2, np.arange(4)))
    assert own.outside_share == pytest.approx(own.fitted_outside_share, abs=0.01)
    assert own.warning is None
    for used in (codec, adapt(codec, other)):
        found = measure_shift(used, other)
        assert found.outside_share > 0.9
        assert found.directions_shifted
        assert "fit a codec to these data" in found.warning
    assert measure_shift(fit(fitted_on, bits=10, method="dimensionwise"), other).outside_share == 0


def test_constant_features_lose_nothing():
    assert measure_shift(fit(np.ones((100, D)), bits=5), np.ones((100, D))).outside_share == 0


def test_a_task_outside_the_kept_information_shows_as_such():
    """Views differ in the last two columns: a task there does not survive a codec that was told so."""
    views = np.stack([gaussian(3000, 4), gaussian(3000, 5)])
    views[1, :, :-2] = views[0, :, :-2]
    x = views[0]
    codecs = {
        "bottleneck": fit(x, bits=40, views=views),
        "dimensionwise": fit(x, bits=40, method="dimensionwise"),
    }
    train, test = slice(0, 2000), slice(2000, 3000)

    def accuracy(features, column):
        labels = x[:, column] > 0
        return probe_accuracy(features[train], labels[train], features[test], labels[test]).correct.mean()

    lost = {
        (name, column): accuracy(x, column) - accuracy(codec.decode(codec.encode(x)), column)
        for name, codec in codecs.items()
        for column in (0, 23)
    }
    assert lost["bottleneck", 0] < 0.15
    assert lost["bottleneck", 23] > 0.4
    assert lost["dimensionwise", 23] == pytest.approx(lost["dimensionwise", 0], abs=0.05)


@pytest.mark.parametrize("rows", [1, 2, 3, 5])
def test_symbols_far_beyond_the_longest_table(rows):
    """So few samples at so fine a step that every symbol of a half may lie on one side, past what tables hold."""
    x = gaussian(rows, 2, shift=100.0)
    shift = measure_shift(fit(gaussian(5, 3), step=0.002, method="dimensionwise"), x)
    assert shift.escape_share == 1
    assert shift.warning is None


def test_bad_features_are_refused(codec):
    for bad in (np.ones((5, D + 1)), np.ones((0, D)), np.ones(D), np.full((5, D), np.nan)):
        with pytest.raises(MismatchError):
            measure_shift(codec, bad)


def test_watching_keeps_rows_spread_over_all_and_bounded_memory(codec):
    watch = ShiftWatch()
    assert watch.measure() is None
    rows = np.zeros((20_000, D), np.float32)
    rows[:, 0] = np.arange(20_000)
    for start in range(0, 20_000, 48):
        watch(codec, rows[start : start + 48])
    assert watch.ROWS <= len(watch.kept) <= 2 * watch.ROWS
    np.testing.assert_array_equal(np.diff(watch.kept[:, 0]), watch.stride)
    assert watch.measure().samples == len(watch.kept)


def test_tables_that_depend_on_other_symbols_are_measured_table_by_table():
    """Symbols drawn from conditional tables show no shift; those that the tables do not expect do."""
    rng = np.random.default_rng(0)
    plain = fit(gaussian(2000, 0), bits=60, method="dimensionwise")
    codec = conditional(plain)
    tables, rows = codec.tables, 3000
    symbols = np.zeros((rows, codec.columns), np.int32)
    for group, start in zip(tables.groups, (0, 2), strict=True):
        table, added = group.choose(symbols[:, :start])
        for t in np.unique(table):
            where, share = table == t, tables.bank.column(t)[:-1] / tables.bank.column(t)[:-1].sum()
            drawn = rng.choice(len(share), int(where.sum()), p=share) + tables.bank.first[t]
            symbols[:, start : start + group.columns][where] = drawn + added[where]
    counts = tables.slot_counts(symbols)
    assert counts.sum() == symbols.size
    found = measure_shift(codec, gaussian(rows, 1))
    assert found.rate_bits == pytest.approx(tables.code_length(codec.encode(gaussian(rows, 1))).mean())
    assert found.kl_bits > 0.1 * found.rate_bits
    assert "trained on other data or too shortly" in found.warning

    class Drawn:
        """The codec, were these symbols what it makes of the features."""

        provenance, transform, tables = codec.provenance, codec.transform, codec.tables

        def encode(self, x):
            return symbols

    same = measure_shift(Drawn(), gaussian(rows, 1))
    assert same.kl_bits < 0.01 * same.rate_bits
    assert same.rate_bits == pytest.approx(same.expected_rate_bits, rel=0.01)
