"""Codecs and peers on the samples held out."""

import pytest

import taskcodec
from taskcodec.errors import UsageError
from taskcodec.evaluation.limits.measured import measured, measured_peer, peers_of
from taskcodec.evaluation.limits.parts import split
from taskcodec.evaluation.peers.step import UniformStep
from tests.layered import features, layered


@pytest.mark.parametrize("independent", [False, True])
def test_codecs_of_several_layers(independent, tmp_path):
    """All layers' bytes count, as a store has them, and the error is that of the highest."""
    codec, parts = layered(independent), split("l", features(400, seed=5), False, 0)
    store = taskcodec.encode(parts.held, tmp_path / "held.tcz", codec=codec, refit=False)
    found = measured(codec, parts, "store", None)
    assert found.bits == pytest.approx(8 * store.info().code_bytes / len(parts.held), rel=0.02)
    assert found.errors == pytest.approx(((store.to_numpy().astype("f8") - parts.held) ** 2).sum(axis=1))
    assert found.costs.shape == (len(parts.held),)
    assert found.granular is None  # cells of the base are cut anew
    assert measured(taskcodec.fit(parts.fitted, bits=30), parts, "fitted", 30.0).granular > 0


def test_peers_see_what_errors_are_of():
    x = features(400) ** 2
    for companded in (False, True):
        parts = split("s", x, companded, 0)
        assert parts.companding == ("sqrt" if companded else "identity")
        steps = [peer for peer in peers_of(parts, (20.0, 40.0)) if isinstance(peer, UniformStep)]
        assert [(peer.name, peer.bits, peer.klt) for peer in steps] == [
            ("step", 20.0, False), ("step", 40.0, False), ("KLT", 20.0, True), ("KLT", 40.0, True)
        ]  # fmt: skip
        assert all(peer.companded == companded for peer in steps)


class Refusing:
    name, setting = "step", "20"

    def fit(self, fit_set):
        raise UsageError("no step gives 20 bits")


def test_a_peer_that_cannot_be_fitted_is_named():
    with pytest.raises(UsageError, match="step 20: no step gives 20 bits"):
        measured_peer(Refusing(), split("s", features(40), False, 0))
