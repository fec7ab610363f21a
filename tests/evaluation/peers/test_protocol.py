import numpy as np
import pytest

from taskcodec.errors import UsageError
from taskcodec.evaluation.peers.own import OwnCodec
from taskcodec.evaluation.peers.protocol import FitSet
from taskcodec.fitting import fit

D = 32


def features(rows, seed=0):
    rng = np.random.default_rng(seed)
    basis = np.random.default_rng(99).normal(size=(6, D))
    return np.abs(rng.normal(size=(rows, 6)) @ basis + 0.3 * rng.normal(size=(rows, D))).astype(np.float32)


def relative_error(peer, fit_set):
    test = features(300, seed=1)
    decoded, bits = peer.fit(fit_set).encode_decode(test)
    assert decoded.shape == test.shape
    assert decoded.dtype == np.float32
    return float(np.mean((decoded - test) ** 2) / test.var()), bits


def test_a_background_is_pooled_or_else_the_views(fit_set):
    assert (len(fit_set.pooled), len(fit_set.own)) == (1200, 1200)
    other = FitSet(features(10), features(20), fit_set.views)
    assert (len(other.pooled), len(other.own)) == (30, 10)


def test_taskcodec_wears_the_same_protocol(fit_set):
    def make(data, bits):
        return fit(data.features, bits=bits, views=data.views)

    for refit in (False, True):
        error, bits = relative_error(OwnCodec("taskcodec", 60, make, refit), fit_set)
        assert bits == pytest.approx(60, rel=0.15)
        assert error < 0.5


def test_a_misshapen_fit_set_is_refused():
    with pytest.raises(UsageError, match="fit set"):
        FitSet(features(4), features(4)[:, :3], np.zeros((0, 4, D), np.float32))
