"""Torch data sets over a store. The only module of this floor that imports torch; it is imported when asked for."""

import operator
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import Dataset, IterableDataset, get_worker_info

from taskcodec.errors import UsageError
from taskcodec.store.views.decoded import DecodedRows
from taskcodec.store.views.labels import classes_of
from taskcodec.store.views.protocol import Readable
from taskcodec.store.views.shares import Share, chunks_in_order, cut, in_batches, part_of, reordered, rows_of
from taskcodec.words import counted

Item = tuple[torch.Tensor, Any]


@dataclass(frozen=True)
class Streaming:
    """How the iterable style streams: see `taskcodec.store.Store.torch`."""

    shuffle: bool = False
    seed: int = 0
    share: Share | None = None
    batch_size: int | None = None


def data_set(store: Readable, style: str, target: str, streaming: Streaming, memory: int) -> Dataset[Item]:
    """See `Store.torch`."""
    if target not in ("class", "number"):
        raise UsageError(f"target {target!r} is neither 'class' nor 'number'")
    if memory < 0:
        raise UsageError(f"memory {memory}: at least 0 bytes")
    if style == "map":
        if streaming != Streaming(seed=streaming.seed):
            raise UsageError(
                "style 'map' is shuffled, shared out and put in batches by the DataLoader: give it shuffle=True, "
                "batch_size, or a DistributedSampler, not store.torch"
            )
        return MapFeatures(store, target, memory)
    if style != "iterable":
        raise UsageError(f"style {style!r} is neither 'map' nor 'iterable'")
    if streaming.batch_size is not None and streaming.batch_size < 1:
        raise UsageError(f"batch_size {streaming.batch_size}: at least 1")
    return IterableFeatures(store, target, streaming, memory)


class MapFeatures(Dataset[Item]):
    """Random access to (features (d,), target); by a list of rows to (features (b, d), targets (b,)).

    Whole batches are decoded together: by `DataLoader(data, batch_size=256)` as rows, which it then stacks, and by
    `DataLoader(data, sampler=BatchSampler(RandomSampler(data), 256, False), batch_size=None)` ready, which is faster.
    """

    def __init__(self, store: Readable, target: str, memory: int) -> None:
        self.store, self._decoded = store, DecodedRows(store, memory)
        self.classes, self.targets = _targets(store, target)

    def __len__(self) -> int:
        return len(self.store)

    def __getitem__(self, index: int | list[int]) -> Item:
        try:
            rows = self._rows([operator.index(row) for row in (index if isinstance(index, list) else [index])])
        except TypeError as error:
            raise UsageError(
                "a map-style data set takes an index at a time, or a list of them; many rows are store.features[0:2]"
            ) from error
        if isinstance(index, list):
            return _batch(self._decoded, self.targets, rows)
        return torch.from_numpy(self._decoded[rows][0]), _item(self.targets[rows[0]])

    def __getitems__(self, indices: list[int]) -> list[Item]:
        rows = self._rows(indices)
        features = torch.from_numpy(self._decoded[rows])
        return [(row, _item(target)) for row, target in zip(features, self.targets[rows], strict=True)]

    def _rows(self, indices: list[int]) -> npt.NDArray[np.int64]:
        rows, n = np.array(indices, np.int64), len(self.store)
        wrong = rows[(rows < -n) | (rows >= n)]
        if wrong.size:
            raise IndexError(f"index {wrong[0]} is out of range for {counted(n, 'sample')}")
        return rows % max(n, 1)


class IterableFeatures(IterableDataset[Item]):
    """Streams (features (d,), target) chunk by chunk, shared out over the processes of a run and their workers.

    With a batch size it streams (features (b, d), targets (b,)) as they are to be used:
    `DataLoader(data, batch_size=None)`. `len` is then how many, which a loader with workers keeps too.

    Each process of a distributed run takes a part of one order, all of the same length, so that none waits for
    another: where the samples do not divide evenly, the last takes some that the first has too. `len` is that length.
    The workers of a DataLoader share out the part of their process.

    Shuffled, each epoch has its chunks in another order, and the rows of a few that follow one another are mixed. Which
    chunks a process takes follows from `seed` and the number of the epoch, so that all agree without a word; in which
    order it meets them also from the seed that torch draws for the workers of each epoch (`torch.manual_seed`, or the
    loader's `generator`, makes that reproducible). The number of the epoch is counted where the data set is iterated:
    workers made anew go on with other orders, but with the same chunks. `set_epoch` before each epoch, as with torch's
    DistributedSampler, has processes swap chunks then too, and lets all follow from it and `seed` alone.
    """

    def __init__(self, store: Readable, target: str, streaming: Streaming, memory: int) -> None:
        self.store, self.streaming, self.epoch, self._told = store, streaming, 0, False
        self.classes, self.targets = _targets(store, target)
        self._decoded = DecodedRows(store, memory)

    def __getstate__(self) -> dict[str, Any]:
        # A worker that is spawned knows nothing of the run that it belongs to; one that starts a run will.
        share = self._share()
        streaming = replace(self.streaming, share=share) if share.count > 1 else self.streaming
        return {**vars(self), "streaming": streaming}

    def set_epoch(self, epoch: int) -> None:
        """Set the number of the epoch that begins next."""
        self.epoch, self._told = epoch, True

    def __len__(self) -> int:
        samples, size = len(self._share().of(len(self.store))), self.streaming.batch_size
        return samples if size is None else -(-samples // size)

    def __iter__(self) -> Iterator[Item]:
        size = self.streaming.batch_size
        # Not ahead in a thread: the entropy decoder holds the interpreter's lock, and a training would wait for it.
        decoded = ((rows, self._decoded[rows]) for rows in self._rows_of_worker())
        if size is not None:
            for rows, features in in_batches(decoded, size):
                yield torch.from_numpy(features), torch.from_numpy(self.targets[rows])
            return
        for rows, features in decoded:
            for row, target in zip(torch.from_numpy(features), self.targets[rows], strict=True):
                yield row, _item(target)

    def _rows_of_worker(self) -> Iterator[npt.NDArray[np.int64]]:
        """The rows of this worker of this process, in the order of the epoch that begins."""
        worker, share, samples = get_worker_info(), self._share(), len(self.store)
        number, workers, seed = (
            (0, 1, 0) if worker is None else (worker.id, worker.num_workers, worker.seed - worker.id)
        )
        epoch, self.epoch = (self.streaming.seed, self.epoch), self.epoch + 1
        own = (*epoch, 0 if self._told else seed, share.number)  # the same in all workers of a process
        shuffle, size = self.streaming.shuffle, self.streaming.batch_size or 1
        chunks = chunks_in_order(samples, self.store.manifest.chunk_rows, epoch if shuffle else None)
        places = share.of(samples)
        stretches = reordered(cut(chunks, places), own if shuffle else None)
        batches = part_of(range(-(-len(places) // size)), number, workers)
        part = cut(stretches, range(batches.start * size, min(batches.stop * size, len(places))))
        return rows_of(part, (*own, number) if shuffle else None)

    def _share(self) -> Share:
        return self.streaming.share or _share_of_this_process()


def _share_of_this_process() -> Share:
    """That of its rank, as torch.distributed or else the environment (torchrun's) has it."""
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        return Share(torch.distributed.get_rank(), torch.distributed.get_world_size())
    rank, ranks = os.environ.get("RANK"), os.environ.get("WORLD_SIZE")
    if rank is None or ranks is None:
        return Share(0, 1)
    try:
        return Share(int(rank), int(ranks))
    except ValueError as error:
        raise UsageError(f"RANK={rank}, WORLD_SIZE={ranks} in the environment are not ranks: {error}") from error


def _targets(store: Readable, target: str) -> tuple[list[str], Any]:
    """The classes, and what each sample's target is: the place of its class among them, or its label as a number."""
    if target == "number":
        return [], store.numeric_labels.astype(np.float32)
    labels = store.labels
    if labels is None:
        return [], np.full(len(store), -1)
    classes = classes_of(labels.tolist())
    number = {label: i for i, label in enumerate(classes)}
    return classes, np.array([number.get(label, -1) for label in labels.tolist()])


def _batch(decoded: DecodedRows, targets: Any, rows: npt.NDArray[np.int64]) -> Item:
    return torch.from_numpy(decoded[rows]), torch.from_numpy(targets[rows])


def _item(target: Any) -> Any:
    """A class as an int, a number as a tensor of float32, of which a loader makes batches of that type."""
    return torch.tensor(target) if isinstance(target, np.floating) else int(target)
