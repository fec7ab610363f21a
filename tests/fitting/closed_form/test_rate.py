"""Codecs at other rates."""

import numpy as np
import pytest

import taskcodec
from taskcodec.errors import UsageError
from taskcodec.fitting.closed_form.rate import MIN_ADAPT_SAMPLES

rng = np.random.default_rng(0)
x = (rng.normal(size=(2000, 4)) @ rng.normal(size=(4, 16))).astype("f4")


def measured(codec, x):
    return float(codec.tables.code_length(codec.encode(x)).mean())


def test_a_refitted_codec_is_re_rated_by_data_and_only_by_enough_of_them():
    origin = taskcodec.fit(x, bits=50)
    refitted = taskcodec.adapt(origin, x, bits=40)
    enough = x[:MIN_ADAPT_SAMPLES]
    assert measured(taskcodec.adapt(refitted, enough, bits=30), enough) == pytest.approx(30, rel=0.02)
    assert taskcodec.adapt(refitted, x[: MIN_ADAPT_SAMPLES - 1]) is refitted
    for attempt in (
        lambda: taskcodec.adapt(refitted, x[: MIN_ADAPT_SAMPLES - 1], bits=30),
        lambda: taskcodec.at_bits(refitted, 30),
        lambda: taskcodec.at_step(refitted, 0.5),
    ):
        with pytest.raises(UsageError, match=f"{MIN_ADAPT_SAMPLES} samples or more") as error:
            attempt()
        assert origin.fingerprint[:12] in str(error.value)
        assert "\n" not in str(error.value)
    assert measured(taskcodec.adapt(origin, x[: MIN_ADAPT_SAMPLES - 1], bits=30), x) == pytest.approx(30, rel=0.05)


def test_a_rate_for_samples_that_are_all_alike_is_refused_in_plain_words():
    features = np.random.default_rng(0).normal(size=(100, 8)).astype("f4")
    alike = np.repeat(features[:1], 100, axis=0)
    with pytest.raises(UsageError, match="all alike: there is nothing to spend 20 bits a sample on"):
        taskcodec.adapt(taskcodec.fit(alike), alike, bits=20)
