import contextlib
from dataclasses import fields

import constriction
import numpy as np
import pytest
from hypothesis import given as drawn
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from taskcodec.coding import SpatialTables, read_model
from taskcodec.coding.packed import pack_numbers, unpack_numbers
from taskcodec.errors import CorruptFileError, MismatchError
from tests.coding.models.spatial.random_tables import LEVELS, SIDE, bank, latents, spatial_tables, stack
from tests.coding.round_trips import coded

MODELS = {
    "two groups on a checkerboard": (spatial_tables(), 0),
    "three groups in one pass each": (spatial_tables((1, 3, 2), checkerboard=False, seed=1), 0),
    "scales only": (spatial_tables((4,), means=False, seed=2), 0),
    "on a layer below": (spatial_tables((2, 3), given=3, seed=3), 3),
}
EACH = pytest.mark.parametrize(("model", "below"), MODELS.values(), ids=MODELS)


def given_of(below, n, h, w):
    return (latents(n, below, h, w, seed=9),) if below else ()


@EACH
@pytest.mark.parametrize("size", [(1, 1), (1, 2), (2, 1), (5, 3), (4, 4), (9, 13)])
def test_what_is_pushed_is_popped_at_what_it_costs(model, below, size):
    y, given = latents(3, model.columns, *size), given_of(below, 3, *size)
    again, bits = coded(model, y, given)
    assert again.dtype == np.int32
    assert np.array_equal(again, y)
    costs, side = model.costs(y, given), model.side_bits(y)
    assert costs.shape == y.shape
    np.testing.assert_allclose(costs.sum(axis=(1, 2, 3)) + side, model.code_length(y, given))
    assert bits == pytest.approx(model.code_length(y, given).sum(), rel=0.01, abs=64)
    assert costs[0, 0, 0, 0] > 32


@EACH
def test_other_side_information_decodes_too(model, below):
    y, given = latents(2, model.columns, 9, 13), given_of(below, 2, 9, 13)
    own = model.side_of(y)
    sent = (own + np.random.default_rng(0).integers(-3, 4, own.shape)).astype(np.int32)
    coder = constriction.stream.stack.AnsCoder()
    model.sending(sent).push(coder, y, given)
    assert coder.num_bits() == pytest.approx(model.sending(sent).code_length(y, given).sum(), rel=0.01, abs=64)
    assert np.array_equal(model.pop(coder, y.shape, given), y)
    assert np.array_equal(model.sending(own).costs(y, given), model.costs(y, given))
    with pytest.raises(MismatchError, match="side information of shape"):
        model.sending(sent[:, 1:]).push(coder, y, given)


@EACH
def test_files_keep_a_model(model, below):
    again = read_model(model.kind, model.tensors())
    y, given = latents(2, model.columns, 3, 4), given_of(below, 2, 3, 4)
    assert again.to_bytes() == model.to_bytes()
    assert again._encoded == model._encoded
    assert np.array_equal(again.costs(y, given), model.costs(y, given))
    assert again.given_columns == below


@EACH
@settings(max_examples=15, deadline=None)
@drawn(st.data())
def test_any_int32_round_trips(model, below, data):
    n, h, w = (data.draw(st.integers(low, 6)) for low in (0, 1, 1))
    any_int32 = st.integers(-(2**31), 2**31 - 1)
    y = data.draw(hnp.arrays(np.int32, (n, model.columns, h, w), elements=any_int32))
    given = (data.draw(hnp.arrays(np.int32, (n, below, h, w), elements=any_int32)),) if below else ()
    again, _ = coded(model, y, given)
    assert np.array_equal(again, y)


@EACH
def test_each_picture_of_a_batch_is_coded_as_alone(model, below):
    y, under = latents(64, model.columns, 5, 3), given_of(below, 64, 5, 3)
    whole, lengths = model.costs(y, under), model.code_length(y, under)
    for batch in (1, 7):
        for start in range(0, 64, batch):
            part = slice(start, start + batch)
            given = tuple(each[part] for each in under)
            assert np.array_equal(model.costs(y[part], given), whole[part])
            assert np.array_equal(model.code_length(y[part], given), lengths[part])
            assert np.array_equal(coded(model, y[part], given)[0], y[part])


def test_what_is_known_of_a_place_saves_bits():
    """Channels before, neighbours, layers below and side information: a change in any changes other symbols' costs."""
    model = MODELS["on a layer below"][0]
    y, below = latents(1, 5, 6, 6) % 9, latents(1, 3, 6, 6, seed=9) % 9
    costs = model.costs(y, (below,))
    before, anchor, last = y.copy(), y.copy(), y.copy()
    before[0, 0, 2, 2] += 99
    anchor[0, 4, 2, 2] += 99
    last[0, 4, 2, 3] += 99
    assert (model.costs(before, (below,)) != costs)[0, 2:].any()
    assert (model.costs(anchor, (below,)) != costs)[0, 2:, [1, 2, 2, 3], [2, 1, 3, 2]].any()
    assert (model.costs(y, (below[:, ::-1],)) != costs).any()
    assert (model.costs(last, (below,)) != costs)[0, :4].any()


def test_slots_are_counted_with_those_of_side_information():
    model = MODELS["two groups on a checkerboard"][0]
    y = latents(2, 5, 5, 6)
    counts = model.slot_counts(y)
    assert counts.size == model.choices.counts.size
    assert counts.sum() == y.size + 2 * 2 * 2 * 3
    assert counts[: model.choices.starts[3]].sum() == 2 * 2 * 2 * 3


@pytest.mark.parametrize(
    "shape", [(2, 5), (2, 5, 3), (2, 4, 3, 3), (2, 5, 0, 3), (2, 5, 3, 3, 3), (1, 5, 1 << 15, 1 << 15)]
)
def test_shapes_that_are_none_of_its_are_refused(shape):
    model = MODELS["two groups on a checkerboard"][0]
    with pytest.raises(MismatchError, match="latent"):
        model.pop(constriction.stream.stack.AnsCoder(), shape)
    if np.prod(shape) < 1000 and shape[1] == 5:
        for call in (model.costs, model.code_length, model.slot_counts, model.side_bits):
            with pytest.raises(MismatchError, match="latent"):
                call(np.zeros(shape, np.int32))


def test_layers_below_that_are_missing_or_elsewhere_are_told():
    model, y = MODELS["on a layer below"][0], latents(2, 5, 4, 4)
    for wrong in ((), (latents(2, 2, 4, 4),), (latents(2, 3, 4, 4), latents(2, 1, 4, 4))):
        with pytest.raises(MismatchError, match="follow from 3 symbols of layers below"):
            model.costs(y, wrong)
    for wrong in ((2, 3, 4, 5), (1, 3, 4, 4), (2, 3, 16)):
        with pytest.raises(MismatchError, match="not at the places"):
            model.costs(y, (np.zeros(wrong, np.int32),))
    parts = np.split(latents(2, 3, 4, 4), [1], axis=1)
    assert np.array_equal(model.costs(y, parts), model.costs(y, (np.concatenate(parts, axis=1),)))


def fields_of(model):
    return {field.name: getattr(model, field.name) for field in fields(model) if field.init}


@pytest.mark.parametrize(
    "change",
    [
        {"groups": ()},
        {"groups": 65 * spatial_tables((5,)).groups},
        {"groups": spatial_tables((2, 2)).groups},
        {"groups": spatial_tables((2, 3), means=False).groups},
        {"groups": (spatial_tables().groups[0], spatial_tables(means=False).groups[1])},
        {"groups": spatial_tables(given=3).groups},
        {"groups": spatial_tables().groups[::-1]},
        {"levels": 0},
        {"levels": LEVELS + 1},
        {"levels": 2**40},
        {"phases": 0},
        {"phases": 5},
        {"phases": 257},
        {"bank": bank(3)},
        {"side": spatial_tables((2, 2)).side},
        {"side": spatial_tables().hyper},
        {"hyper": spatial_tables().side},
        {"hyper": stack(np.random.default_rng(0), (SIDE, 5, 3, 6, 1, 2))},
        {"below": spatial_tables(given=3).below},
        {"below": stack(np.random.default_rng(0), (3, 4, 3, 6, 2))},
        {"below": stack(np.random.default_rng(0), (0, 4))},
    ],
)
def test_what_does_not_fit_is_refused(change):
    with pytest.raises(CorruptFileError, match="spatial"):
        SpatialTables(**{**fields_of(spatial_tables()), **change})


@settings(max_examples=50, deadline=None)
@drawn(st.binary(max_size=200))
def test_strange_bytes_are_refused(data):
    for damaged in (data, b"SPAT" + data, b"SPAT" + len(data).to_bytes(4, "little") + data):
        with pytest.raises(CorruptFileError):
            SpatialTables.from_bytes(damaged)


@settings(max_examples=50, deadline=None)
@drawn(st.integers(0, 10**6), st.integers(1, 255), st.booleans())
def test_changed_bytes_are_refused_or_still_tables(position, change, cut):
    data = bytearray(spatial_tables().to_bytes())
    position %= len(data)
    data[position] ^= change
    with contextlib.suppress(CorruptFileError):
        assert SpatialTables.from_bytes(bytes(data[:position] if cut else data)).columns == 5


CONDITIONAL = spatial_tables(given=2).to_bytes()
NUMBERS = unpack_numbers(CONDITIONAL[8 : 8 + int.from_bytes(CONDITIONAL[4:8], "little")], "numbers")


@settings(max_examples=50, deadline=None)
@drawn(st.lists(st.tuples(st.integers(0, 10**6), st.one_of(st.integers(0, 9), st.integers(0, 2**62 + 1))), max_size=3))
def test_strange_numbers_are_refused_or_tables(changes):
    """What a damaged file cannot reach for its check value, but a hostile one can."""
    numbers = NUMBERS.copy()
    for place, value in changes:
        numbers[place % min(60, len(numbers)) if value % 2 else place % len(numbers)] = value
    packed = pack_numbers(numbers)
    with contextlib.suppress(CorruptFileError):
        data = b"SPAT" + len(packed).to_bytes(4, "little") + packed + bank(4).to_bytes()
        model = SpatialTables.from_bytes(data)
        again, _ = coded(model, latents(1, 5, 3, 3), (latents(1, 2, 3, 3),))
        assert np.array_equal(again, latents(1, 5, 3, 3))


def test_damage_to_what_was_coded_is_only_other_symbols():
    """What tells damage stands around the words: a check of the symbols, as for vectors."""
    model, y = spatial_tables(), latents(1, 5, 4, 5)
    coder = constriction.stream.stack.AnsCoder()
    model.push(coder, y)
    words = coder.get_compressed()
    for place in range(0, 32 * len(words), 13):
        changed = words.copy()
        changed[place // 32] ^= np.uint32(1 << place % 32)
        if changed[-1]:
            assert model.pop(constriction.stream.stack.AnsCoder(changed), y.shape).shape == y.shape
