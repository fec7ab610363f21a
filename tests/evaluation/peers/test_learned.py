import pytest

from taskcodec.evaluation.peers.learned import LearnedBottleneck
from taskcodec.evaluation.peers.protocol import FitSet
from tests.evaluation.peers.test_protocol import features, relative_error


@pytest.mark.slow
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
