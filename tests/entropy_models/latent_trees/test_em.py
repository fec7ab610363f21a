import numpy as np
import pytest

from taskcodec.entropy_models.latent_trees.chow_liu import hidden_tree, information
from taskcodec.entropy_models.latent_trees.em import Stepwise, expected, improve, nats_of, started
from taskcodec.entropy_models.latent_trees.freeze import freeze
from tests.latent_trees import CHAIN, TREE, sampled, tree_of


def test_a_chain_is_found_again():
    """Columns of a Markov chain, in disorder: neighbours in it tell most of one another."""
    rng = np.random.default_rng(0)
    steps = [rng.integers(0, 4, 4000)]
    for _ in range(7):
        steps.append(np.where(rng.random(4000) < 0.7, steps[-1], rng.integers(0, 4, 4000)))
    order = rng.permutation(8)
    symbols = np.stack(steps, axis=1)[:, order].astype(np.int32)
    forest = hidden_tree(symbols)
    column = np.empty(8, int)
    column[forest.owners] = np.arange(8)
    edges = {frozenset(order[column[[child, parent]]].tolist()) for child, parent in enumerate(forest.parents) if child}
    assert edges == {frozenset((step, step + 1)) for step in range(7)}
    assert len(forest.levels) == 5
    found = information(symbols)
    assert found == pytest.approx(found.T)
    assert found[0, 0] == pytest.approx(np.log(4), abs=0.01)


def test_columns_that_say_nothing_do_not_matter():
    symbols = np.zeros((50, 3), np.int32)
    assert hidden_tree(symbols).columns == 3
    assert hidden_tree(symbols[:, :1]).latents == 1


@pytest.mark.parametrize("shape", [CHAIN, TREE])
def test_em_comes_nearer_to_what_samples_follow(shape):
    """Judged by others; it ends where no small step helps, which need not be the law itself."""
    truth = tree_of(shape, states=2, values=4)
    x, _ = sampled(truth, 1500)
    others, _ = sampled(truth, 800, seed=1)
    told = []
    start = started(shape, x + 1, 2, 4, 0)
    tree = improve(start, x + 1, Stepwise(passes=8, batch=300), lambda step, tree, nats: told.append((step, nats)))
    assert [step for step, _ in told] == list(range(1, 41))
    exact = truth.code_length(others).mean()
    bits = nats_of(tree, others + 1).mean() / np.log(2)
    assert bits < nats_of(start, others + 1).mean() / np.log(2)
    assert 0.97 * exact < bits < 1.35 * exact
    frozen = freeze(tree, np.full(shape.columns, -1, np.int32), np.full(shape.columns, 4, np.int32))
    assert frozen.code_length(others).mean() == pytest.approx(bits, rel=0.01)


def test_counts_add_up():
    truth = tree_of(TREE, states=3, values=4)
    x, _ = sampled(truth, 40)
    counts = expected(started(TREE, x + 1, 3, 4, 0), x + 1)
    assert counts.prior.sum(axis=1) == pytest.approx(np.full(2, 40), rel=1e-4)
    assert counts.transition.sum(axis=(1, 2)) == pytest.approx(np.full(5, 40), rel=1e-4)
    for column in range(8):
        assert counts.emission[column].sum(axis=1) == pytest.approx(
            np.bincount(x[:, column] + 1, minlength=4), rel=1e-4
        )
