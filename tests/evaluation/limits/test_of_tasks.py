"""The least rate of a task, and codecs beside it."""

import numpy as np
import pytest

from taskcodec.errors import SourceError, UsageError
from taskcodec.evaluation.limits.of_features import LimitsPlan
from taskcodec.evaluation.limits.of_tasks import limits_of_task
from taskcodec.fitting import fit

D = 40


def clusters(n, spread, classes=4, seed=0):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, classes, n)
    return (4 * np.eye(classes, D)[y] + spread * rng.normal(size=(n, D))).astype("f4"), y


@pytest.mark.slow
def test_classes_take_few_bits():
    x, y = clusters(600, 1.3)
    found = limits_of_task("c", x, [f"class {c}" for c in y], LimitsPlan((12.0, 40.0)))
    assert (found.name, found.dimension, found.samples) == ("c", D, 600)
    assert (found.classes, found.fitted, found.held_out) == (4, 450, 150)
    assert found.log_loss_bits < 0.5
    assert 1.3 < found.information_bits <= 2.0
    coarse, fine = found.points
    assert fine.distortion < coarse.distortion
    for point in found.points:
        assert 0 < point.rate_upper_bits < 4
        # Data processing: what is left of the information is carried by that many bits at least.
        # Not the lesser of the two, which would hide an upper bound that is too low.
        assert point.rate_lower_bits == pytest.approx(found.information_bits - point.distortion)
        assert point.rate_lower_bits < point.rate_upper_bits
        assert point.codec == "fitted"
        assert point.above_bits == pytest.approx(point.codec_bits - point.rate_upper_bits)
        assert point.above_bits > 0
    # The bound depends on the source alone; peers stand above it too, at their own losses.
    assert {"step", "KLT"} <= {peer.codec for peer in found.peers}
    for peer in found.peers:
        assert peer.rate_upper_bits is None or peer.above_bits > 0


@pytest.mark.slow
def test_a_codec_of_a_store_and_effort():
    x, y = clusters(400, 1.3)
    found = limits_of_task("c", x, y, LimitsPlan((20.0,), effort=2, peers=False), fit(x, bits=12))
    own, fitted = found.points
    assert (own.codec, own.asked_bits, fitted.codec, fitted.asked_bits) == ("store", None, "fitted", 20.0)
    assert own.codec_bits < fitted.codec_bits
    assert any("may look too good" in note for note in found.notes)
    assert found.peers == ()


@pytest.mark.parametrize(
    ("y", "error", "says"),
    [
        ([0] * 100, SourceError, "two classes"),
        ([0, 1], UsageError, "need as many labels, found 2"),
        ([0] * 99 + [1], SourceError, "samples of each"),
    ],
)
def test_labels_that_are_no_task(y, error, says):
    with pytest.raises(error, match=says):
        limits_of_task("c", clusters(100, 1.0)[0], y)
