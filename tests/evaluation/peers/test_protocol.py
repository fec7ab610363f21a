import numpy as np
import pytest

from taskcodec.errors import UsageError
from taskcodec.evaluation.peers.more import PcaTruncation
from taskcodec.evaluation.peers.own import OwnCodec
from taskcodec.evaluation.peers.protocol import Cast, Faiss, FitSet, Int8, Sign, UniformStep, standard_peers
from taskcodec.fitting import fit

D = 32


def features(rows, seed=0):
    rng = np.random.default_rng(seed)
    basis = np.random.default_rng(99).normal(size=(6, D))
    return np.abs(rng.normal(size=(rows, 6)) @ basis + 0.3 * rng.normal(size=(rows, D))).astype(np.float32)


@pytest.fixture(scope="module")
def fit_set():
    views = np.stack([features(400) + 0.05, features(400) * 0.9])
    return FitSet(features(400), features(0), views.astype(np.float32))


def relative_error(peer, fit_set):
    test = features(300, seed=1)
    decoded, bits = peer.fit(fit_set).encode_decode(test)
    assert decoded.shape == test.shape
    assert decoded.dtype == np.float32
    return float(np.mean((decoded - test) ** 2) / test.var()), bits


@pytest.mark.parametrize(
    ("peer", "bits", "error"),
    [
        (Cast("float32"), 32 * D, 0),
        (Cast("float16"), 16 * D, 1e-6),
        (Int8(), 8 * D, 1e-3),
        (Sign(), D, 0.6),
        (Faiss("SQ8", "SQ8"), 8 * D, 1e-3),
        (Faiss("SQ4", "SQ4", companded=True), 4 * D, 0.05),
        (Faiss("PQ", "PQ8x8"), 64, 0.3),
        (Faiss("PQ", "PQ8x8", pooled=True, most=300), 64, 0.4),
        (Faiss("OPQ", "OPQ8_16,PQ8x8"), 64, 0.4),
        (Faiss("RQ", "PCA16,RQ4x8"), 32, 0.6),
    ],
    ids=lambda value: getattr(value, "setting", None),
)
def test_fixed_rate_peers_cost_exactly_their_bytes(fit_set, peer, bits, error):
    found, rate = relative_error(peer, fit_set)
    assert rate == bits
    assert found <= error


@pytest.mark.parametrize("klt", [False, True])
@pytest.mark.parametrize("companded", [False, True])
@pytest.mark.parametrize("refit", [False, True])
def test_entropy_coded_peers_meet_their_rate_and_improve_with_it(fit_set, klt, companded, refit):
    few, low = relative_error(UniformStep("step", 40, klt, companded, refit), fit_set)
    many, high = relative_error(UniformStep("step", 120, klt, companded, refit), fit_set)
    assert (low, high) == (pytest.approx(40, rel=0.15), pytest.approx(120, rel=0.15))
    assert many < 0.5 * few < 0.5


@pytest.mark.parametrize("peer", [
    Faiss("PQ", "PQ4x4"), Faiss("OPQ", "OPQ4_16,PQ4x4"), UniformStep("KLT", 60, klt=True), UniformStep("step", 60),
    PcaTruncation(8, "int8"),
], ids=lambda peer: peer.name)  # fmt: skip
def test_peers_that_do_better_on_a_set_alone_leave_the_background(fit_set, peer):
    test, none = features(300, seed=1), fit_set.views[:, :0]
    alone = FitSet(fit_set.features, features(0), none)
    other = FitSet(fit_set.features, features(400, seed=2) * 3, none)
    first, second = (peer.fit(data).encode_decode(test) for data in (alone, other))
    np.testing.assert_array_equal(first[0], second[0])
    assert first[1] == second[1]


def test_a_background_makes_up_for_too_few_samples(fit_set):
    few = FitSet(fit_set.features[:50], features(400, seed=2), fit_set.views[:, :0])
    assert relative_error(Faiss("PQ", "PQ8x8"), few)[1] == 64


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


def test_standard_peers_have_distinct_settings():
    keys = [(peer.name, peer.setting) for peer in standard_peers()]
    assert len(set(keys)) == len(keys)


def test_a_misshapen_fit_set_is_refused():
    with pytest.raises(UsageError, match="fit set"):
        FitSet(features(4), features(4)[:, :3], np.zeros((0, 4, D), np.float32))
