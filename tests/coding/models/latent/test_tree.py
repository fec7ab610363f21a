import pickle
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from taskcodec.coding import decode_block, decode_sample, encode_block, encode_sample, read_model
from taskcodec.coding.models.latent.tree import LatentTree
from taskcodec.errors import CorruptFileError, UsageError
from tests.latent_trees import CHAIN, MIXTURE, TREE, forest, joint_of, sampled, tree_of

SHAPES = {"mixture": MIXTURE, "chain": CHAIN, "tree": TREE}


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_code_length_is_what_all_states_together_say(shape):
    tree = tree_of(shape, states=3)
    x, _ = sampled(tree, 50)
    assert tree.code_length(x) == pytest.approx(-np.logaddexp2.reduce(joint_of(tree, x), axis=0), rel=1e-4)


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_any_symbols_come_back(data):
    tree = tree_of(data.draw(st.sampled_from(list(SHAPES.values()))), data.draw(st.integers(2, 5)))
    near, far = st.integers(-2, 6), st.integers(-(2**31), 2**31 - 1)
    rows = data.draw(st.integers(0, 6))
    x = data.draw(arrays(np.int32, (rows, tree.columns), elements=near | far))
    assert np.array_equal(decode_block(encode_block(x, tree), rows, tree), x)
    for row in x[:2]:
        assert np.array_equal(decode_sample(encode_sample(row, tree), tree), row)


@settings(max_examples=25, deadline=None)
@given(data=st.binary(min_size=1, max_size=80), rows=st.integers(0, 9))
def test_strange_bytes_raise_only_our_error(data, rows):
    tree = tree_of(TREE)
    try:
        found = decode_block(data, rows, tree)
    except CorruptFileError:
        return
    assert found.shape == (rows, 8)


def test_every_changed_bit_is_told():
    tree = tree_of(TREE)
    x, _ = sampled(tree, 20)
    block = encode_block(x, tree)
    for at in range(len(block)):
        for bit in (1, 16, 128):
            with pytest.raises(CorruptFileError):
                decode_block(block[:at] + bytes([block[at] ^ bit]) + block[at + 1 :], 20, tree)


def test_a_block_takes_what_the_model_says():
    tree = tree_of(CHAIN)
    x, _ = sampled(tree, 2000)
    # Beside it: a header, the coder's start, the first row's states, a word in part.
    assert 8 * len(encode_block(x, tree)) == pytest.approx(tree.code_length(x).sum(), abs=120)


def test_its_bytes_give_it_back():
    tree = replace(tree_of(TREE), growth=30)
    again = read_model("latent_tree", tree.tensors())
    assert isinstance(again, LatentTree)
    assert again.to_bytes() == tree.to_bytes()
    x, _ = sampled(tree, 9)
    assert encode_block(x, again) == encode_block(x, pickle.loads(pickle.dumps(tree)))
    data = tree.to_bytes()
    for at in range(0, len(data), 7):
        try:
            changed = LatentTree.from_bytes(data[:at] + bytes([data[at] ^ 64]) + data[at + 1 :])
        except CorruptFileError:
            continue
        assert changed.to_bytes() != data  # another tree: a codec's fingerprint tells
    for cut in (0, 5, 20, len(data) - 1):
        with pytest.raises(CorruptFileError):
            LatentTree.from_bytes(data[:cut])


def test_it_has_no_costs_of_single_symbols():
    tree = tree_of(MIXTURE)
    for ask in (tree.costs, tree.slot_counts):
        with pytest.raises(UsageError, match="latent variables"):
            ask(np.zeros((1, 4), np.int32))


def test_tables_that_are_not_a_trees_are_refused():
    tree = tree_of(TREE)
    bank, last = tree.bank, tree.bank.columns - 1
    for change in (
        {"states": 3},
        {"forest": CHAIN},
        {"growth": 0},
        {"growth": 65},
        {"bank": bank.take(np.arange(last))},
        {"bank": bank.take(np.append(np.arange(last), 0))},
        {"bank": bank.take(np.append(last, np.arange(1, bank.columns)))},
    ):
        with pytest.raises(CorruptFileError, match="latent tree"):
            replace(tree, **change)


@pytest.mark.parametrize(
    ("parents", "owners"),
    [([], [0]), ([-1], []), ([0], [0]), ([-1, 1], [0]), ([-2], [0]), ([-1], [1]), ([-1, 0, -1], [0]), ([-1], [-1])],
)
def test_forests_that_are_none_are_refused(parents, owners):
    with pytest.raises(CorruptFileError, match="latent variables"):
        forest(parents, owners)
