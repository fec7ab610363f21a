"""Codecs whose encoder keeps what a linear probe says."""

from dataclasses import replace

import numpy as np
import pytest

import taskcodec
from taskcodec.codec import Codec
from taskcodec.errors import MismatchError, UsageError
from taskcodec.fitting.effort import with_effort
from taskcodec.fitting.probe import keeping
from tests.layered import layered

RNG = np.random.default_rng(0)
D = 60
SPREAD = 4.0 / np.arange(1, D + 1)
X, OTHERS = ((RNG.normal(size=(n, D)) * SPREAD).astype("f4") for n in (1500, 400))
WEIGHTS = RNG.normal(size=(D, 2)) / SPREAD[:, None]
"""What a probe looks at lies mostly along axes that a codec of few bits drops."""
USUAL = taskcodec.fit(X, bits=24)


def kept_of(codec, x=OTHERS, weights=WEIGHTS):
    """Bits, squared error, and the share of the variance of what the probe says that is kept."""
    symbols = codec.encode(x)
    error = codec.decode(symbols).astype("f8") - x
    missed, said = error @ weights, x @ weights
    return (
        codec.code_length(symbols).mean(),
        (error**2).sum(axis=1).mean(),
        1 - (missed**2).sum() / said.var(0).sum() / len(x),
    )


def test_the_probe_says_again_what_it_said():
    """At the same bits, on samples that fitted nothing; the squared error grows little."""
    (bits, error, share), (same, more, kept) = kept_of(USUAL), kept_of(keeping(USUAL, X, WEIGHTS))
    assert same == pytest.approx(bits, rel=0.04)
    assert error < more < 1.2 * error
    assert share < 0.5
    assert kept > 2 * share


def test_roots_of_features_and_one_output():
    """Scores are linear in features, and codecs in their roots: in the mean over samples they go together."""
    x = np.abs(X) ** 2
    usual, weights = taskcodec.fit(x, bits=24), WEIGHTS[:, 0]
    assert usual.base.transform.companding == "sqrt"
    codec, away = keeping(usual, x, weights), x - x.mean(axis=0)
    errors = [np.square((each.decode(each.encode(x)) - x) @ weights).mean() for each in (usual, codec)]
    assert errors[1] < 0.97 * errors[0]
    assert errors[0] < np.square(away @ weights).mean() * 1.1


def test_the_unit_of_weights_does_not_matter():
    x = OTHERS[:50]
    one, other = (keeping(USUAL, X, unit * WEIGHTS).encode(x) for unit in (1.0, 1e6))
    assert (one == other).all()


def test_files_effort_and_other_rates():
    """Such a codec is as any: it is saved, takes effort, and is refitted to what it codes."""
    codec = keeping(USUAL, X, WEIGHTS)
    assert codec.provenance["probe"] == 2
    again = Codec.from_bytes(codec.to_bytes())
    assert again.fingerprint == codec.fingerprint
    assert (again.encode(OTHERS) == codec.encode(OTHERS)).all()
    effort = with_effort(codec, X, 2)
    assert effort.rate_of(X) < codec.rate_of(X)
    assert kept_of(effort)[2] == pytest.approx(kept_of(codec)[2], abs=0.05)
    assert taskcodec.adapt(codec, OTHERS, 16).rate_of(OTHERS) == pytest.approx(16, rel=0.05)


@pytest.mark.parametrize(
    ("codec", "weights", "error", "says"),
    [
        (USUAL, WEIGHTS[:-1], MismatchError, r"shape \(60, outputs\), found \(59, 2\)"),
        (USUAL, np.where(WEIGHTS > 0, np.nan, 1), MismatchError, "finite weights"),
        (USUAL, np.zeros((D, 2)), UsageError, "all its weights are 0"),
        (taskcodec.fit(X, bits=90, method="dimensionwise"), WEIGHTS, UsageError, "as they are lose no axis"),
        (layered(), np.ones((12, 1)), UsageError, "one layer"),
        (with_effort(USUAL, X, 2), WEIGHTS, UsageError, "one layer"),
    ],
)
def test_what_cannot_be_kept(codec, weights, error, says):
    with pytest.raises(error, match=says):
        keeping(codec, np.zeros((20, codec.dimension), "f4") if codec.dimension != D else X, weights)


def test_features_that_do_not_vary_in_what_the_probe_sees():
    """Nothing is missed, and nothing changes but the rounding of the map."""
    weights = np.zeros((D, 1))
    weights[0] = 1.0  # the leading feature, which is coded
    bits, error, _ = kept_of(keeping(USUAL, X, weights), weights=weights)
    assert (bits, error) == pytest.approx(kept_of(USUAL, weights=weights)[:2], rel=0.03)


def test_sketches_stay():
    assert keeping(USUAL, X, WEIGHTS).base.sketch.shape == USUAL.base.sketch.shape
    bare = USUAL.with_base(replace(USUAL.base, sketch=USUAL.base.sketch[:0]))
    assert len(keeping(bare, X, WEIGHTS).base.sketch) == 0
