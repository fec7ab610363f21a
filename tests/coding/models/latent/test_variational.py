import pickle
from dataclasses import replace

import constriction
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from taskcodec.coding import decode_block, decode_sample, encode_block, encode_sample, read_model
from taskcodec.coding.models.latent.bits_back import BitsBack
from taskcodec.coding.models.latent.variational import VariationalAutoencoder
from taskcodec.coding.models.mixture import Mixture
from taskcodec.errors import CorruptFileError, UsageError
from tests.variational import autoencoder

SHAPE = (5, 6, 2)
MODELS = {
    "one level": autoencoder(SHAPE, ((1, 3),)),
    "two": autoencoder(SHAPE),
    "three, places kept": autoencoder(SHAPE, ((2, 2), (0, 2), (1, 1))),
}
TWO = MODELS["two"]
every_model = pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)


def drawn(model, count, seed=0):
    """(count, columns) samples of the model: chance, decoded level by level."""
    words = np.random.default_rng(seed).integers(1, 2**32, 100 * count, dtype=np.uint32)
    coder = constriction.stream.stack.AnsCoder(words)

    def of(parts, columns):
        own = of(parts.prior, parts.latents) if isinstance(parts.prior, BitsBack) else None
        z = parts.prior.pop(coder, (count, parts.latents)) if own is None else own
        return parts.likelihood.pop(coder, (count, columns), [z])

    return of(model.bits_back, model.columns)


@settings(max_examples=20, deadline=None)
@given(st.data())
def test_any_bytes_come_back(data):
    model, rows = data.draw(st.sampled_from(list(MODELS.values()))), data.draw(st.integers(0, 6))
    x = data.draw(arrays(np.int32, (rows, model.columns), elements=st.integers(0, 255)))
    assert np.array_equal(decode_block(encode_block(x, model), rows, model), x)
    for row in x[:1]:
        assert np.array_equal(decode_sample(encode_sample(row, model), model), row)


@every_model
def test_a_block_takes_what_the_bound_says(model):
    x = drawn(model, 400)
    assert 8 * len(encode_block(x, model)) == pytest.approx(model.code_length(x).sum(), rel=0.02)


def test_a_level_above_is_pushed_and_popped_as_a_prior_is():
    assert isinstance(TWO.bits_back.prior, BitsBack)
    assert not isinstance(TWO.bits_back.prior.prior, BitsBack)
    x = drawn(TWO, 20)
    for growth in (1, 20, 64):
        model = replace(TWO, growth=growth)
        assert np.array_equal(decode_block(encode_block(x, model), 20, model), x)


def test_latents_that_are_drawn_are_never_escaped():
    """Words of zeros or ones draw the outermost ones: they lie within a table's run, or just behind it."""
    posterior, x = TWO.bits_back.posterior, drawn(TWO, 8)
    reach = (posterior.bank.first + posterior.bank.sizes).max() + np.abs(posterior.told(8, [x])).max()
    for word in (0, 2**32 - 1):
        coder = constriction.stream.stack.AnsCoder(np.array([word] * 400 + [1], np.uint32))
        before = coder.get_compressed().copy()
        z = posterior.pop(coder, (8, TWO.bits_back.latents), [x])
        assert np.abs(z).max() <= reach
        posterior.push(coder, z, [x])
        assert np.array_equal(coder.get_compressed(), before)


@settings(max_examples=20, deadline=None)
@given(data=st.binary(min_size=1, max_size=80), rows=st.integers(0, 9))
def test_strange_bytes_raise_only_our_error(data, rows):
    try:
        found = decode_block(data, rows, TWO)
    except CorruptFileError:
        return
    assert found.shape == (rows, TWO.columns)


def test_every_changed_bit_is_told():
    x = drawn(TWO, 3)
    block = encode_block(x, TWO)
    for at in range(0, len(block), 3):
        with pytest.raises(CorruptFileError):
            decode_block(block[:at] + bytes([block[at] ^ 8]) + block[at + 1 :], 3, TWO)


@every_model
def test_its_bytes_give_it_back(model):
    again, x = read_model("variational", model.tensors()), drawn(model, 5)
    assert again.to_bytes() == model.to_bytes()
    assert encode_block(x, again) == encode_block(x, pickle.loads(pickle.dumps(model))) == encode_block(x, model)


def test_damaged_bytes_raise_only_our_error():
    data = TWO.to_bytes()
    for at in range(0, len(data), 5):
        try:
            changed = VariationalAutoencoder.from_bytes(data[:at] + bytes([data[at] ^ 64]) + data[at + 1 :])
        except CorruptFileError:
            continue
        assert changed.to_bytes() != data  # another model: a codec's fingerprint tells
    for cut in (0, 5, 20, len(data) - 1):
        with pytest.raises(CorruptFileError):
            VariationalAutoencoder.from_bytes(data[:cut])


def test_what_it_cannot_do_is_refused():
    for symbol in (256, -1):
        with pytest.raises(UsageError, match="bytes"):
            encode_block(np.full((1, TWO.columns), symbol), TWO)
    for ask in (TWO.costs, TWO.slot_counts):
        with pytest.raises(UsageError, match="latent variables"):
            ask(np.zeros((1, TWO.columns), np.int32))


def test_parts_that_do_not_fit_are_refused():
    lowest, topmost = TWO.levels
    for change in (
        {"shape": (5, 6, 1)},
        {"shape": (9, 6, 2)},
        {"shape": (0, 6, 2)},
        {"shape": (5000, 6000, 2)},
        {"levels": ()},
        {"levels": (lowest,)},
        {"levels": (topmost, lowest)},
        {"levels": (lowest, replace(topmost, posterior=lowest.posterior))},
        {"levels": (replace(lowest, posterior=autoencoder(SHAPE, ((0, 2),)).levels[0].posterior), topmost)},
        {"mixture": Mixture(TWO.mixture.powers, TWO.mixture.tables * 2)},
        {"mixture": Mixture(TWO.mixture.powers, TWO.mixture.tables[:4])},
        {"bank": TWO.bank.take(np.arange(0))},
        {"growth": 0},
        {"growth": 65},
        {"top": TWO.top[:1]},
    ):
        with pytest.raises(CorruptFileError, match="variational autoencoder"):
            replace(TWO, **change)
