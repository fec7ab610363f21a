"""Codecs at other rates."""

import numpy as np
import pytest

import taskcodec
from taskcodec.errors import UsageError

rng = np.random.default_rng(0)
x = (rng.normal(size=(2000, 4)) @ rng.normal(size=(4, 16))).astype("f4")


def measured(codec, x):
    return float(codec.code_length(codec.encode(x)).mean())


def test_a_refitted_codec_is_re_rated_by_data_and_only_by_enough_of_them():
    origin = taskcodec.fit(x, bits=50)
    refitted = taskcodec.adapt(origin, x, bits=40)
    assert measured(taskcodec.adapt(refitted, x[:64], bits=30), x[:64]) == pytest.approx(30, rel=0.02)
    assert taskcodec.adapt(refitted, x[:63]) is refitted
    for attempt in (
        lambda: taskcodec.adapt(refitted, x[:63], bits=30),
        lambda: taskcodec.at_bits(refitted, 30),
        lambda: taskcodec.at_step(refitted, 0.5),
    ):
        with pytest.raises(UsageError, match="64 samples or more") as error:
            attempt()
        assert origin.fingerprint[:12] in str(error.value)
        assert "\n" not in str(error.value)
    assert measured(taskcodec.adapt(origin, x[:63], bits=30), x) == pytest.approx(30, rel=0.05)
