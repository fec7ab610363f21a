import numpy as np
import pytest

from taskcodec.coding.models.overfitted.context import INDEX_START, Context, magnitudes, seen_of
from taskcodec.coding.models.overfitted.plan import PASSES, Plan
from taskcodec.errors import CorruptFileError

PLAN = Plan(levels=2, width=1, context=3)


def weights(rng, spread=2000):
    return {part.name: rng.integers(-spread, spread + 1, part.shape) for part in PLAN.parts}


def test_magnitudes_are_logarithms_on_straight_lines():
    # 1 + 2 |s| = 1, 3, 5, 7, 9: log2 between powers of two is 0, 1 + 1/2, 2 + 1/4, 2 + 3/4, 3 + 1/8
    assert magnitudes(np.array([0, 1, -2, 3, 4, -1])).tolist() == [0, 24, 36, 44, 50, 24]
    assert magnitudes(np.array([-(2**31)], np.int32))[0] == 16 * 21


def test_what_is_seen_is_clipped():
    found = seen_of(np.array([[5, -5, 2**31 - 1]], np.int32))
    assert found[1].tolist() == [[20, -20, 1024]]


def test_a_pass_depends_on_what_was_decoded_alone():
    rng = np.random.default_rng(0)
    context, coarser = Context(PLAN, weights(rng)), rng.integers(-5, 6, (4, 5)).astype(np.int32)
    whole, known = rng.integers(-5, 6, (7, 9)).astype(np.int32), np.zeros((7, 9), np.int32)
    wanted = dict(context.passes(0, whole, coarser))
    for (top, left), out in context.passes(0, known, coarser):
        assert np.array_equal(out, wanted[top, left])
        known[top::2, left::2] = whole[top::2, left::2]
    assert np.array_equal(known, whole)


def test_one_place_by_hand():
    found = {part.name: np.zeros(part.shape, np.int64) for part in PLAN.parts}
    found["near"][0, 0, -8:] = 4096  # the last pass: the magnitudes of its 8 neighbours, with weight 1
    found["answer"][3, 0, 0] = 2048  # half of their sum, in nepers
    found["answer_bias"][1, 3, 1] = 6144  # a mean of 1 1/2 symbols
    latent = np.ones((4, 4), np.int32)
    *_, ((top, left), out) = Context(PLAN, found).passes(1, latent, None)
    assert (top, left) == PASSES[3]
    # Of (1, 2) all 8 neighbours are there, of magnitude 1 1/2 each: 12, so 6 nepers, which are 48 indices.
    assert out[1].tolist() == [INDEX_START + 48, 6]
    assert out[0].tolist() == [INDEX_START + 30, 6]  # of (1, 0) there are 5


def test_small_latents_have_the_passes_that_they_have_places_for():
    context = Context(PLAN, weights(np.random.default_rng(0)))
    assert [len(out) for _, out in context.passes(1, np.zeros((1, 1), np.int32), None)] == [1]
    assert [len(out) for _, out in context.passes(1, np.zeros((1, 3), np.int32), None)] == [2, 1]


def test_weights_whose_sums_no_double_holds_are_refused():
    found = weights(np.random.default_rng(0))
    found["near"][...] = 1 << 50
    with pytest.raises(CorruptFileError, match="exactly"):
        list(Context(PLAN, found).passes(0, np.zeros((4, 4), np.int32), None))
