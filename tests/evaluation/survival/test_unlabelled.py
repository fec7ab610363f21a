"""What is kept without regard to a task: recall@10 against a plain search, and where it has no meaning."""

import numpy as np
import pytest

from taskcodec.evaluation.survival import unlabelled
from taskcodec.evaluation.survival.unlabelled import what_is_kept

RNG = np.random.default_rng(0)
RAW = (RNG.normal(size=(300, 12)) + 2).astype("f4")
NOISY = (RAW + 0.5 * RNG.normal(size=RAW.shape)).astype("f4")
ALONE = np.arange(300)


def searched(raw, decoded, nearness):
    """recall@10 by a loop over queries."""
    shares = []
    for i in range(len(raw)):
        wanted = sorted((j for j in range(len(raw)) if j != i), key=lambda j: -nearness(raw[i], raw[j]))[:10]
        found = sorted((j for j in range(len(raw)) if j != i), key=lambda j: -nearness(raw[i], decoded[j]))[:10]
        shares.append(len(set(wanted) & set(found)) / 10)
    return np.mean(shares)


def test_recall_against_a_plain_search():
    found = what_is_kept(RAW, NOISY, ALONE).recall_at_10
    x, y = RAW.astype("f8"), NOISY.astype("f8")
    assert found.cosine.value == pytest.approx(
        searched(x, y, lambda a, b: a @ b / np.linalg.norm(a) / np.linalg.norm(b)), abs=1e-9
    )
    assert found.l2.value == pytest.approx(searched(x, y, lambda a, b: -np.linalg.norm(a - b)), abs=1e-9)
    assert 0.3 < found.l2.value < 0.9
    for interval in (found.cosine, found.l2):
        assert interval.low < interval.value < interval.high
        assert interval.high - interval.low < 0.06
    assert found.queries == 300


def test_variance_and_cosine():
    kept = what_is_kept(RAW, NOISY, ALONE)
    x, y = RAW.astype("f8"), NOISY.astype("f8")
    assert kept.variance_kept == pytest.approx(1 - np.sum((x - y) ** 2) / np.sum((x - x.mean(axis=0)) ** 2))
    cosines = np.sum(x * y, axis=1) / np.linalg.norm(x, axis=1) / np.linalg.norm(y, axis=1)
    assert kept.mean_cosine == pytest.approx(cosines.mean())


@pytest.mark.parametrize("unit", [1e-30, 1.0, 1e14])
@pytest.mark.parametrize("offset", [0.0, 1e3])
def test_nothing_lost_is_all_found_in_any_unit(unit, offset):
    x = ((RAW + offset) * unit).astype("f4")
    kept = what_is_kept(x, x.copy(), ALONE)
    recall = kept.recall_at_10
    assert recall.cosine.value == recall.l2.value == kept.variance_kept == 1
    assert kept.mean_cosine == pytest.approx(1)


def test_the_unit_does_not_matter_to_what_is_lost():
    usual, tiny = (what_is_kept((RAW * u).astype("f4"), (NOISY * u).astype("f4"), ALONE) for u in (1.0, 2.0**-90))
    assert usual == tiny


def test_one_sample_far_out_makes_no_others_alike():
    far = RAW.copy()
    far[0] = 1e10
    decoded = NOISY.copy()
    decoded[0] = 1e10
    usual = what_is_kept(RAW, NOISY, ALONE).recall_at_10.l2.value
    assert what_is_kept(far, decoded, ALONE).recall_at_10.l2.value == pytest.approx(usual, abs=0.02)


def test_a_codec_that_keeps_nothing_finds_what_chance_finds():
    """Whatever the order of the samples: here neighbours lie side by side."""
    x = np.sort(RNG.normal(size=(400, 1)), axis=0).astype("f4") * np.ones((1, 3), "f4") + 5
    constant = np.broadcast_to(x.mean(axis=0), x.shape).astype("f4")
    kept = what_is_kept(x, constant, np.arange(400))
    assert kept.recall_at_10.l2.value == pytest.approx(10 / 399, rel=1e-6)
    assert kept.variance_kept == pytest.approx(0, abs=1e-6)


def test_samples_that_are_equally_near_are_equally_right():
    corners = np.array(list(np.ndindex(2, 2, 2, 2, 2, 2)), "f4")  # each has 6 neighbours at 1, and 15 at a root of 2
    decoded = corners + (1e-3 * RNG.normal(size=corners.shape)).astype("f4")
    assert what_is_kept(corners, decoded, np.arange(64)).recall_at_10.l2.value == 1


def test_copies_are_not_there_to_be_found():
    twice, units = np.repeat(RAW, 2, axis=0), np.repeat(ALONE, 2)
    there = what_is_kept(twice, np.repeat(NOISY, 2, axis=0), ALONE[:, None].repeat(2, 1).ravel()).recall_at_10
    assert there.queries == 600
    alone = what_is_kept(twice, np.repeat(NOISY, 2, axis=0), np.arange(600)).recall_at_10
    assert there.l2.value < alone.l2.value
    assert (what_is_kept(RAW[:1].repeat(300, 0), RAW[:1].repeat(300, 0), units[:1].repeat(300)).recall_at_10) is None


def test_what_cannot_be_told_is_none():
    few = what_is_kept(RAW[:15], NOISY[:15], np.arange(15))
    assert few.recall_at_10 is None
    assert few.variance_kept is not None
    zeros = np.zeros((50, 4), "f4")
    kept = what_is_kept(zeros, zeros, np.arange(50))
    assert kept.variance_kept is None
    assert kept.mean_cosine is None
    one = what_is_kept(zeros[:1], zeros[:1], np.arange(1))
    assert one.recall_at_10 is None


def test_samples_that_ask_are_drawn_by_seed(monkeypatch):
    monkeypatch.setattr(unlabelled, "MAX_QUERIES", 50)
    monkeypatch.setattr(unlabelled, "BLOCK_NUMBERS", 2000)  # six queries at a time
    told = []
    first, again, other = (
        what_is_kept(RAW, NOISY, ALONE, seed=seed, progress=lambda *step: told.append(step)) for seed in (0, 0, 1)
    )
    assert first == again != other
    assert first.recall_at_10.queries == 50
    assert told[-1] == (100, 100)
    assert abs(first.recall_at_10.l2.value - what_is_kept(RAW, NOISY, ALONE).recall_at_10.l2.value) < 0.1
