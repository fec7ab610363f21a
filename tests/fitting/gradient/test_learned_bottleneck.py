import math

import numpy as np
import pytest

from taskcodec.codec import Codec
from taskcodec.coding import decode_block, encode_block
from taskcodec.errors import MismatchError, UsageError
from taskcodec.fitting import adapt, at_bits, fit
from taskcodec.fitting.gradient.learned_bottleneck import fit_learned_bottleneck

BETA = 0.05


@pytest.fixture(scope="module")
def features():
    rng = np.random.default_rng(0)
    return (rng.laplace(size=(3000, 16)) * np.linspace(0.2, 3, 16) + 5).astype(np.float32)


@pytest.fixture(scope="module")
def codec(features):
    return fit_learned_bottleneck(features, BETA)


def test_real_bytes_are_within_one_per_cent_of_the_trained_estimate(codec, features):
    symbols = codec.encode(features)
    data = encode_block(symbols, codec.base.model)
    np.testing.assert_array_equal(decode_block(data, len(symbols), codec.base.model), symbols)
    assert 8 * len(data) / len(symbols) == pytest.approx(codec.provenance["trained_bits"], rel=0.01)


def test_learned_steps_are_what_theory_says(codec):
    """At a fine step the best one under L1 is 4 beta / ln 2, whatever a column's spread."""
    fine = codec.base.transform.scale[6:]
    np.testing.assert_allclose(fine, 4 * BETA / math.log(2), rtol=0.3)


def test_it_is_about_as_good_as_a_step_and_counted_tables(codec, features):
    def error(some):
        return np.abs(some.decode(some.encode(features)) - features).sum(axis=1).mean()

    closed = fit(features, bits=codec.provenance["trained_bits"], method="dimensionwise")
    assert error(codec) == pytest.approx(error(closed), rel=0.1)


@pytest.mark.slow
def test_more_for_a_bit_means_fewer_bits(codec, features):
    coarse = fit_learned_bottleneck(features, 8 * BETA)
    assert coarse.provenance["trained_bits"] < 0.6 * codec.provenance["trained_bits"]


def test_it_is_a_codec_like_any_other(codec, features):
    assert Codec.from_bytes(codec.to_bytes()).fingerprint == codec.fingerprint
    assert at_bits(codec, 30).code_length(at_bits(codec, 30).encode(features)).mean() == pytest.approx(30, rel=0.1)
    adapted = adapt(codec, features, 40)
    assert adapted.code_length(adapted.encode(features)).mean() == pytest.approx(40, rel=0.02)


def test_the_same_seed_gives_the_same_codec(features):
    first, second = (fit_learned_bottleneck(features[:200], BETA, max_steps=20, seed=3) for _ in range(2))
    assert first.fingerprint == second.fingerprint
    assert fit_learned_bottleneck(features[:200], BETA, max_steps=20, seed=4).fingerprint != first.fingerprint


def test_bad_input_is_refused(features):
    for beta in (0.0, -1.0, float("nan")):
        with pytest.raises(UsageError, match="beta"):
            fit_learned_bottleneck(features, beta)
    for bad in (features[:1], features[0], np.full((5, 3), np.inf)):
        with pytest.raises(MismatchError):
            fit_learned_bottleneck(bad, BETA)
