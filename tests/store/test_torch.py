"""Torch data sets over a store: targets of every kind, and shares of a distributed run."""

import multiprocessing
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import taskcodec
from taskcodec.errors import UsageError
from taskcodec.store import SampleRecord, StoreWriter
from taskcodec.store.views.labels import classes_of
from taskcodec.store.views.shares import Order, Share, part_of

torch = pytest.importorskip("torch")
from torch.utils.data import DataLoader  # noqa: E402

D = 4


def stored(place, labels, chunk=16):
    """A store whose sample i decodes to a first feature that says i."""
    x = np.zeros((len(labels), D), "f4")
    x[:, 0] = np.arange(len(labels))
    codec = taskcodec.fit(np.concatenate([x, x + 1]), step=0.5, method="dimensionwise")
    with StoreWriter.create(place, codec, chunk_rows=chunk) as writer:
        writer.append(codec.encode(x), [SampleRecord(str(i), i, 16, label=label) for i, label in enumerate(labels)])
        writer.finish()
    return taskcodec.open(place)


def numbers(rows):
    """Which samples rows (n, d) of features are."""
    return np.round(np.stack([np.asarray(row) for row in rows])[:, 0]).astype(int).tolist()


# targets


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (["10", "2", "1", "2"], ["1", "2", "10"]),
        (["0.5", "-3", "1e2", "7"], ["-3", "0.5", "7", "1e2"]),
        (["10", "2", "cat"], ["10", "2", "cat"]),
        (["class 10", "class 9"], ["class 10", "class 9"]),
        (["9", "9.0", None], ["9", "9.0"]),
        ([None, None], []),
    ],
)
def test_classes_that_are_numbers_are_in_the_order_of_numbers(tmp_path, labels, classes):
    assert classes_of(labels) == classes
    store = stored(tmp_path / "x.tcz", labels)
    for dataset in (store.torch(), store.torch(style="iterable")):
        assert dataset.classes == classes
        targets = [
            target
            for _, target in (dataset if hasattr(dataset, "__iter__") else map(dataset.__getitem__, range(len(labels))))
        ]
        assert targets == [-1 if label is None else classes.index(label) for label in labels]


def test_labels_as_numbers(tmp_path):
    store = stored(tmp_path / "x.tcz", ["0.25", None, "-3", "nan", "1e3", "7"])
    expected = [0.25, np.nan, -3, np.nan, 1000, 7]
    assert store.numeric_labels.dtype == np.float64
    np.testing.assert_array_equal(store.numeric_labels, expected)
    with pytest.raises(ValueError, match="read-only"):
        store.numeric_labels[0] = 1
    for style in ("map", "iterable"):
        dataset = store.torch(style=style, target="number")
        assert dataset.classes == []
        features, targets = next(iter(DataLoader(dataset, batch_size=6)))
        assert (features.dtype, targets.dtype, targets.shape) == (torch.float32, torch.float32, (6,))
        np.testing.assert_array_equal(targets.numpy(), np.array(expected, "f4"))


def test_labels_that_are_no_numbers_are_named(tmp_path):
    for name, labels, says in (
        ("a.tcz", ["1", "cat"], r"a\.tcz: its labels are classes, not numbers: 'cat' is none"),
        ("b.tcz", [None, None], r"b\.tcz: no sample has a label"),
    ):
        store = stored(tmp_path / name, labels)
        with pytest.raises(UsageError, match=says):
            store.numeric_labels  # noqa: B018
        with pytest.raises(UsageError, match=says):
            store.torch(target="number")
    with pytest.raises(UsageError, match="target 'index' is neither 'class' nor 'number'"):
        store.torch(target="index")


# shares


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 60), st.integers(1, 17), st.booleans(), st.integers(1, 7), st.integers(1, 4))
def test_shares_and_parts_hold_every_sample_and_are_equal(samples, chunk_rows, shuffle, ranks, workers):
    order = Order(samples, chunk_rows, shuffle, (3, 0, 0))
    shares, sizes = [], set()
    for rank in range(ranks):
        places = Share(rank, ranks).of(samples)
        parts = [part_of(places, worker, workers) for worker in range(workers)]
        sizes.add(tuple(map(len, parts)))
        shares.append([row for part in parts for rows in order.rows(part) for row in rows.tolist()])
    assert len(sizes) == 1, "as many rows on every rank, in every worker: none waits for another"
    assert {len(share) for share in shares} == {-(-samples // ranks)}
    given_out = [row for share in shares for row in share]
    assert sorted(set(given_out)) == list(range(samples))
    assert len(given_out) - samples < ranks
    whole = [row for rows in order.rows(range(samples)) for row in rows.tolist()]
    assert given_out[:samples] == whole
    assert shuffle or whole == list(range(samples))


@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("workers", [0, 2])
def test_ranks_take_equal_shares_that_are_no_others(tmp_path, monkeypatch, shuffle, workers):
    store, seen = stored(tmp_path / "x.tcz", [str(i % 3) for i in range(101)]), []
    for rank in range(3):
        monkeypatch.setenv("RANK", str(rank))
        monkeypatch.setenv("WORLD_SIZE", "3")
        torch.manual_seed(rank)  # ranks draw different seeds
        dataset = store.torch(style="iterable", shuffle=shuffle)
        assert len(dataset) == 34
        loader = DataLoader(dataset, batch_size=8, num_workers=workers)
        batches = [batch for batch, _ in loader]
        assert len(batches) == (5 if workers == 0 else 6)
        seen.append(numbers(torch.cat(batches)))
        assert len(seen[-1]) == 34
    assert sorted({row for rows in seen for row in rows}) == list(range(101))
    assert sum(map(len, seen)) == 102
    monkeypatch.delenv("RANK")
    assert len(store.torch(style="iterable")) == 101


def test_an_epoch_that_is_set_has_an_order_of_its_own(tmp_path, monkeypatch):
    store = stored(tmp_path / "x.tcz", [None] * 100)
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "2")
    dataset = store.torch(style="iterable", shuffle=True, seed=5)
    loader = DataLoader(dataset, num_workers=1, batch_size=None)
    orders = []
    for epoch in (0, 1, 0):
        dataset.set_epoch(epoch)
        orders.append(numbers([row for row, _ in loader]))
    assert orders[0] == orders[2] != orders[1]


def test_a_share_that_is_named_goes_before_all_else(tmp_path, monkeypatch):
    store = stored(tmp_path / "x.tcz", [None] * 10)
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert numbers([row for row, _ in store.torch(style="iterable", share=(0, 1))]) == list(range(10))
    third = store.torch(style="iterable", share=(2, 3))
    assert numbers([row for row, _ in third]) == [8, 9, 0, 1]
    assert len(pickle.loads(pickle.dumps(third))) == 4
    for wrong in ((3, 3), (-1, 2), (0, 0)):
        with pytest.raises(UsageError, match="share"):
            store.torch(style="iterable", share=wrong)
    with pytest.raises(UsageError, match="DistributedSampler"):
        store.torch(share=(0, 2))
    monkeypatch.setenv("RANK", "first")
    with pytest.raises(UsageError, match="RANK=first, WORLD_SIZE=2 in the environment are no ranks"):
        len(store.torch(style="iterable"))


def in_a_run(rank, place, meeting, results):
    import torch.distributed as dist

    before = pickle.dumps(taskcodec.open(place).torch(style="iterable"))  # sent before the run has begun
    dist.init_process_group("gloo", init_method=f"file://{meeting}", rank=rank, world_size=2)
    dataset = taskcodec.open(place).torch(style="iterable", shuffle=True)
    rows = numbers([row for row, _ in dataset])
    spawned = DataLoader(dataset, batch_size=8, num_workers=1, multiprocessing_context="spawn")
    dataset.set_epoch(0)
    by_worker = numbers(torch.cat([batch for batch, _ in spawned]))
    steps = torch.zeros(())
    for _ in range(len(dataset)):
        dist.all_reduce(steps)  # which hangs where ranks differ in length
    results.put((rank, len(dataset), len(pickle.loads(before)), rows, by_worker))
    dist.destroy_process_group()


@pytest.mark.slow
def test_two_processes_of_a_run(tmp_path):
    stored(tmp_path / "x.tcz", [None] * 75)
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    arguments = (str(tmp_path / "x.tcz"), str(tmp_path / "meeting"), results)
    processes = [context.Process(target=in_a_run, args=(rank, *arguments)) for rank in range(2)]
    for process in processes:
        process.start()
    found = sorted(results.get(timeout=120) for _ in processes)
    for process in processes:
        process.join(timeout=60)
        assert process.exitcode == 0
    for _, length, sent, rows, by_worker in found:
        assert length == sent == len(rows) == 38
        assert by_worker == rows
    assert sorted({*found[0][3], *found[1][3]}) == list(range(75))
    assert len({*found[0][3]} & {*found[1][3]}) == 1
