"""Which latent variable depends on which, and which of them each column follows from: trees, side by side.

z_0 --> z_1 --> z_3        z_i given its parent        a mixture is one z; a hidden Markov model a chain of them;
 |       |       |                                     a hidden Chow-Liu tree (Liu and Van den Broeck, "Tractable
 x_0     x_1     x_3       x_j given its owner         regularization of probabilistic circuits", 2021) has one
                                                       for each column
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from taskcodec.errors import CorruptFileError

Indices = npt.NDArray[np.int32]
Places = npt.NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Forest:
    """See the module.

    Attributes:
        parents: (m,) the parent of each latent variable, -1 of a root: in order of depth, roots first.
        owners: (c,) the latent variable that each column follows from.
    """

    parents: Indices
    owners: Indices

    def __post_init__(self) -> None:
        parents, owners, m = self.parents, self.owners, self.parents.size
        if parents.ndim != 1 or owners.ndim != 1 or not m or not owners.size:
            raise CorruptFileError("latent variables: none, or none that has a column")
        if (parents < -1).any() or (parents >= np.arange(m)).any() or (owners < 0).any() or (owners >= m).any():
            raise CorruptFileError("latent variables: a parent behind its child, or an owner that is none")
        if (np.diff(self.depths) < 0).any():
            raise CorruptFileError("latent variables: not in the order of their depths")

    @property
    def latents(self) -> int:
        """m."""
        return int(self.parents.size)

    @property
    def columns(self) -> int:
        """c."""
        return int(self.owners.size)

    @cached_property
    def depths(self) -> Places:
        """(m,) how many variables lie above each."""
        found = np.zeros(self.parents.size, np.intp)
        for place, parent in enumerate(self.parents.tolist()):
            found[place] = 0 if parent < 0 else found[parent] + 1
        return found

    @cached_property
    def levels(self) -> list[slice]:
        """The variables of each depth, roots first."""
        ends = np.cumsum(np.bincount(self.depths)).tolist()
        return [slice(a, b) for a, b in zip([0, *ends[:-1]], ends, strict=True)]

    @cached_property
    def emitted(self) -> list[tuple[Places, Places]]:
        """Columns in groups of which no two have one owner, and these owners."""
        return list(_once_each(self.owners, np.arange(self.columns)))

    @cached_property
    def merged(self) -> list[list[tuple[Places, Places]]]:
        """Of each level: its variables in groups of which no two have one parent, and these parents."""
        own = np.arange(self.latents)
        return [[], *(list(_once_each(self.parents[level], own[level])) for level in self.levels[1:])]


def _once_each(above: npt.NDArray[Any], below: Places) -> Iterator[tuple[Places, Places]]:
    """What lies below in groups of which no two have the same above, each with that."""
    order = np.argsort(above, kind="stable")
    sorted_above = above[order]
    starts = np.flatnonzero(np.diff(sorted_above, prepend=sorted_above[0] - 1))
    rank = np.arange(order.size) - np.repeat(starts, np.diff(np.append(starts, order.size)))
    for number in range(int(rank.max()) + 1):
        picked = order[rank == number]
        yield below[picked], above[picked].astype(np.intp)
