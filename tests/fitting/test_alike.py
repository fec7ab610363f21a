"""Samples without any difference."""

import numpy as np
import pytest

import taskcodec
from taskcodec.errors import UsageError


def test_a_rate_for_samples_that_are_all_alike_is_refused_in_plain_words():
    features = np.random.default_rng(0).normal(size=(100, 8)).astype("f4")
    alike = np.repeat(features[:1], 100, axis=0)
    with pytest.raises(UsageError, match="all alike: there is nothing to spend 20 bits a sample on"):
        taskcodec.adapt(taskcodec.fit(alike), alike, bits=20)
