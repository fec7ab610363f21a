import pytest

from taskcodec.evaluation.peers.faiss import Faiss, few_iterations
from taskcodec.evaluation.peers.protocol import FitSet
from tests.evaluation.peers.test_protocol import D, features, relative_error


@pytest.mark.parametrize(
    ("peer", "bits", "error"),
    [
        (Faiss("SQ8", "SQ8"), 8 * D, 1e-3),
        (Faiss("SQ4", "SQ4", companded=True), 4 * D, 0.05),
        (Faiss("PQ", "PQ8x8"), 64, 0.3),
        (Faiss("PQ", "PQ8x8", pooled=True, most=300), 64, 0.4),
        (Faiss("OPQ", "OPQ8_16,PQ8x8"), 64, 0.4),
        (Faiss("RQ", "PCA16,RQ4x8"), 32, 0.6),
        (Faiss("LSQ", "PCA16,LSQ8x4", adjust=few_iterations), 32, 0.6),
    ],
    ids=lambda value: getattr(value, "setting", None),
)
@pytest.mark.slow
def test_indexes_cost_exactly_their_bytes(fit_set, peer, bits, error):
    found, rate = relative_error(peer, fit_set)
    assert rate == bits
    assert found <= error


def test_a_background_makes_up_for_too_few_samples(fit_set):
    few = FitSet(fit_set.features[:50], features(400, seed=2), fit_set.views[:, :0])
    assert relative_error(Faiss("PQ", "PQ8x8"), few)[1] == 64
