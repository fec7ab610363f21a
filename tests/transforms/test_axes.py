"""Axes as coded integers: the promised error, the pseudoinverse, bytes, and files that lie."""

import tracemalloc
import zlib
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from taskcodec.coding import encode_block, tables_from_symbols
from taskcodec.coding.varint import write_varints
from taskcodec.errors import CorruptFileError
from taskcodec.transforms.axes import EXPONENTS, LEAST_APART, MAX_INTEGER, MAX_NUMBERS, Axes, round_axes


def orthonormal(d, k, seed=0):
    return np.linalg.qr(np.random.default_rng(seed).normal(size=(d, k)))[0]


def some_axes(d=40, k=6, error=0.01):
    return round_axes(orthonormal(d, k), 0.7 ** np.arange(k), error)


def read(data, axes):
    return Axes.from_bytes(data, axes.exponents, len(axes.integers))


@pytest.mark.parametrize("error", [1e-6, 1e-3, 0.1])
@pytest.mark.parametrize(("d", "k"), [(300, 60), (1280, 40), (64, 64)])
def test_rounding_adds_the_error_it_was_given(d, k, error):
    exact, variances = orthonormal(d, k), 0.9 ** np.arange(k)
    axes = round_axes(exact, variances, error)
    added = float((variances * np.square(axes.synthesis.T - exact).sum(axis=0)).sum())
    assert 0.7 * error < added < 1.4 * error  # steps are powers of two
    y = np.random.default_rng(1).normal(size=(4000, k)) * np.sqrt(variances)
    x = y @ exact.T
    lost = float(np.square(x - x @ axes.analysis.astype("f8") @ axes.synthesis).sum(axis=1).mean())
    assert lost < 1.5 * error  # what lies within the span of the rounded axes is not lost at all
    assert lost > 0.4 * error * (1 - k / d)


def test_leading_axes_have_finer_steps_and_fewer_bits_go_to_the_rest():
    axes = round_axes(orthonormal(500, 30), 0.6 ** np.arange(30), 1e-3)
    assert (np.diff(axes.exponents) >= 0).all()
    assert axes.exponents[-1] - axes.exponents[0] >= 6
    coarse = round_axes(orthonormal(500, 30), 0.6 ** np.arange(30), 1e-2)
    assert len(coarse.to_bytes()) < 0.75 * len(axes.to_bytes())


def test_analysis_is_the_pseudoinverse():
    for error in (1e-5, 0.3):
        axes = some_axes(error=error)
        np.testing.assert_allclose(axes.analysis, np.linalg.pinv(axes.synthesis.astype("f8")), atol=1e-6)
        np.testing.assert_allclose(axes.synthesis @ axes.analysis, np.eye(6), atol=1e-5)


def test_synthesis_is_the_coded_numbers_exactly():
    integers = np.array([[MAX_INTEGER, 1], [-MAX_INTEGER + 1, 3], [0, -7]], np.int32)
    axes = Axes(integers, np.array([-24, 1], np.int8))
    assert axes.synthesis.dtype == np.float32
    assert axes.synthesis.tolist() == [[1.0, -1 + 2.0**-24, 0.0], [2.0, 6.0, -14.0]]


@given(st.integers(0, 2**32 - 1), st.integers(1, 6), st.integers(0, 20), st.sampled_from([3, 200, 10_000, MAX_INTEGER]))
@settings(max_examples=60, deadline=None)
def test_what_is_written_is_read(seed, k, more, largest):
    rng = np.random.default_rng(seed)
    integers = rng.integers(-largest, largest + 1, size=(k + more, k)).astype(np.int32)
    integers[0] = largest
    axes = Axes(integers, rng.integers(EXPONENTS.start, EXPONENTS.stop, size=k).astype(np.int8))
    again = read(axes.to_bytes(), axes)
    assert np.array_equal(again.integers, integers)
    assert again.to_bytes() == axes.to_bytes()
    kept = rng.permutation(k)[: rng.integers(1, k + 1)]
    some = again.take(kept)
    assert np.array_equal(some.synthesis, again.synthesis[kept])
    assert np.array_equal(read(some.to_bytes(), some).integers, integers[:, kept])


def test_bytes_stay_as_they_were_read(monkeypatch):
    axes = some_axes()
    data = axes.to_bytes()
    monkeypatch.setattr(zlib, "compress", lambda raw, level: b"another build")
    assert read(data, axes).to_bytes() == data


def nearly_dependent():
    """An orthonormal basis that rounds, at the coarsest steps, to axes in one another's span: found by climbing."""

    def apart(basis):
        steps = np.exp2(np.floor(np.log2(np.abs(basis).max(axis=0))))
        return Axes(np.rint(basis / steps).astype(np.int32), np.log2(steps).astype(np.int8)).apart

    rng = np.random.default_rng(10)
    basis = np.linalg.qr(rng.normal(size=(24, 24)))[0]
    for i in range(1000):
        turn = rng.normal(size=(24, 24)) * (0.03 if i % 2 else 0.01)
        turn -= turn.T
        other = np.linalg.solve(np.eye(24) - turn, np.eye(24) + turn) @ basis
        basis = other if apart(other) < apart(basis) else basis
        if apart(basis) < LEAST_APART / 2:
            return basis
    raise AssertionError("none found")


def test_no_error_is_so_large_that_axes_fall_into_one_anothers_span():
    axes = round_axes(nearly_dependent(), np.ones(24), 1e9)
    assert axes.apart >= LEAST_APART
    assert np.abs(axes.synthesis @ axes.analysis - np.eye(24)).max() < 1e-4
    for seed in range(50):
        d, k = 2 + seed % 7, 1 + seed % 2
        assert round_axes(orthonormal(d, k, seed), np.ones(k), 1e9).apart >= LEAST_APART


@pytest.mark.parametrize("variances", [[0.0, 0.0], [1e-300, 1e300], [1e-38, 1.0]])
@pytest.mark.parametrize("error", [1e-300, 1.0, 1e300])
def test_extreme_variances_give_axes(variances, error):
    axes = round_axes(orthonormal(9, 2), np.array(variances), error)
    assert read(axes.to_bytes(), axes).apart > 0.3


def test_axes_that_are_none_are_refused():
    whole, exponents = np.array([[1, 0], [0, 1], [2, 2]], np.int32), np.zeros(2, np.int8)
    Axes(whole, exponents)
    lowest = whole.copy()
    lowest[0, 0] = -(2**31)  # has no magnitude of 32 bits
    for integers, steps in (
        (whole[:1], exponents),  # more axes than dimensions
        (whole[:, :0], exponents[:0]),
        (whole[:0], exponents),
        (whole * [1, 0], exponents),
        (whole, exponents[:1]),
        (whole[None], exponents),
        (whole, np.array([0, EXPONENTS.stop], np.int8)),
        (whole, np.array([0, EXPONENTS.start - 1], np.int8)),
        (whole * (MAX_INTEGER // 2 + 1), exponents),
        (lowest, exponents),
    ):
        with pytest.raises(CorruptFileError, match="axes"):
            Axes(np.asarray(integers, np.int32), steps)


@pytest.mark.parametrize("nudge", [0, 1, 200])
def test_singular_axes_decode_but_do_not_encode(nudge):
    integers = np.rint(1e4 * orthonormal(30, 3)).astype(np.int32)
    third = integers[:, 0] - integers[:, 1]
    third[0] += nudge
    axes = Axes(np.stack([integers[:, 0], integers[:, 1], third], axis=1), np.full(3, -13, np.int8))
    assert np.isfinite(axes.synthesis).all()
    with pytest.raises(CorruptFileError, match="3 axes that span fewer directions: the codec cannot encode"):
        _ = axes.analysis


def test_damaged_bytes_are_refused_or_read():
    axes = some_axes()
    data = axes.to_bytes()
    for cut in range(len(data)):
        with pytest.raises(CorruptFileError):
            read(data[:cut], axes)
    with pytest.raises(CorruptFileError):
        read(data + b"\0\0\0\0", axes)
    for at in range(len(data)):
        for bit in (1, 128):
            try:
                found = read(data[:at] + bytes([data[at] ^ bit]) + data[at + 1 :], axes)
            except CorruptFileError:
                continue
            assert found.integers.shape == axes.integers.shape


@given(st.binary(max_size=200), st.integers(0, 2**40), arrays(np.int8, st.integers(0, 5)))
@settings(max_examples=200, deadline=None)
def test_any_bytes_are_refused_or_read(data, dimension, exponents):
    try:
        Axes.from_bytes(data, exponents, dimension)
    except CorruptFileError as error:
        assert str(error)


@cache
def hostile():
    """Bytes, exponents and a dimension that ask for far more than they hold."""
    axes, one = some_axes(), tables_from_symbols(np.zeros((1, 2**17), np.int32))
    block = encode_block(np.zeros((1, 2**17), np.int32), one)
    wide = write_varints(np.array([len(one.to_bytes())], np.uint64)) + one.to_bytes() + block
    tables = tables_from_symbols(np.zeros((1, 6), np.int32)).to_bytes()
    rows = write_varints(np.array([len(tables)], np.uint64)) + tables
    return {
        "a length of 2^62": (write_varints(np.array([2**62], np.uint64)) + axes.to_bytes(), axes.exponents, 40),
        "a varint without an end": (b"\xff" * 50, axes.exponents, 40),
        "2^17 tables": (wide, axes.exponents, 2**17),
        "2^40 dimensions": (axes.to_bytes(), axes.exponents, 2**40),
        "more numbers than any": (axes.to_bytes(), np.zeros(2**14, np.int8), MAX_NUMBERS // 2**14 + 2**14),
        "rows that are not there": (rows + write_varints(np.array([2**24, 6], np.uint64)), np.zeros(6, np.int8), 2**24),
        "no exponents": (axes.to_bytes(), axes.exponents[:0], 40),
        "exponents in two dimensions": (axes.to_bytes(), axes.exponents[None], 40),
    }


@pytest.mark.parametrize("kind", hostile())
def test_files_that_lie_are_refused_in_little_memory(kind):
    data, exponents, dimension = hostile()[kind]
    tracemalloc.start()
    try:
        with pytest.raises(CorruptFileError):
            Axes.from_bytes(data, exponents, dimension)
        assert tracemalloc.get_traced_memory()[1] < 2**27
    finally:
        tracemalloc.stop()
