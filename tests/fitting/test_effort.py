"""A dependent quantizer in the place of a uniform one: fewer bits at the same error, less error at the same bits."""

from dataclasses import replace

import numpy as np
import pytest

import taskcodec
from taskcodec.codec import Codec
from taskcodec.coding import encode_block
from taskcodec.errors import MismatchError, UsageError
from taskcodec.fitting.effort import with_effort
from tests.conditional import conditional_tables

RNG = np.random.default_rng(0)
X, OTHERS = (RNG.normal(size=(1500, 24)).astype("f4") for _ in range(2))
PLAIN = taskcodec.fit(X, bits=48, method="dimensionwise")


def bits_and_error(codec, features=OTHERS):
    """Of samples that fitted nothing, in real bytes."""
    symbols = codec.encode(features)
    error = np.square(codec.decode(symbols).astype("f8") - features).sum(axis=1).mean()
    return 8 * len(encode_block(symbols, codec.base.model)) / len(symbols), error


@pytest.mark.parametrize(("effort", "saved"), [(2, 0.05), (3, 0.055)])
def test_two_bits_a_column_at_the_same_error_take_less(effort, saved):
    (bits, error), (fewer, same) = map(bits_and_error, (PLAIN, with_effort(PLAIN, X, effort)))
    assert same == pytest.approx(error, rel=0.03)
    fewer += 24 / 2 * np.log2(same / error)  # at the same error exactly, as bits and errors go together
    assert fewer < (1 - saved) * bits


def test_at_the_same_bits_there_is_less_error():
    (_, error), (bits, less) = map(bits_and_error, (PLAIN, with_effort(PLAIN, X, 3, bits=48)))
    assert abs(bits - 48) < 1
    assert less < 0.87 * error


def test_a_file_says_all_of_it_in_fewer_bytes():
    codec = with_effort(PLAIN, X, 4)
    assert len(codec.to_bytes()) < len(PLAIN.to_bytes())
    again = Codec.from_bytes(codec.to_bytes())
    assert again.fingerprint == codec.fingerprint
    assert again.base.quantizer.trellis.states == 16
    symbols = codec.encode(OTHERS)
    assert np.array_equal(again.encode(OTHERS), symbols)
    assert np.array_equal(again.decode(symbols), codec.decode(symbols))
    assert np.array_equal(codec.decompress(again.compress(OTHERS[:3])), codec.decode(symbols[:3]))


def test_columns_that_share_tables_go_on_sharing():
    few = X[:200]
    plain = taskcodec.fit(few, bits=48, method="dimensionwise")
    codec = with_effort(plain, few, 3)
    assert codec.base.model.sharing.tolist() == plain.base.model.sharing.tolist()
    assert bits_and_error(codec)[0] < 0.96 * bits_and_error(plain)[0]
    assert Codec.from_bytes(codec.to_bytes()).fingerprint == codec.fingerprint


def test_one_that_is_dependent_is_fitted_again():
    codec = with_effort(with_effort(PLAIN, X, 2), X, 3, bits=40)
    assert codec.base.quantizer.trellis.states == 8
    assert abs(bits_and_error(codec)[0] - 40) < 1


def test_too_few_samples_and_constant_ones_leave_it_as_it_is():
    assert with_effort(PLAIN, X[:63], 3) is PLAIN
    flat = taskcodec.fit(np.ones((100, 3), "f4"), step=0.1)
    assert with_effort(flat, np.ones((100, 3), "f4"), 3) is flat


def test_what_cannot_have_one_is_refused():
    with pytest.raises(MismatchError, match="24"):
        with_effort(PLAIN, X[:, :20], 3)
    tables = conditional_tables(24, side=4, seed=0)
    with pytest.raises(UsageError, match="tables follow from other symbols"):
        with_effort(PLAIN.with_base(replace(PLAIN.base, model=tables)), X, 3)
    layers = replace(PLAIN, layers=(PLAIN.base, replace(PLAIN.base, name="more")))
    with pytest.raises(UsageError, match="several layers"):
        with_effort(layers, X, 3)


@pytest.mark.parametrize(
    "call",
    [lambda c: taskcodec.at_bits(c, 40), lambda c: taskcodec.at_step(c, 0.1), lambda c: taskcodec.adapt(c, X, 40)],
)
def test_no_other_rate_is_made_up_for_it(call):
    codec = with_effort(PLAIN, X, 3)
    with pytest.raises(UsageError, match="this codec's quantizer is dependent: its rate is set where it is fitted"):
        call(codec)
    assert taskcodec.adapt(codec, X) is codec


@pytest.mark.parametrize("bits", [None, 36])
def test_where_most_numbers_are_zero_each_symbol_is_chosen_on_its_own(bits):
    """Features as networks give them before anything is made of them: rare and large."""
    x, others = (RNG.exponential(size=(600, 60)).astype("f4") ** 2 for _ in range(2))
    plain = taskcodec.fit(x, bits=36, method="dimensionwise")
    codec = with_effort(plain, x, 2, bits)
    assert codec.base.quantizer.slope > 0
    assert codec.base.model.plain is not None
    (before, error), (after, same) = bits_and_error(plain, others), bits_and_error(codec, others)
    assert after < 0.99 * before
    assert same < 1.02 * error
    again = Codec.from_bytes(codec.to_bytes())
    assert again.fingerprint == codec.fingerprint
    assert again.base.quantizer.slope == codec.base.quantizer.slope
    assert np.array_equal(again.encode(others), codec.encode(others))
