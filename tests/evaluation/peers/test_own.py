"""Our codecs behind the peers' protocol: fitted, and what `encode` writes by itself."""

import numpy as np
import pytest

from taskcodec.evaluation.peers.own import DefaultCodec, FittedCodec, OwnCodec
from taskcodec.evaluation.peers.protocol import FitSet
from taskcodec.fitting import fit
from tests import layered


@pytest.fixture(scope="module")
def features():
    rng = np.random.default_rng(0)
    return (rng.normal(size=(1200, 8)) @ rng.normal(size=(8, 64)) + 0.05 * rng.normal(size=(1200, 64))).astype("f4")


@pytest.fixture(scope="module")
def fit_set(features):
    return FitSet(features[:600], features[:0], features[None, :0])


def test_the_rate_of_a_fitted_codec_is_bytes_of_blocks(features, fit_set):
    codec = OwnCodec("taskcodec", 60, lambda found, bits: fit(found.features, bits=bits), refit=True)
    decoded, bits = codec.fit(fit_set).encode_decode(features)
    assert bits == pytest.approx(60, rel=0.03)
    assert np.square(decoded - features).sum() < 0.1 * np.square(features - features.mean(axis=0)).sum()


def test_the_default_is_a_real_store_fitted_to_what_it_holds(features, fit_set):
    codes, whole = DefaultCodec(), DefaultCodec(whole=True)
    assert (codes.name, whole.name) == ("default", "default, whole store")
    decoded, bits = codes.fit(fit_set).encode_decode(features)
    again, store_bits = whole.fit(fit_set).encode_decode(features)
    np.testing.assert_array_equal(decoded, again)
    assert decoded.shape == features.shape
    assert bits < store_bits < bits + 8 * 60_000 / len(features)  # records and codec take bytes too
    assert np.square(decoded - features).sum() < 0.1 * np.square(features - features.mean(axis=0)).sum()


def test_a_codec_of_several_layers_is_measured_by_its_packets():
    codec, x = layered.layered(), layered.features(40)
    decoded, bits = FittedCodec(codec).encode_decode(x)
    np.testing.assert_array_equal(decoded, codec.decode(codec.encode(x)))
    assert bits == 8 * sum(map(len, codec.compress(x))) / 40
