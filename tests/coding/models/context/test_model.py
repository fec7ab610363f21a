import pickle
from dataclasses import replace

import constriction
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from taskcodec.coding import (
    decode_block,
    decode_sample,
    encode_block,
    encode_sample,
    read_model,
)
from taskcodec.coding.models.context.model import ContextModel
from taskcodec.coding.models.context.neighbours import Neighbours
from taskcodec.coding.models.mixture import WEIGHT_BITS
from taskcodec.errors import CorruptFileError, UsageError
from tests.context_models import context_model

SHAPE = (4, 3, 2)


MODEL = context_model(SHAPE)


@settings(max_examples=15, deadline=None)
@given(st.data())
def test_any_bytes_come_back(data):
    rows = data.draw(st.integers(0, 5))
    x = data.draw(arrays(np.int32, (rows, 24), elements=st.integers(0, 255)))
    assert np.array_equal(decode_block(encode_block(x, MODEL), rows, MODEL), x)
    for row in x[:1]:
        assert np.array_equal(decode_sample(encode_sample(row, MODEL), MODEL), row)


def test_probabilities_are_exact_and_a_block_takes_what_they_say():
    words = np.random.default_rng(0).integers(1, 2**32, 20_000, dtype=np.uint32)
    x = MODEL.pop(constriction.stream.stack.AnsCoder(words), (300, 24))  # chance, decoded, is samples of the model
    padded = MODEL._padded(x)
    for place in (0, 13, 23):
        whole = MODEL._mixture.chances(MODEL._logits(padded, place)) * 2.0 ** (WEIGHT_BITS + 16)
        assert np.array_equal(whole, np.rint(whole))
        assert np.array_equal(whole.sum(axis=1), np.full(300, 2.0 ** (WEIGHT_BITS + 16)))
        assert whole.min() >= 1
    assert 8 * len(encode_block(x, MODEL)) == pytest.approx(MODEL.code_length(x).sum(), abs=80)


def test_rows_do_not_depend_on_their_company():
    x = np.random.default_rng(0).integers(0, 256, (40, 24)).astype(np.int32)
    alone = np.concatenate([MODEL.costs(row[None]) for row in x])
    assert np.array_equal(MODEL.costs(x), alone)


def test_every_changed_bit_is_told():
    x = np.random.default_rng(0).integers(0, 256, (2, 24)).astype(np.int32)
    block = encode_block(x, MODEL)
    for at in range(0, len(block), 3):
        with pytest.raises(CorruptFileError):
            decode_block(block[:at] + bytes([block[at] ^ 8]) + block[at + 1 :], 2, MODEL)


def test_its_bytes_give_it_back():
    again = read_model("context", MODEL.tensors())
    x = np.random.default_rng(0).integers(0, 256, (4, 24)).astype(np.int32)
    assert again.to_bytes() == MODEL.to_bytes()
    assert encode_block(x, again) == encode_block(x, pickle.loads(pickle.dumps(MODEL))) == encode_block(x, MODEL)
    data = MODEL.to_bytes()
    for cut in (0, 5, 20, len(data) - 1):
        with pytest.raises(CorruptFileError):
            ContextModel.from_bytes(data[:cut])
    with pytest.raises(CorruptFileError, match="behind its end"):
        ContextModel.from_bytes(data + b"\0")


@pytest.mark.parametrize("symbols", [256, -1])
def test_what_is_no_byte_is_refused(symbols):
    with pytest.raises(UsageError, match="bytes"):
        encode_block(np.full((1, 24), symbols), MODEL)
    with pytest.raises(UsageError, match="mixes"):
        MODEL.slot_counts(np.zeros((1, 24)))


def test_parts_that_do_not_fit_are_refused():
    zeros = MODEL.tables.copy()
    zeros[0, 7] += zeros[0, 3]
    zeros[0, 3] = 0
    for change in (
        {"near": Neighbours(SHAPE, 1)},
        {"tables": MODEL.tables[:4]},
        {"tables": MODEL.tables * 2},
        {"tables": zeros},
        {"tables": MODEL.tables[:, :9]},
        {"powers": np.array([0, 1])},
        {"powers": np.array([1 << 21])},
        {"powers": np.empty(0, np.int64)},
    ):
        with pytest.raises(CorruptFileError, match="context model"):
            replace(MODEL, **change)
