"""Torch data sets over a store. The only module of this floor that imports torch; it is imported when asked for."""

import operator
import os
from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
import torch
from torch.utils.data import Dataset, IterableDataset, get_worker_info

from taskcodec.errors import UsageError
from taskcodec.store.views.labels import classes_of
from taskcodec.store.views.protocol import Readable
from taskcodec.store.views.shares import Order, Share, part_of

Item = tuple[torch.Tensor, Any]
Target = Literal["class", "number"]


class MapFeatures(Dataset[Item]):
    """Random access to (features (d,), target). Whole batches are decoded together."""

    def __init__(self, store: Readable, target: Target) -> None:
        self.store = store
        self.classes, self.targets = _targets(store, target)

    def __len__(self) -> int:
        return len(self.store)

    def __getitem__(self, index: int) -> Item:
        try:
            row = operator.index(index)
        except TypeError as error:
            raise UsageError(
                "a map-style data set takes one index at a time; many rows at once are store.features[0:2]"
            ) from error
        return torch.from_numpy(self.store.features[row]), _item(self.targets[row])

    def __getitems__(self, indices: list[int]) -> list[Item]:
        features = torch.from_numpy(self.store.features[np.asarray(indices)])
        return [(row, _item(self.targets[index])) for row, index in zip(features, indices, strict=True)]


class IterableFeatures(IterableDataset[Item]):
    """Streams (features (d,), target) chunk by chunk, shared out over the processes of a run and their workers.

    Each process of a distributed run takes a stretch of one order, all of the same length, so that none waits for
    another: where the samples do not divide evenly, the last takes some that the first has too. `len` is that length.
    The workers of a DataLoader share out the stretch of their process.

    Shuffled, each epoch has an order of its own. It follows from `seed` and the number of the epoch. In a run of one
    process with workers also from the seed that torch draws for each epoch, so that workers made anew do not begin
    again (`torch.manual_seed`, or the loader's `generator`, makes that reproducible). In a distributed run, whose
    processes draw different seeds, workers made anew do begin again: call `set_epoch` before each epoch, as with
    torch's DistributedSampler, or keep them (`persistent_workers=True`).
    """

    def __init__(self, store: Readable, target: Target, shuffle: bool, seed: int, share: Share | None) -> None:
        self.store, self.shuffle, self.seed, self.epoch, self.share = store, shuffle, seed, 0, share
        self.classes, self.targets = _targets(store, target)

    def __getstate__(self) -> dict[str, Any]:
        # A worker that is spawned knows nothing of the run that it belongs to; one that starts a run will.
        share = self._share()
        return {**vars(self), "share": share if share.count > 1 else self.share}

    def set_epoch(self, epoch: int) -> None:
        """Set the number of the epoch that begins next."""
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self._share().of(len(self.store)))

    def __iter__(self) -> Iterator[Item]:
        worker, share = get_worker_info(), self._share()
        base = worker.seed - worker.id if worker is not None and share.count == 1 else 0  # the same in all workers
        key = (self.seed, self.epoch, base)
        self.epoch += 1
        places = share.of(len(self.store))
        if worker is not None:
            places = part_of(places, worker.id, worker.num_workers)
        for index in Order(len(self.store), self.store.manifest.chunk_rows, self.shuffle, key).rows(places):
            features = torch.from_numpy(self.store.features[index])
            for row, position in zip(features, index.tolist(), strict=True):
                yield row, _item(self.targets[position])

    def _share(self) -> Share:
        return _share_of_this_process() if self.share is None else self.share


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


def _targets(store: Readable, target: Target) -> tuple[list[str], Any]:
    """The classes, and what each sample's target is: the place of its class among them, or its label as a number."""
    if target == "number":
        return [], store.numeric_labels.astype(np.float32)
    labels = store.labels
    if labels is None:
        return [], np.full(len(store), -1)
    classes = classes_of(labels.tolist())
    number = {label: i for i, label in enumerate(classes)}
    return classes, np.array([number.get(label, -1) for label in labels.tolist()])


def _item(target: Any) -> Any:
    """A class as an int, a number as a tensor of float32, of which a loader makes batches of that type."""
    return torch.tensor(target) if isinstance(target, np.floating) else int(target)
