import numpy as np
import pytest

from taskcodec.errors import MismatchError
from taskcodec.evaluation.peers.measured import OfFeatures, Subject
from taskcodec.evaluation.peers.protocol import Fitted, alone
from taskcodec.evaluation.tasks.holdout import Split
from tests.evaluation.peers.test_protocol import features


class Counted:
    """Gives back what it gets and says on how many samples it was fitted, as its rate."""

    name, setting = "counted", "1"

    def __init__(self, made=lambda x: x):
        self.made, self.fitted = made, []

    def __repr__(self):
        return "Counted()"

    def fit(self, fit_set):
        self.fitted.append((len(fit_set.features), len(fit_set.background)))
        return Fitted(lambda x: (self.made(x), float(len(fit_set.features))))


def subject(tmp_path, general=None):
    splits = (Split(np.arange(20), np.arange(20, 30)), Split(np.arange(10, 30), np.arange(10)))
    return Subject(features(30), splits, general, images=None, backbone="lite0", cache=tmp_path)


def test_a_codec_is_fitted_once_for_all_sets_or_for_each_split(tmp_path):
    once, each = Counted(), Counted()
    other = alone(features(50, seed=3))
    measured = OfFeatures(once, once=True)
    for _ in range(2):
        bits, decoded = measured.measure(subject(tmp_path, other))
        assert (bits, len(decoded)) == (50, 2)
    assert once.fitted == [(50, 0)]
    bits, decoded = OfFeatures(each).measure(subject(tmp_path, other))
    assert (bits, len(decoded)) == (20, 2)
    assert each.fitted == [(20, 50), (20, 50)]
    assert repr(measured) == "Counted()"


def test_only_a_codec_with_a_network_of_its_own_may_give_another_number_of_features(tmp_path):
    fewer = Counted(lambda x: x[:, :5])
    with pytest.raises(MismatchError, match=r"shape \(30, 32\), found \(30, 5\)"):
        OfFeatures(fewer).measure(subject(tmp_path))
    assert OfFeatures(fewer, same_size=False).measure(subject(tmp_path))[1][0].shape == (30, 5)
