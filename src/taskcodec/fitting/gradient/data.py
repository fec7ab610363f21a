"""The order in which a training sees its samples: a function of seed and step, so that it resumes where it was."""

from collections.abc import Callable, Iterator
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

Batch = tuple[Tensor, Tensor, Tensor]
"""Samples, labels (0 where there are none) and rows."""


def rows_of(step: int, samples: int, batch: int, seed: int) -> Tensor:
    """(batch,) rows of the samples that step number `step` sees: permutation after permutation, without gaps."""
    start = step * batch
    rows: list[int] = []
    while len(rows) < batch:
        epoch, place = divmod(start + len(rows), samples)
        order = _order(samples, seed, epoch)
        rows.extend(order[place : place + batch - len(rows)].tolist())
    return torch.tensor(rows)


@lru_cache(maxsize=2)
def _order(samples: int, seed: int, epoch: int) -> npt.NDArray[np.int64]:
    return np.random.default_rng([seed, epoch]).permutation(samples)


class Steps(Sampler[Tensor]):
    """The rows of each step of a stretch between checkpoints, which Lightning calls an epoch.

    Args:
        samples, batch, seed: as of `rows_of`.
        steps: of the whole training.
        stretch: steps between checkpoints.
        share: (rank, processes) of this process, which gets every so many-th row.
        done: tells how many steps are done. Asked at each stretch's start, since a resumed run's epochs may not count.
    """

    def __init__(
        self,
        samples: int,
        batch: int,
        seed: int,
        steps: int,
        stretch: int,
        share: tuple[int, int],
        done: Callable[[], int],
    ) -> None:
        self.samples, self.batch, self.seed, self.steps, self.stretch = samples, batch, seed, steps, stretch
        self.rank, self.processes = share
        self.done = done

    def __len__(self) -> int:
        return min(self.stretch, self.steps)

    def __iter__(self) -> Iterator[Tensor]:
        start = self.done()
        for step in range(start, min(start + self.stretch, self.steps)):
            yield rows_of(step, self.samples, self.batch, self.seed)[self.rank :: self.processes]


class InMemory(Dataset[Batch]):
    """Batches by a tensor of rows."""

    def __init__(self, samples: Tensor, labels: Tensor | None) -> None:
        self.samples = samples
        self.labels = torch.zeros(len(samples), dtype=torch.long) if labels is None else labels

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, rows: Tensor) -> Batch:
        return self.samples[rows], self.labels[rows], rows


def loader(samples: Tensor, labels: Tensor | None, steps: Steps) -> DataLoader[Batch]:
    """Batches ready made: what is in memory needs no workers."""
    return DataLoader(InMemory(samples, labels), batch_size=None, sampler=steps)
