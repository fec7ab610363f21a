import numpy as np
import pytest

from taskcodec.evaluation.peers.more import LearnedBottleneck, PcaTruncation, Zstandard, _few_iterations, more_peers
from taskcodec.evaluation.peers.protocol import Cast, Faiss, FitSet, Int8
from tests.evaluation.peers.test_protocol import D, features, relative_error


@pytest.fixture(scope="module")
def fit_set():
    views = np.stack([features(400) + 0.05, features(400) * 0.9])
    return FitSet(features(400), features(0), views.astype(np.float32))


@pytest.mark.parametrize(
    ("peer", "bits", "error"),
    [
        (PcaTruncation(6, "float16"), 96, 0.4),
        (PcaTruncation(D, "float16"), 16 * D, 1e-5),
        (PcaTruncation(6, "int8"), 48, 0.4),
        (PcaTruncation(D, "int8"), 8 * D, 2e-3),
        (Faiss("LSQ", "PCA16,LSQ8x4", adjust=_few_iterations), 32, 0.6),
    ],
    ids=lambda value: getattr(value, "setting", None),
)
def test_fixed_rate_peers_cost_exactly_their_bytes(fit_set, peer, bits, error):
    found, rate = relative_error(peer, fit_set)
    assert rate == bits
    assert found <= error


def test_more_components_leave_less_error(fit_set):
    errors = [relative_error(PcaTruncation(kept, "float16"), fit_set)[0] for kept in (1, 3, 6, 20)]
    assert errors == sorted(errors, reverse=True)


def test_pca_keeps_no_more_components_than_there_are(fit_set):
    few = FitSet(features(4), features(0), fit_set.views[:, :0])
    assert relative_error(PcaTruncation(20, "float16"), few)[1] == 4 * 16


@pytest.mark.parametrize(("stored", "plain"), [("float16", Cast("float16")), ("int8", Int8())])
def test_zstandard_gives_back_what_was_cast_in_fewer_bytes(fit_set, stored, plain):
    test = np.repeat(features(300, seed=1), 5, axis=0)  # more than one block
    cast, rate = plain.fit(fit_set).encode_decode(test)
    decoded, packed = Zstandard(stored).fit(fit_set).encode_decode(test)
    np.testing.assert_array_equal(decoded, cast)
    assert packed < rate


def test_the_learned_bottleneck_trades_rate_for_error_at_any_scale(fit_set):
    fine, many = relative_error(LearnedBottleneck(0.1, max_steps=80), fit_set)
    coarse, few = relative_error(LearnedBottleneck(0.5, max_steps=80), fit_set)
    refitted, rate = relative_error(LearnedBottleneck(0.5, refit=True, max_steps=80), fit_set)
    assert fine < 0.5 * coarse < 0.5
    assert few < 0.7 * many
    assert refitted < 1.2 * coarse
    assert rate < 1.2 * few
    larger = FitSet(100 * fit_set.features, 100 * fit_set.background, 100 * fit_set.views)
    scaled = LearnedBottleneck(0.5, max_steps=150).fit(larger).encode_decode(100 * features(300, seed=1))[1]
    assert scaled == pytest.approx(few, rel=0.2)


def test_more_peers_have_distinct_settings():
    keys = [(peer.name, peer.setting) for peer in more_peers()]
    assert len(set(keys)) == len(keys)
