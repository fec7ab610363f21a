import numpy as np
import pytest

from taskcodec.evaluation.peers.faiss import Faiss
from taskcodec.evaluation.peers.pca import PcaTruncation
from taskcodec.evaluation.peers.protocol import FitSet
from taskcodec.evaluation.peers.roster import fitted_peers, trained_peers, unfitted_peers
from taskcodec.evaluation.peers.step import UniformStep
from tests.evaluation.peers.test_protocol import features


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


def test_peers_have_distinct_settings():
    keys = [(peer.name, peer.setting) for peer in (*unfitted_peers(), *fitted_peers(), *trained_peers())]
    assert len(set(keys)) == len(keys)
