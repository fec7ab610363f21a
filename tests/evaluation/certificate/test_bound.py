"""The certificate: exact where the truth is known, above every invariant task's excess, and valid only for those."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import taskcodec
from taskcodec.data.toy import disjoint_orbits
from taskcodec.errors import UsageError
from taskcodec.evaluation.certificate.bound import (
    FLOOR,
    bound_excess,
    draw_items,
    fit_posterior,
    identity_bits,
    losses_bits,
    upper_limit,
)
from taskcodec.theory.rate_invariance import CodedSource, code_table, place_in_orbit, random_task

SAMPLES, VIEWS = 64, 8


def finite_draws(codes, pairs, seed=0):
    """(codes of fresh views, their samples), for a source of SAMPLES orbits."""
    source = disjoint_orbits(SAMPLES, VIEWS)
    items = draw_items(SAMPLES, pairs, seed)
    first = np.unique(source.orbits, return_index=True)[1]
    return codes[source.views(first[items], seed)], items


def exact_posterior(codes, orbits):
    """p(i|z) by counting: (codes of views) -> (m, SAMPLES)."""
    joint = np.zeros((codes.max() + 1, SAMPLES))
    np.add.at(joint, (codes, orbits), 1)
    return lambda z: (joint / joint.sum(axis=1, keepdims=True))[z]


def codes_of(kind):
    source = disjoint_orbits(SAMPLES, VIEWS)
    o = source.orbits
    place = np.arange(len(o)) % VIEWS
    return o, {
        "pairs of samples share a code": o // 2,
        "uneven classes": np.minimum(o, 20),
        "views differ in their code": np.where(place < 3, o, o // 4 + SAMPLES),
        "nothing is kept": np.zeros_like(o),
    }[kind]


KINDS = ["pairs of samples share a code", "uneven classes", "views differ in their code", "nothing is kept"]


@pytest.mark.parametrize("kind", KINDS)
def test_it_equals_the_closed_form_on_finite_sources(kind):
    orbits, codes = codes_of(kind)
    source = CodedSource(np.full(len(orbits), 1 / len(orbits)), code_table(codes), orbits)
    drawn, items = finite_draws(codes, 400_000)
    found = bound_excess(exact_posterior(codes, orbits), drawn, items, SAMPLES)
    assert found.bound_bits == pytest.approx(source.worst_excess_bits, rel=0.01)
    assert found.bound_bits >= source.worst_excess_bits - 1e-9
    if kind == "nothing is kept":
        assert found.top1 == pytest.approx(1 / SAMPLES)
    for seed in range(50):
        assert source.excess_bits(random_task(orbits, 2 + seed % 5, seed)) <= found.bound_bits


def test_a_code_that_keeps_the_sample_is_certified_and_a_task_that_is_not_invariant_loses_all_the_same():
    orbits = disjoint_orbits(SAMPLES, VIEWS).orbits
    drawn, items = finite_draws(orbits, 100_000)
    found = bound_excess(exact_posterior(orbits, orbits), drawn, items, SAMPLES)
    assert found.bound_bits < 0.005  # the price of the uniform guess in q, and of the confidence
    source = CodedSource(np.full(len(orbits), 1 / len(orbits)), code_table(orbits), orbits)
    assert source.excess_bits(place_in_orbit(orbits)) == pytest.approx(math.log2(VIEWS))  # the counterexample


@pytest.fixture(scope="module")
def noisy():
    """60 samples, views with noise, a codec so coarse that samples are confused: few codes, so all can be counted."""
    rng = np.random.default_rng(0)
    raw = rng.normal(size=(60, 6)).astype("f4")
    codec = taskcodec.fit(np.repeat(raw, 20, axis=0) + rng.normal(size=(1200, 6)).astype("f4") * 0.3, bits=4)

    def views(count, seed):
        """(count * 60, 6) decoded views, and their samples."""
        noise = np.random.default_rng(seed).normal(size=(count, 60, 6)).astype("f4") * 0.3
        return codec.decode(codec.encode((raw + noise).reshape(-1, 6))), np.tile(np.arange(60), count)

    return codec.decode(codec.encode(raw)), views


def test_a_fitted_posterior_bounds_the_excess_of_50_random_tasks(noisy):
    stored, views = noisy
    fitted, shaped, fresh = (views(count, seed) for seed, count in enumerate((30, 30, 150)))
    found = bound_excess(fit_posterior(stored, *fitted, *shaped), *fresh, 60)
    assert found.mean_bits <= found.bound_bits
    assert found.bound_bits < math.log2(60)
    # The truth, from many more views: p(z|i) counted over the codec's few different outputs.
    z, items = views(3000, 9)
    outputs = np.unique(z, axis=0, return_inverse=True)[1].ravel()
    table = np.zeros((60, outputs.max() + 1))
    np.add.at(table, (items, outputs), 1)
    source = CodedSource(np.full(60, 1 / 60), table / table.sum(axis=1, keepdims=True), np.arange(60))
    assert 0.5 < source.worst_excess_bits <= found.bound_bits
    for seed in range(50):
        task = random_task(np.arange(60), 2 + seed % 5, seed)
        assert source.excess_bits(task) <= found.bound_bits


def test_the_predictor_of_the_proof_stays_below_view_by_view(noisy):
    stored, views = noisy
    posterior = fit_posterior(stored, *views(20, 0), *views(20, 1))
    z, items = views(20, 2)
    losses, _ = losses_bits(posterior, z, items, 60)
    task = random_task(np.arange(60), 3, 0)
    answers = np.array([np.random.default_rng(i).choice(3, p=task[i]) for i in items])
    mixed = (1 - FLOOR) * posterior(z) + FLOOR / 60
    own, best = (mixed @ task)[np.arange(len(z)), answers], task[items, answers]
    assert (np.log2(best / own) <= losses + 1e-6).all()


@pytest.mark.parametrize("values", ["nearly none", "constant", "coin", "drifting"])
def test_the_limit_holds_as_often_as_it_says(values):
    """The share of 400 draws in which the limit lies below the true mean is at most 5 %."""
    rng = np.random.default_rng(0)
    failed = 0
    for _ in range(400):
        u = rng.uniform(size=300)
        x, mean = {
            "nearly none": ((u < 0.01) * 10.0, 0.1),
            "constant": (np.full(300, 3.0), 3.0),
            "coin": ((u < 0.5) * 10.0, 5.0),
            "drifting": ((u < np.linspace(0, 0.2, 300)) * 10.0, 1.0),  # no two of one distribution
        }[values]
        failed += upper_limit(x, 10.0) < mean
    assert failed <= 20


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(0, 10), min_size=2, max_size=50), st.floats(0.5, 0.999))
def test_the_limit_lies_between_the_mean_and_the_ceiling(values, confidence):
    limit = upper_limit(values, 10.0, confidence)
    assert np.mean(values) - 1e-6 <= limit <= 10.0
    assert limit <= upper_limit(values, 10.0, (1 + confidence) / 2) + 1e-6


def test_every_sample_is_tested_or_they_are_drawn_at_random():
    np.testing.assert_array_equal(np.bincount(draw_items(10, 39)), np.full(10, 3))
    assert len(draw_items(1000, 100)) == 100
    assert len(np.unique(draw_items(1000, 100))) > 80


def test_without_augmentations_it_is_counted():
    assert identity_bits(np.arange(8)[:, None]) == 0
    assert identity_bits([[1, 2], [1, 2], [3, 4], [5, 6]]) == 0.5
    assert identity_bits(np.zeros((8, 2))) == 3


def test_a_guess_in_single_precision_is_taken_and_no_sum_above_1_lowers_the_bound():
    items = draw_items(32, 320)
    scores = np.random.default_rng(0).normal(size=(32, 32)) + 5 * np.eye(32)
    exact = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    for guess in (exact.astype("f4"), exact * 1.0009):
        found = bound_excess(lambda z, guess=guess: guess[z], items, items, 32)
        expected = bound_excess(lambda z: exact[z], items, items, 32)
        assert found.bound_bits == pytest.approx(expected.bound_bits, abs=1e-6)


GUESSES = {
    "not a number": np.full((32, 32), np.nan),
    "one not a number": np.where(np.arange(32) == 5, np.nan, np.eye(32)),
    "infinite": np.full((32, 32), np.inf),
    "negative": np.eye(32) * 2 - 1 / 32,
    "sums of 2": np.eye(32) * 2,
    "sums of 0": np.zeros((32, 32)),
    "too few samples": np.eye(32)[:, :31],
    "a number for each view": np.ones(32),
}


@pytest.mark.parametrize("name", GUESSES)
def test_a_guess_that_is_no_distribution_certifies_nothing(name):
    items = draw_items(32, 320)
    with pytest.raises(UsageError, match="a guess"):
        bound_excess(lambda z: GUESSES[name][z], items, items, 32)


@pytest.mark.parametrize(
    "items", [[-1] * 64, [32] * 64, [0] * 63, [0.0] * 64, [True] * 64, []], ids=lambda items: str(items[:1])
)
def test_views_need_a_sample_each(items):
    with pytest.raises(UsageError, match="from 0 to 31 for each of the 64 views"):
        bound_excess(lambda z: np.eye(32)[z], np.zeros(64, np.intp), items, 32)
    with pytest.raises(UsageError, match="from 0 to 31 for each of the 64 views"):
        fit_posterior(np.eye(32), np.zeros((64, 32)), items, np.zeros((64, 32)), np.zeros(64, np.intp))


@pytest.mark.parametrize(
    ("stored", "noise", "says"),
    [
        (np.full((8, 2), np.nan), np.zeros((8, 2)), "finite"),
        (np.zeros((8, 2)), np.full((8, 2), np.inf), "finite"),
        (np.zeros((8, 2)), np.zeros((8, 1)), "one size"),
        (np.zeros((8, 2)), np.zeros((0, 2)), "one size"),
        (np.zeros(8), np.zeros(8), "one size"),
    ],
)
def test_a_posterior_needs_finite_features_of_one_size(stored, noise, says):
    items = np.arange(len(noise))
    with pytest.raises(UsageError, match=says):
        fit_posterior(stored, noise, items, np.zeros((8, 2)), np.arange(8))
    if stored.ndim == 2 and len(noise):
        with pytest.raises(UsageError, match=says):
            fit_posterior(stored, np.zeros((8, 2)), np.arange(8), noise, items)


@pytest.mark.parametrize(
    "call",
    [
        lambda: upper_limit([0.1], 1.0),
        lambda: upper_limit([0.1, 2.0], 1.0),
        lambda: upper_limit([0.1, math.nan], 1.0),
        lambda: upper_limit([[0.1, 0.2], [0.1, 0.2]], 1.0),
        lambda: upper_limit([0.1, 0.2], 1.0, 1.0),
        lambda: upper_limit([0.1, 0.2], 1.0, math.nan),
        lambda: upper_limit([0.0, 0.0], 0.0),
        lambda: upper_limit([-0.1, -0.2], -1.0),
        lambda: upper_limit([0.1, 0.2], math.nan),
        lambda: draw_items(0, 10),
        lambda: losses_bits(lambda z: np.zeros((len(z), 0)), np.zeros((2, 1)), [0, 0], 0),
        lambda: bound_excess(lambda z: np.ones((len(z), 1)), [], [], 1),
        lambda: identity_bits(np.zeros((0, 3))),
    ],
)
def test_nonsense_is_refused(call):
    with pytest.raises(UsageError):
        call()
