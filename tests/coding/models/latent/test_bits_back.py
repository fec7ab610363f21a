from dataclasses import replace

import constriction
import numpy as np
import pytest

from taskcodec.coding import Tables, freeze_pmf
from taskcodec.coding.models.latent.bits_back import BitsBack, pop_chain, push_chain
from taskcodec.coding.models.latent.tree import LatentTree
from tests.latent_trees import MIXTURE, TREE, joint_of, sampled, tree_of


def mixture_of_dirichlets(states, values, seed):
    rng = np.random.default_rng(seed)
    pmfs = [rng.dirichlet(np.ones(states)), *rng.dirichlet(np.full(values, 0.5), 4 * states)]
    first = np.repeat(np.array([0, -1], np.int32), [1, 4 * states])
    return LatentTree(MIXTURE, states, freeze_pmf(first, pmfs, 2.0**-20))


def test_a_mixture_takes_net_what_it_says_of_the_samples():
    """16 states, 4 columns of 4 symbols, 5,000 rows: to 0.1 %, where coding the states as well takes much more."""
    tree = mixture_of_dirichlets(16, 4, 0)
    x, z = sampled(tree, 5000)
    exact = -np.logaddexp2.reduce(joint_of(tree, x), axis=0).sum()
    coder = constriction.stream.stack.AnsCoder()
    push_chain(coder, x, tree.bits_back)
    assert coder.num_valid_bits() == pytest.approx(exact, rel=1e-3)
    assert tree.code_length(x).sum() == pytest.approx(exact, rel=1e-4)
    parts = tree.bits_back
    assert (parts.likelihood.code_length(x, [z]) + parts.prior.code_length(z)).sum() > 1.05 * exact
    assert np.array_equal(pop_chain(coder, x.shape, parts), x)
    assert coder.is_empty()


def test_net_bits_of_each_row_are_those_of_the_model_whatever_the_states():
    tree = tree_of(TREE)
    x, z = sampled(tree, 300)
    found = tree.bits_back.net_bits(x, z)
    assert found == pytest.approx(tree.code_length(x), rel=2e-3, abs=0.02)


@pytest.mark.parametrize("rows", [0, 1, 2, 3, 4, 5, 8, 9, 300])
def test_any_number_of_rows_comes_back_from_any_coder(rows):
    tree = tree_of(TREE)
    x = np.random.default_rng(rows).integers(-3, 9, (rows, 8)).astype(np.int32)
    for words, growth in (([], 64), ([7], 64), ([1, 2, 3, 4], 64), ([], 20), ([], 1)):
        tree = replace(tree, growth=growth)
        coder = constriction.stream.stack.AnsCoder(np.array(words, np.uint32))
        before = coder.get_compressed().copy()
        push_chain(coder, x, tree.bits_back)
        assert np.array_equal(pop_chain(coder, x.shape, tree.bits_back), x)
        assert np.array_equal(coder.get_compressed(), before)


def test_rows_that_say_next_to_nothing_come_back():
    """Their z give back more bits than were written: some follow from the coder's start, and all is undone."""
    sizes = np.array([4] + [1] * 16, np.int32)
    counts = np.concatenate([[16384, 16384, 16384, 16383, 1], *[[65535, 1]] * 16]).astype(np.uint32)
    tree = LatentTree(MIXTURE, 4, Tables(np.zeros(17, np.int32), sizes, counts))
    x = np.zeros((1000, 4), np.int32)
    coder = constriction.stream.stack.AnsCoder()
    push_chain(coder, x, tree.bits_back)
    assert np.array_equal(pop_chain(coder, x.shape, tree.bits_back), x)


class Told:
    """A part that only writes down what is asked of it."""

    def __init__(self, name, written):
        self.name, self.written = name, written

    def push(self, coder, symbols, given=()):
        self.written.append(f"push {self.name}")

    def pop(self, coder, shape, given=()):
        self.written.append(f"pop {self.name}")
        return np.zeros(shape, np.int32)

    def best(self, given):
        self.written.append(f"best {self.name}")
        return np.zeros((len(given[0]), 1), np.int32)


def test_bits_back_whose_prior_is_bits_back_is_bit_swap():
    """Kingma, Abbeel and Ho (2019), algorithm 1, and its inverse; of first rows nothing is drawn."""
    written = []
    of = {name: Told(name, written) for name in ("x | z1", "z1 | z2", "z2", "z1 | x", "z2 | z1")}
    above = BitsBack(of["z2"], of["z1 | z2"], of["z2 | z1"], 1)
    model, x = BitsBack(above, of["x | z1"], of["z1 | x"], 1), np.zeros((3, 4), np.int32)
    model.push(None, x)
    assert written == ["pop z1 | x", "push x | z1", "pop z2 | z1", "push z1 | z2", "push z2"]
    written.clear()
    model.pop(None, x.shape)
    assert written == ["pop z2", "pop z1 | z2", "push z2 | z1", "pop x | z1", "push z1 | x"]
    written.clear()
    model.first.push(None, x)
    assert written == ["best z1 | x", "push x | z1", "best z2 | z1", "push z1 | z2", "push z2"]
    written.clear()
    model.first.pop(None, x.shape)
    assert written == ["pop z2", "pop z1 | z2", "pop x | z1"]
