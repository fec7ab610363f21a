"""Rows of a store are indexed as numpy indexes the decoded array."""

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from zarr.storage import MemoryStore

import taskcodec
from taskcodec.store import Rows
from tests.store.written import write

N, D, CHUNK = 50, 6, 16


@pytest.fixture(scope="module")
def x():
    return np.random.default_rng(0).normal(size=(N, D)).astype("f4")


@pytest.fixture(scope="module")
def codec(x):
    return taskcodec.fit(x, bits=30, method="dimensionwise")  # decoded alike however many rows there are


@pytest.fixture(scope="module")
def store(codec, x):
    return taskcodec.open(write(MemoryStore(), codec, x, chunk=CHUNK))


@pytest.fixture(scope="module")
def whole(codec, x):
    return codec.decode(codec.encode(x))


def same(found, expected):
    assert type(found) is type(expected)
    assert found.shape == expected.shape
    assert found.dtype == expected.dtype
    assert np.array_equal(found, expected)


rows = st.one_of(
    st.integers(-N, N - 1),
    st.integers(-N, N - 1).map(np.int16),
    st.slices(N),
    st.lists(st.integers(-N, N - 1), max_size=9),
    st.lists(st.lists(st.integers(-N, N - 1), min_size=2, max_size=2), min_size=1, max_size=4),
    hnp.arrays(np.int64, hnp.array_shapes(max_dims=2, max_side=4), elements=st.integers(-N, N - 1)),
    hnp.arrays(np.uint8, hnp.array_shapes(max_dims=1), elements=st.integers(0, N - 1)),
    hnp.arrays(bool, (N,)),
)
columns = st.one_of(
    st.integers(-D, D - 1), st.slices(D), st.lists(st.integers(-D, D - 1), max_size=9), hnp.arrays(bool, (D,))
)


@settings(max_examples=400, deadline=None)
@given(st.one_of(rows, st.tuples(rows), st.tuples(rows, columns), hnp.arrays(bool, (N, D))), st.data())
def test_any_index_gives_what_numpy_gives(store, whole, index, data):
    parts = list(index) if isinstance(index, tuple) else [index]
    if data.draw(st.booleans()):
        parts.insert(data.draw(st.integers(0, len(parts))), Ellipsis)
    for _ in range(data.draw(st.integers(0, 2))):
        parts.insert(data.draw(st.integers(0, len(parts))), None)
    index = tuple(parts) if len(parts) != 1 or data.draw(st.booleans()) else parts[0]
    try:
        expected = whole[index]
    except IndexError:  # arrays that do not broadcast, or more indices than axes
        with pytest.raises(IndexError):
            store.features[index]
        return
    same(store.features[index], expected)


@settings(max_examples=200, deadline=None)
@given(hnp.basic_indices((N, D), allow_newaxis=True))
def test_any_basic_index_gives_what_numpy_gives(store, codec, x, index):
    same(store.symbols[index], codec.encode(x)[index])


@pytest.mark.parametrize(
    "index", [(), ..., None, (..., slice(10)), (..., slice(0, 2)), (None, ..., -1), ([0, 1], [2, 3])]
)
def test_the_forms_that_are_easily_got_wrong(store, whole, index):
    same(store.features[index], whole[index])


@pytest.mark.parametrize(
    ("index", "says"),
    [
        (N, "index 50 is out of range for 50 samples"),
        (-N - 1, "out of range for 50 samples"),
        ([0, 99], "index 99 is out of range for 50 samples"),
        ((slice(None), D), "index 6 is out of range for 6 columns"),
        ((0, [0, -9]), "index -9 is out of range for 6 columns"),
        ((0, 0, 0), "3 indices"),
        ((..., ...), "one ellipsis"),
        (np.zeros(3, bool), r"a mask of shape \(3,\) for 50 x? ?.*samples"),
        ((slice(None), np.zeros(3, bool)), r"a mask of shape \(3,\) for 6 columns"),
        (np.zeros((N, 3), bool), r"a mask of shape \(50, 3\) for 50 x 6"),
        (1.5, "1.5 is not an index; rows and columns are picked by"),
        ("cat", "'cat' is not an index"),
        (np.array([]), "is not an index"),
        (True, "True is not an index"),
        ((0, np.bool_(True)), "True.* is not an index"),
        ([[0], [1, 2]], "list is not an index"),
        (slice("a"), "slice"),
        ({"a": 1}, "is not an index"),
    ],
)
def test_what_picks_nothing_is_refused_by_name_before_anything_is_read(store, monkeypatch, index, says):
    monkeypatch.setattr(type(store), "_chunk", None)
    with pytest.raises(IndexError, match=says):
        store.features[index]


def test_only_the_chunks_asked_for_are_read(store, whole, monkeypatch):
    read = []
    monkeypatch.setattr(type(store), "_chunk", lambda self, index: read.append(index) or self._every.read(index))
    for index, chunks in (
        (3, [0]),
        ((..., 0), [0, 1, 2, 3]),
        (([20, 20, 2], [0, 1, 2]), [0, 1]),
        ((slice(16, 32), slice(2)), [1]),
        ([], []),
    ):
        read.clear()
        same(store.features[index], whole[np.array(index, int) if index == [] else index])
        assert sorted(read) == chunks


def test_a_part_of_the_columns_takes_no_more_memory(store):
    assert store.features[:, 3].base.nbytes == N * 4
    assert store.features[:, :2].nbytes == N * 8


def test_iterating_decodes_each_chunk_once(store, whole, monkeypatch):
    read = []
    monkeypatch.setattr(type(store), "_chunk", lambda self, index: read.append(index) or self._every.read(index))
    found = list(store.features)
    assert read == [0, 1, 2, 3]
    same(np.stack(found), whole)
    read.clear()
    next(iter(store.features))
    assert read == [0]
    assert len(list(reversed(store.symbols))) == N


def test_it_looks_like_an_array_and_becomes_one(store, whole):
    rows = store.features
    assert isinstance(rows, Rows)
    assert (rows.shape, rows.ndim, rows.size, rows.dtype, len(rows)) == ((N, D), 2, N * D, np.float32, N)
    assert repr(rows) == "<50 x 6 float32, decoded when indexed>"
    same(np.asarray(rows), whole)
    assert np.asarray(rows, dtype=np.float64).dtype == np.float64
    same(np.mean(rows, axis=0), whole.mean(axis=0))
    same(np.transpose(rows), whole.T)
    with pytest.raises(ValueError, match="copy=False"):
        np.array(rows, copy=False)


def test_what_an_array_has_and_rows_do_not_is_refused_plainly(store):
    rows = store.features
    for name in ("mean", "T", "astype", "sum", "tolist"):
        with pytest.raises(AttributeError, match=rf"rows\[:\]\.{name}"):
            getattr(rows, name)
    with pytest.raises(AttributeError, match="'Rows' has no attribute 'iloc'"):
        rows.iloc  # noqa: B018
    with pytest.raises(TypeError, match="compare"):
        rows == 0  # noqa: B015
    with pytest.raises(TypeError):
        rows + 1


def test_a_store_itself_is_no_array(store):
    for wrong in (np.asarray, list, lambda store: store[0], lambda store: store[:], iter):
        with pytest.raises(TypeError, match=r"store\.features\[0\]"):
            wrong(store)


def test_rows_can_be_pickled(codec, x, whole, tmp_path):
    store = taskcodec.open(write(tmp_path / "x.tcz", codec, x, chunk=CHUNK))
    same(pickle.loads(pickle.dumps(store.features))[3:7], whole[3:7])
    same(pickle.loads(pickle.dumps(store.symbols))[:], codec.encode(x))


@pytest.mark.parametrize("method", ["dimensionwise", "bottleneck"])
def test_rows_decoded_one_by_one_are_those_decoded_together(method):
    """Symbols always; features without a linear map exactly, with one to 1e-5 of the largest, as documented."""
    rng = np.random.default_rng(0)
    x = (rng.normal(size=(300, 40)) @ rng.normal(size=(40, 256)) + rng.normal(size=(300, 256))).astype("f4")
    codec = taskcodec.fit(x, bits=400, method=method)
    store = taskcodec.open(write(MemoryStore(), codec, x, chunk=64))
    together = store.features[:]
    apart = [
        np.stack([store.features[i] for i in range(300)]),
        np.stack(list(store.features)),
        store.features[::-1][::-1],
    ]
    apart += [np.concatenate(list(store.batches())), codec.decode(store.symbols[:])]
    for found in apart:
        assert np.abs(found - together).max() <= (1e-5 * np.abs(together).max() if method == "bottleneck" else 0)
    assert np.array_equal(np.stack([store.symbols[i] for i in range(300)]), store.symbols[:])
