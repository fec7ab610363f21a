"""Layers of pictures as features of one length: the means of what they dequantize to, over the cells of a grid.

Pictures of any size give as many numbers. A family of predictors that reads these is restricted to that: what is finer
than a cell is not counted as usable.
"""

import numpy as np
import numpy.typing as npt

from taskcodec.store import Store
from taskcodec.store.pictures.layer import PictureLayer

GRID = 4
"""Cells along a side."""
Floats = npt.NDArray[np.float32]


def pooled(values: npt.NDArray[np.floating]) -> Floats:
    """(c, h, w) -> (c * GRID * GRID,) means over cells, which share places where there are fewer than cells."""
    rows, columns = (_cells(side) for side in values.shape[1:])
    means = [values[:, a:b, left:right].mean(axis=(1, 2)) for a, b in rows for left, right in columns]
    return np.concatenate(means).astype(np.float32)


def pooled_layer(store: Store, name: str) -> Floats:
    """(n, d) of a layer and those it depends on, of every row of a store of pictures. Raises CorruptFileError."""
    layer, needed, pictures = store.layer(name), store.codec.needed(name), store.codec.pictures
    assert isinstance(layer, PictureLayer)
    found = []
    for row in range(len(store)):
        symbols = layer.decoded(row).symbols
        found.append(np.concatenate([pooled(pictures.latent(each, symbols)[0]) for each in needed]))
    return np.stack(found)


def _cells(side: int) -> list[tuple[int, int]]:
    return [(place * side // GRID, -(-(place + 1) * side // GRID)) for place in range(GRID)]
