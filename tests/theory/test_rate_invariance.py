"""Every statement of the theory, checked exactly on closed-form sources, and by hypothesis on random ones."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taskcodec.data.toy import banana_source, disjoint_orbits, permuted_bits, product_source, shifted_strings
from taskcodec.errors import UsageError
from taskcodec.theory.rate_invariance import (
    CodedSource,
    code_table,
    entropy_bits,
    erasure_code,
    infonce_bits,
    is_invariant,
    place_in_orbit,
    quantization_point,
    random_task,
    rate_invariance_bits,
    saving_bits,
    worst_task,
)

SOURCES = [product_source(6, 5), permuted_bits(8), shifted_strings(8), disjoint_orbits(20, 4)]
each_source = pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)


def coded(source, code):
    n = len(source.orbits)
    return CodedSource(np.full(n, 1 / n), code, source.orbits)


def random_coded(seed, points, orbits, symbols):
    """Any source, any stochastic code: nothing about them is nice."""
    rng = np.random.default_rng(seed)
    names = np.concatenate([np.arange(orbits), rng.integers(0, orbits, points)]).astype(np.intp)
    p = rng.dirichlet(np.full(len(names), 0.5))
    return CodedSource(p, rng.dirichlet(np.full(symbols, 0.2), size=len(names)), names)


any_code = given(st.integers(0, 2**32 - 1), st.integers(0, 30), st.integers(1, 8), st.integers(1, 8))


@each_source
def test_the_invariant_costs_its_entropy_and_loses_nothing(source):
    best = coded(source, code_table(source.orbits))
    assert best.rate_bits == pytest.approx(source.invariant_entropy_bits)
    assert best.worst_excess_bits == pytest.approx(0, abs=1e-12)
    for seed in range(20):
        task = random_task(source.orbits, 3, seed)
        assert is_invariant(task, source.orbits)
        assert best.excess_bits(task) == pytest.approx(0, abs=1e-9)
    lossless = coded(source, code_table(np.arange(len(source.orbits))))
    saved = lossless.rate_bits - best.rate_bits
    assert saved == pytest.approx(saving_bits(source.entropy_bits, source.invariant_entropy_bits))


@each_source
def test_an_invariant_code_says_the_same_of_every_view(source):
    codes = source.orbits % 3
    numbers = source.sample(500, seed=0)
    np.testing.assert_array_equal(codes[source.views(numbers, seed=1)], codes[numbers])


@each_source
def test_merging_two_orbits_costs_the_task_that_tells_them_apart_exactly_the_equivocation(source):
    shares = np.bincount(source.orbits) / len(source.orbits)
    merged = coded(source, code_table(np.where(source.orbits == 1, 0, source.orbits)))
    both = shares[0] + shares[1]
    expected = both * entropy_bits(shares[:2] / both)
    assert merged.worst_excess_bits == pytest.approx(expected)
    assert merged.excess_bits(worst_task(source.orbits)) == pytest.approx(expected)
    assert merged.rate_bits == pytest.approx(source.invariant_entropy_bits - expected)  # a bit saved, a bit lost


@each_source
def test_a_task_that_is_not_invariant_suffers(source):
    best, task = coded(source, code_table(source.orbits)), place_in_orbit(source.orbits)
    assert not is_invariant(task, source.orbits)
    assert best.worst_excess_bits == pytest.approx(0, abs=1e-12)
    # The whole of what the code threw away: the place in the orbit is uniform given M.
    assert best.excess_bits(task) == pytest.approx(saving_bits(source.entropy_bits, source.invariant_entropy_bits))


@each_source
@pytest.mark.parametrize("keep", [0.0, 0.3, 1.0])
def test_the_rate_invariance_function_is_reached(source, keep):
    code = coded(source, erasure_code(source.orbits, keep))
    bits = source.invariant_entropy_bits
    assert code.worst_excess_bits == pytest.approx((1 - keep) * bits, abs=1e-9)
    assert code.rate_bits == pytest.approx(rate_invariance_bits(bits, (1 - keep) * bits), abs=1e-9)


@pytest.mark.parametrize("taken", ["single precision", "lists"])
def test_a_coded_source_takes_single_precision_and_lists(taken):
    exact = random_coded(0, points=200, orbits=8, symbols=4)
    arrays = (exact.probabilities, exact.code, exact.orbits)
    if taken == "lists":
        found = CodedSource(*(array.tolist() for array in arrays))
    else:
        found = CodedSource(exact.probabilities.astype("f4"), exact.code.astype("f4"), exact.orbits.astype("f4"))
    assert found.rate_bits == pytest.approx(exact.rate_bits, abs=1e-6)
    assert found.worst_excess_bits == pytest.approx(exact.worst_excess_bits, abs=1e-6)
    task = random_task(exact.orbits, 3, 0)
    assert found.excess_bits(task.astype("f4")) == pytest.approx(exact.excess_bits(task), abs=1e-6)
    assert entropy_bits(np.full(1000, 1e-3, "f4")) == pytest.approx(math.log2(1000), abs=1e-6)


def test_large_names_stay_apart():
    assert code_table([2**60, 2**60 + 1, 2**60]).tolist() == [[1, 0], [0, 1], [1, 0]]


@settings(max_examples=60, deadline=None)
@any_code
def test_no_code_lies_below_the_rate_invariance_function(seed, points, orbits, symbols):
    code = random_coded(seed, points, orbits, symbols)
    shares = np.bincount(code.orbits, code.probabilities)
    assert code.rate_bits >= rate_invariance_bits(entropy_bits(shares), max(code.worst_excess_bits, 0)) - 1e-9


@settings(max_examples=60, deadline=None)
@any_code
def test_no_invariant_task_loses_more_than_the_worst(seed, points, orbits, symbols):
    code = random_coded(seed, points, orbits, symbols)
    worst = code.worst_excess_bits
    assert code.excess_bits(worst_task(code.orbits)) == pytest.approx(worst, abs=1e-9)
    for classes in (2, 5):
        excess = code.excess_bits(random_task(code.orbits, classes, seed))
        assert -1e-9 <= excess <= worst + 1e-9


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.floats(0, 1000))
def test_infonce_is_capped_by_the_number_of_candidates(seed, candidates, scale):
    rng = np.random.default_rng(seed)
    assert infonce_bits(scale * rng.normal(size=(5, candidates))) <= math.log2(candidates) + 1e-9


def test_infonce_reaches_its_cap_and_not_the_truth_above_it():
    scores = np.full((100, 16), -1e3)
    scores[:, 0] = 0
    assert infonce_bits(scores) == pytest.approx(4)  # though a source of 2^20 items holds 20 bits


def test_infonce_takes_candidates_that_are_ruled_out():
    assert infonce_bits([[0, -math.inf], [3, -math.inf]]) == pytest.approx(1)
    assert infonce_bits([[-math.inf, 0]]) == -math.inf  # the true one


def test_the_line_has_slope_minus_one_and_ends_at_nothing():
    assert rate_invariance_bits(5, 0) == 5
    assert rate_invariance_bits(5, 2) - rate_invariance_bits(5, 3) == 1
    assert rate_invariance_bits(5, 9) == 0
    assert rate_invariance_bits(5, math.inf) == 0  # any loss will do
    assert rate_invariance_bits(math.inf, 5) == math.inf
    assert rate_invariance_bits(0, -1e-12) == pytest.approx(0, abs=1e-9)  # as rounding leaves an excess of 0
    assert saving_bits(-1, 2) == -3  # of densities


@pytest.mark.parametrize(("step", "bits", "mse"), [(1.0, 2.257, 0.0742), (0.8, 2.547, 0.0494), (0.7, 2.728, 0.0385)])
def test_scalar_quantization_of_the_banana_s_radius(step, bits, mse):
    source = banana_source()
    fit, test = (source.invariant(source.sample(50 * 4096, seed)) for seed in (0, 1))
    point = quantization_point(fit, test, step)
    assert point.bits_file == pytest.approx(bits, abs=0.02)
    assert point.bits_file == pytest.approx(point.bits_model, rel=0.01)
    assert point.mse == pytest.approx(mse, rel=0.02)


def test_a_number_far_from_those_fitted_on_is_escaped():
    point = quantization_point(np.arange(9.0), [1.0, 2.0**31 - 1, 1 - 2.0**31], 1.0)
    assert point.mse == 0
    assert point.bits_model > 20


def test_invariance_saves_the_angle():
    """At one and the same error of |x|, coding the plane costs more than coding |x|."""
    source = banana_source()
    fit, test = source.sample(50_000, 0), source.sample(20_000, 1)
    plane = quantization_point(fit, test, 1.0)
    radius = quantization_point(source.invariant(fit), source.invariant(test), 1.0)
    assert plane.bits_file > radius.bits_file + 2


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: entropy_bits([0.5, 0.6]), "sum to 1"),
        (lambda: entropy_bits([1.5, -0.5]), "found -0.5"),
        (lambda: entropy_bits([0.5, math.nan]), "found nan"),
        (lambda: entropy_bits([math.inf]), "sum to 1"),
        (lambda: entropy_bits([]), "sum to 1"),
        (lambda: entropy_bits(["half", "half"]), "not an array of numbers"),
        (lambda: code_table([]), "codes"),
        (lambda: code_table([0, math.nan]), "codes"),
        (lambda: code_table([0.0, 1e300, 2e300]), "codes"),
        (lambda: code_table([[0, 1], [1, 0]]), "codes"),
        (lambda: code_table(["0.5", "a"]), "codes"),
        (lambda: code_table(["0.5"]), "codes"),
        (lambda: code_table([[0], [1, 0]]), "codes"),
        (lambda: worst_task([0.5]), "whole number"),
        (lambda: place_in_orbit([0, math.inf]), "orbits"),
        (lambda: is_invariant(np.full((2, 2), 0.5), [0]), "a row for each point"),
        (lambda: is_invariant(np.full((2, 2), math.nan), [0, 0]), "a row for each point"),
        (lambda: rate_invariance_bits(3, -1), "excess risk is not negative"),
        (lambda: rate_invariance_bits(3, math.nan), "excess risk is not negative, found nan"),
        (lambda: rate_invariance_bits(math.nan, 1), "entropy .* not negative, found nan"),
        (lambda: rate_invariance_bits(-3, 0), "entropy .* not negative, found -3"),
        (lambda: rate_invariance_bits(math.inf, math.inf), "infinite"),
        (lambda: saving_bits(math.nan, 1), "found nan and 1"),
        (lambda: saving_bits(math.inf, math.inf), "found inf and inf"),
        (lambda: erasure_code([0, 1], 1.5), "from 0 to 1, found 1.5"),
        (lambda: erasure_code([0, 1], -0.1), "from 0 to 1"),
        (lambda: erasure_code([0, 1], math.nan), "from 0 to 1, found nan"),
        (lambda: random_task([0, 1], 3, 0, 0.0), "sharpness above 0"),
        (lambda: random_task([0, 1], 3, 0, math.nan), "sharpness above 0"),
        (lambda: random_task([0, 1], 3, 0, math.inf), "sharpness above 0"),
        (lambda: random_task([0, 1], 3, 0, 1e308), "1e.308 gives no distributions"),
        (lambda: random_task([0, 1], 0, 0), "1 class"),
        (lambda: random_task([0, -1], 3, 0), "orbits from 0"),
        (lambda: random_task([0, 0.5], 3, 0), "whole number"),
        (lambda: quantization_point([1.0, 2.0], [1.0, 2.0], 0), "step above 0, found 0"),
        (lambda: quantization_point([1.0, 2.0], [1.0, 2.0], -1), "step above 0"),
        (lambda: quantization_point([1.0, 2.0], [1.0, 2.0], math.nan), "step above 0, found nan"),
        (lambda: quantization_point([1.0, 2.0], [1.0, 2.0], math.inf), "step above 0"),
        (lambda: quantization_point([0.0, 1.0], [0.0, 1.0], 1e-9), "1e-09 needs tables of 1000000001"),
        (lambda: quantization_point([-2.0, 2.0], [0.0, 1.0], 1e-9), "tables of 4000000001"),
        (lambda: quantization_point([0.0, 1.0], [0.0, 9e9], 1), "too small for numbers of 9e"),
        (lambda: quantization_point([0.0, 1.0], [0.0, 1.0], 5e-324), "too small"),
        (lambda: quantization_point([0.0, math.nan], [0.0, 1.0], 1), "finite"),
        (lambda: quantization_point([0.0, 1.0], [0.0, math.inf], 1), "finite"),
        (lambda: quantization_point([], [0.0, 1.0], 1), "finite numbers, found shape"),
        (lambda: quantization_point([0.0, 1.0], [], 1), "finite numbers, found shape"),
        (lambda: quantization_point(1.0, [0.0, 1.0], 1), "finite numbers, found shape"),
        (lambda: quantization_point(np.zeros((3, 2)), np.zeros((3, 1)), 1), "fitted on 2 columns, tested on 1"),
        (lambda: infonce_bits(np.zeros(3)), "anchors"),
        (lambda: infonce_bits(np.full((2, 3), math.nan)), "found nan"),
        (lambda: infonce_bits([[0, 0], [0, math.nan]]), "found nan"),
        (lambda: infonce_bits([[0, math.inf]]), "found inf"),
        (lambda: infonce_bits([[0, 0], [-math.inf, -math.inf]]), "found -inf"),
        (lambda: CodedSource(np.ones(1), np.ones((2, 1)), np.zeros(2, np.intp)), "each point"),
        (lambda: CodedSource(np.full((2, 1), 0.5), np.ones((2, 1)), np.zeros(2, np.intp)), "each point"),
        (lambda: CodedSource(np.ones(1), np.ones((1, 2)), np.zeros(1, np.intp)), "each row"),
        (lambda: CodedSource(np.ones(1), np.array([[2.0, -1.0]]), np.zeros(1, np.intp)), "each row"),
        (lambda: CodedSource(np.ones(1), np.ones(1), np.zeros(1, np.intp)), "each row"),
        (lambda: CodedSource([0.5, 0.5], [[1], [0.5, 0.5]], [0, 1]), "each row"),
        (lambda: CodedSource(np.array([1.5, -0.5]), np.ones((2, 1)), np.zeros(2, np.intp)), "found -0.5"),
        (lambda: CodedSource(np.array([0.5, 0.4]), np.ones((2, 1)), np.zeros(2, np.intp)), "found a sum of 0.9"),
        (lambda: CodedSource([0.5, 0.5], [[1], [1]], [0, 0.5]), "whole number"),
        (lambda: CodedSource([0.5, 0.5], [[1], [1]], [0, 1]).excess_bits(np.ones((3, 1))), "each point"),
        (lambda: CodedSource([0.5, 0.5], [[1], [1]], [0, 1]).excess_bits([[1.5, -0.5]] * 2), "each point"),
        (lambda: CodedSource([0.5, 0.5], [[1], [1]], [0, 1]).excess_bits([1.0, 1.0]), "each point"),
    ],
)
def test_nonsense_is_refused(call, says):
    with pytest.raises(UsageError, match=says):
        call()
