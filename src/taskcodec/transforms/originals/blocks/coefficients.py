"""The coefficients of many pictures <-> a stream of each: one walk over them, by whoever writes and whoever reads."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from taskcodec.coding.models.tables import TABLE_BITS
from taskcodec.transforms.originals.blocks.context import STARTS, Ints, Plane, beside, blank
from taskcodec.transforms.originals.blocks.frame import BLOCK, Frame
from taskcodec.transforms.originals.blocks.head import Head
from taskcodec.transforms.originals.blocks.model import Choice, Step, all_steps, model
from taskcodec.transforms.originals.blocks.scan import Planes
from taskcodec.transforms.originals.blocks.streams import ESCAPED, Popper, pushed

_MOST_COMPONENTS = 3


@dataclass(frozen=True, eq=False)
class Picture:
    """A file without its coefficients.

    Attributes:
        frame: of its scan.
        steps: (components, 64) of quantization.
        head: what stands around the scan.
    """

    frame: Frame
    steps: Ints
    head: Head

    def shape(self, component: int) -> tuple[int, int]:
        """(rows, columns) of a component's blocks."""
        return self.frame.shape(self.frame.components[component])


@dataclass(frozen=True, eq=False)
class Place:
    """Where (m, c) coefficients are: pictures (m,), component, its plane, blocks (m,) of that, and the step."""

    pictures: Ints
    component: int
    plane: Plane
    blocks: Ints
    step: Step

    @property
    def columns(self) -> slice:
        """In zigzag order."""
        return slice(STARTS[self.step.diagonal], STARTS[self.step.diagonal + 1])

    @property
    def choice(self) -> Choice:
        """How they are coded."""
        return model().choose(self.step, self.plane, self.blocks)


Exchange = Callable[[Place], Ints]
"""Writes coefficients, or reads them; (m, c) either way."""


def top_of(plane: npt.NDArray[np.int32]) -> int:
    """The highest diagonal of a plane that is not all 0."""
    places = np.flatnonzero(plane.any(axis=(0, 1)))
    return int(np.searchsorted(STARTS, places[-1], side="right")) - 1 if len(places) else 0


def coded(pictures: Sequence[Picture], planes: Sequence[Planes]) -> list[bytes]:
    """The streams of pictures with these coefficients."""
    if not pictures:
        return []
    flat = side_by_side(planes)
    owners, counts, befores = list[Ints](), list[Ints](), list[Ints]()

    def write(place: Place) -> Ints:
        found = flat[place.component][place.blocks, place.columns]
        count, before = _slots(found, place.choice)
        owners.append(np.repeat(place.pictures, count.size // len(found)))
        counts.append(count.reshape(-1))
        befores.append(before.reshape(-1))
        return found

    walk(pictures, write)
    owner, count, before = (np.concatenate(each) for each in (owners, counts, befores))
    owner, count, before = owner[count > 0], count[count > 0], before[count > 0]
    order = np.argsort(owner, kind="stable")
    ends = np.cumsum(np.bincount(owner, minlength=len(pictures)))[:-1]
    parts = zip(np.split(count[order], ends), np.split(before[order], ends), strict=True)
    return [pushed(own.tolist(), under.tolist()) for own, under in parts]


def decoded(pictures: Sequence[Picture], streams: Sequence[Popper]) -> list[Planes]:
    """Invert `coded`. Raises CorruptFileError where a stream does not end where its picture does."""
    tables = model().tables
    ladders, firsts = _ladders(), tables.first.tolist()

    def read(place: Place) -> Ints:
        choice, (pictures, runs) = place.choice, np.unique(place.pictures, return_index=True)
        values = list[int]()
        for picture, table, low in zip(
            pictures.tolist(), np.split(choice.table, runs[1:]), np.split(choice.low, runs[1:]), strict=True
        ):
            own = table.reshape(-1).tolist()
            values += streams[picture].pop(
                [ladders[t] for t in own], [firsts[t] for t in own], low.reshape(-1).tolist()
            )
        return np.array(values, np.int64).reshape(choice.table.shape) + choice.offset

    found = walk(pictures, read)
    for stream in streams:
        stream.finish()
    return found


def walk(pictures: Sequence[Picture], exchange: Exchange) -> list[Planes]:
    """All coefficients, by `exchange`, each told what is known of those before it."""
    planes, found = list[Plane](), [Planes() for _ in pictures]
    for component in range(_MOST_COMPONENTS):
        numbers = [n for n, each in enumerate(pictures) if component < len(each.frame.components)]
        if not numbers:
            break
        shapes = [pictures[n].shape(component) for n in numbers]
        plane = blank(shapes, np.stack([pictures[n].steps[component] for n in numbers]))
        if component:
            beside(planes[0], planes[0].starts[numbers], [pictures[n].shape(0) for n in numbers], shapes, plane)
            plane.twin = planes[1] if component == _MOST_COMPONENTS - 1 else None
        planes.append(plane)
        tops = np.array([pictures[n].head.tops[component] for n in numbers])
        coefficients = _walk_plane(plane, component, np.array(numbers), tops, exchange)
        for n, shape, start in zip(numbers, shapes, plane.starts.tolist(), strict=True):
            found[n].append(coefficients[start : start + shape[0] * shape[1]].reshape(*shape, BLOCK))
    return found


def _walk_plane(plane: Plane, component: int, numbers: Ints, tops: Ints, exchange: Exchange) -> npt.NDArray[np.int32]:
    """(n, 64) coefficients of a plane; of pictures those beyond their highest diagonal are 0."""
    coefficients = np.zeros((len(plane), BLOCK), np.int32)
    for step in all_steps(component > 0):
        d = step.diagonal
        for blocks in [np.flatnonzero(plane.odd == step.second)] if d else plane.waves():
            own = blocks[tops[plane.picture[blocks]] >= d]
            if len(own):
                place = Place(numbers[plane.picture[own]], component, plane, own, step)
                coefficients[own, place.columns] = exchange(place)
            plane.put(blocks, d, coefficients[blocks, STARTS[d] : STARTS[d + 1]].astype(np.int64))
    return coefficients


def _slots(values: Ints, choice: Choice) -> tuple[Ints, Ints]:
    """(m, c) coefficients -> (m, c, 3) counts of the slots that code each, 0 for none, and how many lie before."""
    tables = model().tables
    rest = values - choice.offset
    symbol, low = rest >> choice.low, rest & ((1 << choice.low) - 1)
    size = tables.sizes[choice.table]
    slot = symbol - tables.first[choice.table]
    escaped = (slot < 0) | (slot >= size)
    at = tables.starts[:-1][choice.table] + np.where(escaped, size, slot)
    spare = 1 << (TABLE_BITS - choice.low)
    count = np.stack([tables.counts[at], escaped, np.where(choice.low, spare, 0)], -1).astype(np.int64)
    return count, np.stack([_befores()[at], symbol + ESCAPED, low * spare], -1)


@cache
def _befores() -> Ints:
    """Of each slot of all tables, the counts of those before it in its table."""
    counts = model().tables.counts.astype(np.int64)
    return (np.cumsum(counts) - counts) & ((1 << TABLE_BITS) - 1)


@cache
def _ladders() -> list[tuple[int, ...]]:
    """Of each table the counts before each slot, and all of them."""
    starts = model().tables.starts.tolist()
    whole = 1 << TABLE_BITS
    return [(*_befores()[a:b].tolist(), whole) for a, b in pairwise(starts)]


def side_by_side(planes: Sequence[Planes]) -> list[Ints]:
    """For each component (n, 64) coefficients, of all pictures that have it."""
    own = [[each[c].reshape(-1, BLOCK) for each in planes if c < len(each)] for c in range(_MOST_COMPONENTS)]
    return [np.concatenate([np.zeros((0, BLOCK), np.int64), *each]) for each in own]
