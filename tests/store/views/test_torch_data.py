"""Torch data sets over a store, in loaders and in the processes of a run."""

import json
import multiprocessing
import pickle
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

import taskcodec
from taskcodec.errors import (
    UsageError,
)
from tests.store.views.stored import D as D_STORED
from tests.store.views.stored import stored
from tests.store.written import D, N

torch = pytest.importorskip("torch")

from torch.utils.data import BatchSampler, DataLoader, RandomSampler  # noqa: E402


@pytest.mark.parametrize(
    ("start", "style"),
    [
        ("fork", "map"),
        ("fork", "iterable"),
        pytest.param("spawn", "map", marks=pytest.mark.slow),
        pytest.param("spawn", "iterable", marks=pytest.mark.slow),
    ],
)
def test_torch_loaders(store, style, start):
    torch_data = pytest.importorskip("torch.utils.data")
    dataset = store.torch(style=style, **({"shuffle": True} if style == "iterable" else {}))
    loader = torch_data.DataLoader(
        dataset, batch_size=64, num_workers=2, multiprocessing_context=multiprocessing.get_context(start)
    )
    batches = list(loader)
    features = np.concatenate([batch.numpy() for batch, _ in batches])
    labels = np.concatenate([target.numpy() for _, target in batches])
    assert features.shape == (N, D)
    assert np.allclose(np.sort(features[:, 0]), np.sort(store.features[:, 0]), atol=1e-5)
    assert (labels == 1).sum() == N // 2


def test_random_access_leaves_the_order_to_the_loader(store):
    pytest.importorskip("torch")
    with pytest.raises(UsageError, match="DataLoader"):
        store.torch(shuffle=True)


def test_random_access_takes_one_index_at_a_time(store):
    torch = pytest.importorskip("torch")
    dataset = store.torch()
    for index in (3, np.int64(3), torch.tensor(3)):
        assert np.allclose(dataset[index][0].numpy(), store.features[3], atol=1e-5)
    for wrong in (slice(0, 2), [0, 1.5], 1.5, "3"):
        with pytest.raises(UsageError, match=r"store\.features"):
            dataset[wrong]
    for beyond in (N, -N - 1, [0, N]):
        with pytest.raises(IndexError, match="out of range"):
            dataset[beyond]


def test_random_access_by_lists_gives_ready_batches(tmp_path):
    dataset = stored(tmp_path / "x.tcz", [str(i % 3) for i in range(75)]).torch()
    sampler = BatchSampler(RandomSampler(dataset), 16, False)
    for workers in (0, 2):
        seen = []
        for features, targets in DataLoader(dataset, sampler=sampler, batch_size=None, num_workers=workers):
            assert (features.dtype, targets.dtype) == (torch.float32, torch.int64)
            seen.append(numbers(features))
            assert targets.tolist() == [row % 3 for row in seen[-1]]
        assert [len(rows) for rows in seen] == [16] * 4 + [11]
        assert sorted(row for rows in seen for row in rows) == list(range(75))
    assert numbers(dataset[[-1, 0]][0]) == [74, 0]


def test_shuffled_streams_see_each_sample_once_an_epoch(store):
    pytest.importorskip("torch")
    dataset = store.torch(style="iterable", shuffle=True, seed=3)
    epochs = [np.stack([row.numpy() for row, _ in dataset]) for _ in range(2)]
    assert not np.array_equal(*epochs)
    for epoch in epochs:
        assert np.allclose(np.sort(epoch[:, 1]), np.sort(store.features[:, 1]), atol=1e-5)


@pytest.mark.parametrize("persistent", [False, True])
@pytest.mark.slow
def test_workers_shuffle_anew_each_epoch_and_share_out_one_order(store, persistent):
    torch = pytest.importorskip("torch")
    from torch.utils.data import DataLoader

    def epochs(seed, count=3):
        torch.manual_seed(0)
        dataset = store.torch(style="iterable", shuffle=True, seed=seed)
        loader = DataLoader(dataset, batch_size=32, num_workers=2, persistent_workers=persistent)
        return [np.concatenate([batch.numpy() for batch, _ in loader]) for _ in range(count)]

    first, again, other = epochs(3), epochs(3), epochs(4, 1)
    for a in range(3):
        assert np.array_equal(first[a], again[a])
        assert not any(np.array_equal(first[a], first[b]) for b in range(a))
        rows = np.round(first[a], 3)
        assert len(rows) == N
        assert len(np.unique(rows, axis=0)) == len(np.unique(np.round(store.features[:], 3), axis=0))
    assert not np.array_equal(first[0], other[0])


def numbers(rows):
    """Which samples rows (n, d) of features are."""
    return np.round(np.stack([np.asarray(row) for row in rows])[:, 0]).astype(int).tolist()


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


@pytest.mark.parametrize("workers", [0, 1, 2])
@pytest.mark.parametrize("shuffle", [False, True])
def test_ready_batches_are_as_many_as_the_length_says(tmp_path, monkeypatch, shuffle, workers):
    store, seen = stored(tmp_path / "x.tcz", [str(i % 3) for i in range(101)]), []
    monkeypatch.setenv("WORLD_SIZE", "2")
    for rank in range(2):
        monkeypatch.setenv("RANK", str(rank))
        dataset = store.torch(style="iterable", shuffle=shuffle, batch_size=8)
        loader = DataLoader(dataset, batch_size=None, num_workers=workers)
        batches = list(loader)
        assert len(batches) == len(loader) == len(dataset) == 7
        assert sorted(len(features) for features, _ in batches) == [3, *[8] * 6]
        for features, targets in batches:
            assert targets.dtype == torch.int64
            assert targets.tolist() == [row % 3 for row in numbers(features)]
        seen += numbers(torch.cat([features for features, _ in batches]))
    assert (len(seen), set(seen)) == (102, set(range(101)))


def test_ready_batches_of_numbers(tmp_path):
    store = stored(tmp_path / "x.tcz", ["0.5", None])
    ((features, targets),) = store.torch(style="iterable", target="number", batch_size=8)
    assert (features.shape, targets.dtype) == ((2, D_STORED), torch.float32)
    np.testing.assert_array_equal(targets.numpy(), np.array([0.5, np.nan], "f4"))
    for options, says in (
        ({"style": "iterable", "batch_size": 0}, "batch_size 0: at least 1"),
        ({"batch_size": 8}, "DataLoader"),
        ({"memory": -1}, "memory -1: at least 0 bytes"),
    ):
        with pytest.raises(UsageError, match=says):
            store.torch(**options)


@pytest.mark.parametrize("memory", [0, 2000, 2**20])
@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.slow
def test_epochs_are_the_same_rows_however_many_stay_decoded(tmp_path, memory, workers):
    store = stored(tmp_path / "x.tcz", [None] * 101)
    for dataset in (store.torch(style="iterable", shuffle=True, memory=memory), store.torch(memory=memory)):
        loader = DataLoader(dataset, batch_size=8, num_workers=workers)
        for _ in range(2):
            assert sorted(numbers(torch.cat([features for features, _ in loader]))) == list(range(101))


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
    assert set(orders[0]) != set(orders[1]), "processes swap samples"


@pytest.mark.parametrize("persistent", [False, True])
def test_workers_of_a_rank_shuffle_anew_each_epoch_and_no_sample_is_lost(tmp_path, monkeypatch, persistent):
    store = stored(tmp_path / "x.tcz", [None] * 100)
    monkeypatch.setenv("WORLD_SIZE", "2")
    epochs = []
    for rank in range(2):
        monkeypatch.setenv("RANK", str(rank))
        torch.manual_seed(rank)  # ranks draw different seeds
        dataset = store.torch(style="iterable", shuffle=True, batch_size=8)
        loader = DataLoader(dataset, batch_size=None, num_workers=2, persistent_workers=persistent)
        epochs.append([numbers(torch.cat([features for features, _ in loader])) for _ in range(3)])
    for mine, others in zip(*epochs, strict=True):
        assert sorted(mine + others) == list(range(100))
    for orders in epochs:
        assert not any(orders[a] == orders[b] for a in range(3) for b in range(a))


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
    with pytest.raises(UsageError, match="RANK=first, WORLD_SIZE=2 in the environment are not ranks"):
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


@pytest.fixture(scope="module")
def ranks(tmp_path_factory):
    """Of stores of 100 and of 101 samples, by number: which of them each of two processes saw in each epoch."""
    folder = tmp_path_factory.mktemp("ranks")
    for samples in (100, 101):
        stored(folder / str(samples), [None] * samples)
    script = [sys.executable, Path(__file__).with_name("two_ranks.py"), folder, folder / "100", folder / "101"]
    subprocess.run(script, check=True, timeout=300, cwd=folder)
    return [json.loads((folder / f"{rank}.json").read_text()) for rank in range(2)]


@pytest.mark.slow
@pytest.mark.skipif(find_spec("lightning") is None, reason="needs lightning")
@pytest.mark.parametrize("samples", [100, 101])
def test_lightning_in_two_processes_sees_each_sample_once_an_epoch(ranks, samples):
    first, second = (rank[str(samples)] for rank in ranks)
    assert len(first) == 7
    for way, epochs in first.items():
        for mine, others in zip(epochs, second[way], strict=True):
            assert len(mine) == len(others) == -(-samples // 2), way
            assert set(mine) | set(others) == set(range(samples)), way
        assert len({tuple(rows) for rows in epochs}) == len(epochs) == 3, f"{way}: each epoch in another order"
