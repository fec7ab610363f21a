"""Closed-form sources: their orbits, entropies and views."""

import math

import numpy as np
import pytest

from taskcodec.data.toy import (
    banana_source,
    binomial_entropy_bits,
    disjoint_orbits,
    necklace_count,
    necklace_entropy_bits,
    normal_source,
    permuted_bits,
    product_source,
    rayleigh_entropy_bits,
    rotate,
    shifted_strings,
)
from taskcodec.errors import UsageError

FINITE = [product_source(6, 5), permuted_bits(10), shifted_strings(12), disjoint_orbits(30, 4)]


@pytest.mark.parametrize(
    ("source", "orbits", "bits"),
    [
        (product_source(6, 5), 6, math.log2(6)),
        (permuted_bits(16), 17, binomial_entropy_bits(16)),
        (shifted_strings(12), necklace_count(12), necklace_entropy_bits(12)),
        (shifted_strings(7), 20, necklace_entropy_bits(7)),
        (disjoint_orbits(50, 3), 50, math.log2(50)),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_orbits_found_from_the_generators_have_the_known_entropy(source, orbits, bits):
    assert source.orbits.max() + 1 == orbits
    assert source.invariant_entropy_bits == pytest.approx(bits, abs=1e-12)


def test_the_paper_s_figures():
    assert binomial_entropy_bits(16) == pytest.approx(3.05, abs=0.005)
    assert permuted_bits(16).entropy_bits == 16
    assert math.log2(60_000) == pytest.approx(15.87, abs=0.005)  # each training image of MNIST an orbit
    assert rayleigh_entropy_bits() == pytest.approx(1.359, abs=5e-4)
    assert necklace_count(12) == 352


@pytest.mark.parametrize("source", FINITE, ids=lambda source: source.name)
def test_views_and_moves_stay_in_the_orbit(source):
    numbers = source.sample(2000, seed=0)
    for move in source.moves:
        np.testing.assert_array_equal(source.orbits[move], source.orbits)
    views = source.views(numbers, seed=1)
    np.testing.assert_array_equal(source.orbits[views], source.orbits[numbers])
    assert (
        len(np.unique(source.views(np.full(2000, numbers[0]), seed=2)))
        == (source.orbits == source.orbits[numbers[0]]).sum()
    )
    np.testing.assert_array_equal(views, source.views(numbers, seed=1))


@pytest.mark.parametrize(
    ("source", "bits", "invariant_bits"),
    [(banana_source(), 4.679, 2.170), (normal_source(), math.log2(2 * math.pi * math.e), rayleigh_entropy_bits())],
    ids=lambda value: getattr(value, "name", None),
)
def test_plane_sources(source, bits, invariant_bits):
    assert source.entropy_bits == pytest.approx(bits, abs=5e-4)
    assert source.invariant_entropy_bits == pytest.approx(invariant_bits, abs=1e-3)
    x = source.sample(100_000, seed=0)
    # The entropy is the mean of -log2 density, so that sampling and density check one another.
    assert -np.log2(source.density(x)).mean() == pytest.approx(source.entropy_bits, abs=0.02)
    np.testing.assert_allclose(source.invariant(source.views(x, seed=1)), source.invariant(x))
    shares = np.histogram(source.invariant(x), bins=[0, 1, 2, 4, 40])[0] / len(x)
    grid = (np.arange(4000) + 0.5) / 100
    expected = np.histogram(grid, bins=[0, 1, 2, 4, 40], weights=source.radial_density(grid) / 100)[0]
    np.testing.assert_allclose(shares, expected, atol=0.006)


def test_rotation():
    np.testing.assert_allclose(rotate([[1.0, 0.0]], 90), [[0, 1]], atol=1e-12)
    np.testing.assert_allclose(rotate([[1.0, 0.0], [0.0, 1.0]], [0, -90]), [[1, 0], [1, 0]], atol=1e-12)


@pytest.mark.parametrize("bits", [1100, 20_000])
def test_the_sum_of_many_bits_is_nearly_gaussian(bits):
    gaussian = 0.5 * math.log2(math.pi * math.e * bits / 2)
    assert binomial_entropy_bits(bits) == pytest.approx(gaussian, abs=1 / bits)


def test_the_sum_of_few_bits():
    assert [binomial_entropy_bits(bits) for bits in (0, 1, 2)] == pytest.approx([0, 1, 1.5])


@pytest.mark.parametrize(
    "call",
    [
        lambda: binomial_entropy_bits(-3),
        lambda: necklace_count(0),
        lambda: necklace_count(-2),
        lambda: necklace_entropy_bits(0),
        lambda: necklace_entropy_bits(-3),
        lambda: product_source(0, 3),
        lambda: disjoint_orbits(3, -1),
        lambda: permuted_bits(-1),
        lambda: shifted_strings(0),
        lambda: FINITE[0].views([0, -1], seed=0),
        lambda: FINITE[0].views([30], seed=0),
        lambda: banana_source().radial_density([1.0, -1.0]),
        lambda: banana_source().radial_density([math.nan]),
        lambda: banana_source().radial_density([math.inf]),
        lambda: banana_source().radial_density([1.0], angles=0),
    ],
)
def test_nonsense_is_refused(call):
    with pytest.raises(UsageError, match="found"):
        call()
