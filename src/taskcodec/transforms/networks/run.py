"""Networks of pictures as functions of arrays, in memory that does not grow with the picture.

A large picture is run in tiles. Each is read with a border as wide as the network looks, which is cut off again: what
comes out is what the whole would give, but for the last bits of floats. A network that normalises over the picture is
run on the whole.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from taskcodec.transforms.networks.build import unpack
from taskcodec.transforms.networks.carried import Network
from taskcodec.transforms.networks.pictures.reach import reach_of, sees_whole

Floats = npt.NDArray[np.float32]
TILE = 2**10
"""Pixels along a side of a tile, without its border; what is not longer is run at once."""


@dataclass(frozen=True)
class Steps:
    """Pixels between two places of what a network reads, and of what it gives."""

    reads: int
    gives: int


def on_places(network: Network, steps: Steps) -> Callable[..., Floats]:
    """A network as a function of (1, c, h, w), and of (1, c', h, w) that it looks at -> (1, outputs, h', w')."""
    module = unpack(network)
    with torch.inference_mode(False):
        # Twice as quick; and sums of convolutions of one place depend less on the number of threads.
        module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    coarse = max(steps.reads, steps.gives)
    border = -(-reach_of(module, steps.reads) // coarse) * coarse
    whole = sees_whole(module)

    def run(x: Floats, *given: Floats) -> Floats:
        height, width = (side * steps.reads for side in x.shape[2:])
        found: Floats | None = None
        tile = max(height, width) if whole else TILE
        for top, bottom in _spans(height, coarse, tile):
            for left, right in _spans(width, coarse, tile):
                rows = slice(max(0, top - border), min(height, bottom + border))
                columns = slice(max(0, left - border), min(width, right + border))
                read = (..., _at(rows, steps.reads), _at(columns, steps.reads))
                part = _run(module, x[read], [each[read] for each in given])
                inner = (
                    slice((top - rows.start) // steps.gives, (bottom - rows.start) // steps.gives),
                    slice((left - columns.start) // steps.gives, (right - columns.start) // steps.gives),
                )
                if found is None:
                    found = np.empty((1, part.shape[1], height // steps.gives, width // steps.gives), np.float32)
                found[..., _at(slice(top, bottom), steps.gives), _at(slice(left, right), steps.gives)] = part[
                    (..., *inner)
                ]
        assert found is not None
        return found

    return run


@contextmanager
def one_thread() -> Iterator[None]:
    """Networks run in one thread inside: their sums have one order, whatever number torch was given."""
    count = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(count)


def _run(module: nn.Module, x: Floats, given: list[Floats]) -> Floats:
    with torch.inference_mode(), torch.autocast("cpu", enabled=False):
        below = [_tensor(each) for each in given]
        found = module(_tensor(x), *([below] if below else []))
    return np.ascontiguousarray(found.float().numpy(), dtype=np.float32)


def _tensor(x: Floats) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(x)).contiguous(memory_format=torch.channels_last)


def _spans(side: int, coarse: int, tile: int) -> Iterator[tuple[int, int]]:
    """A side of so many pixels, a multiple of `coarse`, in parts of `tile`, the last one no shorter than half of it."""
    count = max(1, round(side / tile))
    ends = [round(side / coarse * part / count) * coarse for part in range(count + 1)]
    yield from pairwise(ends)


def _at(pixels: slice, step: int) -> slice:
    return slice(pixels.start // step, pixels.stop // step)
