"""Codecs matched: how many bits one needs to do as well as another, and how well it does in as many bytes.

    points of a codec (any settings) --> envelope: its best setting for every rate --> interpolated in log rate
    envelope, value --> bits needed        envelope, bits --> value reached

A codec with several knobs (JPEG: size and quality) has a cloud of points; its envelope is what it does at its best size
and quality. Picking the best points after measuring flatters noise, and so favours the codec that is compared against.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from taskcodec.errors import UsageError

Item = TypeVar("Item")
RATE_SLACK = 1.02
"""A setting that takes so much more than a rate is let pass for it: no codec meets a rate to the bit."""


@dataclass(frozen=True)
class CurvePoint:
    """A codec at one setting: bits a sample, and a metric with its interval."""

    rate_bits: float
    value: float
    low: float
    high: float
    setting: str = ""

    def __post_init__(self) -> None:
        if not (math.isfinite(self.rate_bits) and self.rate_bits > 0):
            raise UsageError(f"matched: a rate must be a positive number of bits, found {self.rate_bits}")
        if not math.isfinite(self.value):
            raise UsageError(f"matched: a metric must be a finite number, found {self.value}")


@dataclass(frozen=True)
class Needed:
    """What a codec needs for a value of the metric; None: it never gets there.

    Attributes:
        rate_bits: where its values reach the target.
        at_best_bits: where the better ends of its intervals do: with fewer bits it falls short beyond the interval.
        at_worst_bits: where the worse ends do: with so many bits it gets there beyond the interval.
        at_most: its cheapest point is better than the target already; it might need fewer bits than measured.
        setting: of the cheapest measured point that reaches the target.
    """

    rate_bits: float | None
    at_best_bits: float | None
    at_worst_bits: float | None
    at_most: bool
    setting: str


@dataclass(frozen=True)
class Factor:
    """How many times the bits of ours a peer needs. low, high: by its interval. None: it never gets there."""

    value: float | None
    low: float | None
    high: float | None
    needed: Needed


def envelope(points: Sequence[CurvePoint], higher_is_better: bool = True) -> list[CurvePoint]:
    """The points that no other one matches or beats at no more bits, by growing rate."""
    sign = 1.0 if higher_is_better else -1.0
    return front(sorted(points, key=lambda p: p.setting), lambda p: (p.rate_bits, sign * p.value))


def front(items: Iterable[Item], place: Callable[[Item], tuple[float, float]]) -> list[Item]:
    """The items that no other one matches or beats at no more rate, by growing rate.

    place: the rate of an item, and a value of which more is better.
    """
    best, found = -math.inf, []
    for item in sorted(items, key=lambda one: (place(one)[0], -place(one)[1])):
        if place(item)[1] > best:
            best = place(item)[1]
            found.append(item)
    return found


def needed_bits(points: Sequence[CurvePoint], target: float, higher_is_better: bool = True) -> Needed:
    """What a codec needs for the target, between its points by a straight line in log rate. Without points: never."""
    sign = 1.0 if higher_is_better else -1.0
    goal = sign * target
    ends = [(p.rate_bits, sign * p.value, *sorted((sign * p.low, sign * p.high))) for p in points]
    line = envelope(points, higher_is_better)
    reached = [p for p in line if sign * p.value >= goal]
    return Needed(
        rate_bits=_first_reach([(rate, value) for rate, value, _, _ in ends], goal),
        at_best_bits=_first_reach([(rate, better) for rate, _, _, better in ends], goal),
        at_worst_bits=_first_reach([(rate, worse) for rate, _, worse, _ in ends], goal),
        at_most=bool(line) and sign * line[0].value > goal,
        setting=reached[0].setting if reached else "",
    )


def factor(ours_bits: float, needed: Needed) -> Factor:
    """The bits a peer needs, divided by the bits of ours."""

    def share(bits: float | None) -> float | None:
        return None if bits is None else bits / ours_bits

    return Factor(share(needed.rate_bits), share(needed.at_best_bits), share(needed.at_worst_bits), needed)


def within_budget(points: Sequence[CurvePoint], bits: float, higher_is_better: bool = True) -> CurvePoint | None:
    """The best a codec does in at most so many bits, interpolated in log rate; None where its cheapest costs more.

    The setting is that of the measured point below.
    """
    line = envelope(points, higher_is_better)
    below = [p for p in line if p.rate_bits <= bits]
    if not below:
        return None
    low = below[-1]
    if len(below) == len(line):
        return low
    high = line[len(below)]
    share = math.log(bits / low.rate_bits) / math.log(high.rate_bits / low.rate_bits)
    ends = ((low.value, high.value), (low.low, high.low), (low.high, high.high))
    value, bottom, top = ((1 - share) * a + share * b for a, b in ends)
    return CurvePoint(bits, value, bottom, top, low.setting)


def _first_reach(pairs: Sequence[tuple[float, float]], goal: float) -> float | None:
    """The rate at which the envelope of (rate, value) pairs first reaches the goal; higher is better."""
    line = envelope([CurvePoint(rate, value, value, value) for rate, value in pairs if math.isfinite(value)])
    before: CurvePoint | None = None
    for point in line:
        if point.value >= goal:
            if before is None:
                return point.rate_bits
            share = (goal - before.value) / (point.value - before.value)
            return float(before.rate_bits * (point.rate_bits / before.rate_bits) ** share)
        before = point
    return None
