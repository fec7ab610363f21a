import pytest

from taskcodec.evaluation.peers.step import UniformStep
from tests.evaluation.peers.test_protocol import relative_error


@pytest.mark.parametrize("klt", [False, True])
@pytest.mark.parametrize("companded", [False, True])
@pytest.mark.parametrize("refit", [False, True])
def test_entropy_coded_peers_meet_their_rate_and_improve_with_it(fit_set, klt, companded, refit):
    few, low = relative_error(UniformStep("step", 40, klt, companded, refit), fit_set)
    many, high = relative_error(UniformStep("step", 120, klt, companded, refit), fit_set)
    assert (low, high) == (pytest.approx(40, rel=0.15), pytest.approx(120, rel=0.15))
    assert many < 0.5 * few < 0.5
