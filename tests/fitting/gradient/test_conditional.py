import numpy as np
import pytest

from taskcodec import fit
from taskcodec.codec import Codec
from taskcodec.coding import decode_block, encode_block
from taskcodec.errors import UsageError
from taskcodec.fitting import adapt
from taskcodec.fitting.gradient.conditional import MIN_SAMPLES, with_conditional_tables

COLUMNS = 6


def clusters(count, seed):
    """(n, COLUMNS) points close to one of eight prototypes: knowing one column almost gives the others away."""
    rng = np.random.default_rng(seed)
    prototypes = np.random.default_rng(7).normal(scale=4, size=(8, COLUMNS))
    return (prototypes[rng.integers(0, 8, count)] + 0.2 * rng.normal(size=(count, COLUMNS))).astype(np.float32)


@pytest.fixture(scope="module")
def known():
    return clusters(4000, 0)


@pytest.fixture(scope="module")
def plain(known):
    return fit(known, bits=14, method="dimensionwise")


@pytest.fixture(scope="module")
def trained(plain, known):
    return with_conditional_tables(plain, known, groups=6, steps=400)


@pytest.mark.slow
def test_the_same_symbols_take_fewer_bits_in_files(trained, plain, known):
    own, new = adapt(plain, known), clusters(4096, 1)
    symbols = trained.encode(new)
    np.testing.assert_array_equal(symbols, own.encode(new))
    np.testing.assert_array_equal(trained.decode(symbols), own.decode(symbols))
    stream = encode_block(symbols, trained.base.model)
    np.testing.assert_array_equal(decode_block(stream, len(symbols), trained.base.model), symbols)
    # One column settles the prototype, so the others need not say it again.
    assert len(stream) < 0.8 * len(encode_block(symbols, own.base.model))
    assert 8 * len(stream) / len(symbols) == pytest.approx(trained.code_length(symbols).mean(), rel=0.01)
    again = Codec.from_bytes(trained.to_bytes())
    assert again.fingerprint == trained.fingerprint
    np.testing.assert_array_equal(again.decompress(again.compress(list(new[:5]))), own.decode(symbols[:5]))


def test_the_same_call_gives_the_same_codec(plain, known):
    first, second = (with_conditional_tables(plain, known, steps=5, seed=3) for _ in range(2))
    assert first.fingerprint == second.fingerprint


def test_where_columns_tell_nothing_of_one_another_the_counted_tables_stay():
    x = np.random.default_rng(0).laplace(size=(2000, COLUMNS)).astype(np.float32)
    codec = fit(x, bits=14, method="dimensionwise")
    found = with_conditional_tables(codec, x, steps=50)
    assert found.base.model.plain is not None
    assert found.fingerprint == adapt(codec, x).fingerprint


def test_what_cannot_be_done_is_refused(plain, known):
    few = MIN_SAMPLES - 1
    with pytest.raises(UsageError, match=f"need {MIN_SAMPLES} samples or more, found {few}"):
        with_conditional_tables(plain, known[:few])


@pytest.mark.slow
def test_what_is_conditional_already_is_refused(trained, known):
    with pytest.raises(UsageError, match="conditional already"):
        with_conditional_tables(trained, known)
