import numpy as np
import pytest

from taskcodec.evaluation.peers.protocol import FitSet
from tests.evaluation.peers.test_protocol import features


@pytest.fixture(scope="module")
def fit_set():
    views = np.stack([features(400) + 0.05, features(400) * 0.9])
    return FitSet(features(400), features(0), views.astype(np.float32))
