"""Torch data sets over a store. The only module of this floor that imports torch; it is imported when asked for."""

import operator
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.utils.data import Dataset, IterableDataset, get_worker_info

from taskcodec.errors import UsageError

if TYPE_CHECKING:
    from taskcodec.store.reader import Store

Item = tuple[torch.Tensor, int]


class MapFeatures(Dataset[Item]):
    """Random access to (features (d,), label index). Whole batches are decoded together."""

    def __init__(self, store: "Store") -> None:
        self.store = store
        self.classes, self.targets = _targets(store)

    def __len__(self) -> int:
        return len(self.store)

    def __getitem__(self, index: int) -> Item:
        try:
            row = operator.index(index)
        except TypeError as error:
            raise UsageError(
                "a map-style data set takes one index at a time; many rows at once are store.features[0:2]"
            ) from error
        return torch.from_numpy(self.store.features[row]), int(self.targets[row])

    def __getitems__(self, indices: list[int]) -> list[Item]:
        features = torch.from_numpy(self.store.features[np.asarray(indices)])
        return [(row, int(self.targets[index])) for row, index in zip(features, indices, strict=True)]


class IterableFeatures(IterableDataset[Item]):
    """Streams (features (d,), label index) chunk by chunk; each worker takes every w-th chunk of one order.

    Shuffled, each epoch has an order of its own. It follows from `seed` and the number of the epoch; with the workers
    of a DataLoader also from the seed that torch draws for each epoch, so that workers made anew do not begin again
    (`torch.manual_seed`, or the loader's `generator`, makes that reproducible).
    """

    def __init__(self, store: "Store", shuffle: bool, seed: int) -> None:
        self.store, self.shuffle, self.seed, self.epoch = store, shuffle, seed, 0
        self.classes, self.targets = _targets(store)

    def __len__(self) -> int:
        return len(self.store)

    def __iter__(self) -> Iterator[Item]:
        worker, rows = get_worker_info(), self.store.manifest.chunk_rows
        number, workers = (0, 1) if worker is None else (worker.id, worker.num_workers)
        base = 0 if worker is None else worker.seed - worker.id  # the same in all workers: they share out one order
        generator = np.random.default_rng([self.seed, self.epoch, base])
        self.epoch += 1
        chunks = np.arange(self.store.manifest.chunks)
        if self.shuffle:
            generator.shuffle(chunks)
        for chunk in chunks[number::workers].tolist():
            index: Any = np.arange(chunk * rows, min((chunk + 1) * rows, len(self.store)))
            if self.shuffle:
                generator.shuffle(index)
            features = torch.from_numpy(self.store.features[index])
            for row, position in zip(features, index.tolist(), strict=True):
                yield row, int(self.targets[position])


def _targets(store: "Store") -> tuple[list[str], Any]:
    labels = store.labels
    if labels is None:
        return [], np.full(len(store), -1)
    classes = sorted({label for label in labels.tolist() if label is not None})
    number = {label: i for i, label in enumerate(classes)}
    return classes, np.array([number.get(label, -1) for label in labels.tolist()])
