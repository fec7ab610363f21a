"""Inline SVG: curves with intervals and direct labels, small plots, and bars. Colours come from the page's style."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from taskcodec.evaluation.rates.matched import CurvePoint, envelope
from taskcodec.evaluation.report.panels import CURVE_FAMILIES, Group, Panel, Series

SHAPES = (
    "M-4,0a4,4 0 1,0 8,0a4,4 0 1,0 -8,0Z",  # circle
    "M-3.6,-3.6H3.6V3.6H-3.6Z",  # square
    "M0,-4.6L4.4,3.4H-4.4Z",  # triangle
    "M0,-5L5,0L0,5L-5,0Z",  # diamond
    "M0,4.6L4.4,-3.4H-4.4Z",  # triangle, point down
    "M-1.5,-4.5H1.5V-1.5H4.5V1.5H1.5V4.5H-1.5V1.5H-4.5V-1.5H-1.5Z",  # plus
)
LABEL_HEIGHT = 15.0
LABEL_WIDTH = 215
"""Room for names beside a plot of 1,000, in its units: LONGEST_LABEL letters of a wide font."""
LONGEST_LABEL = 30
"""The names of ours and of the usual peers fit."""


@dataclass(frozen=True)
class Frame:
    """Where the plot lies in its picture, and what it spans. bottom, top: of the metric."""

    left: float
    right: float
    upper: float
    lower: float
    cheapest: float
    dearest: float
    bottom: float
    top: float

    def x(self, rate_bits: float) -> float:
        """Log scale."""
        share = math.log(rate_bits / self.cheapest) / math.log(self.dearest / self.cheapest)
        return self.left + share * (self.right - self.left)

    def y(self, value: float) -> float:
        """Linear."""
        return self.lower - (value - self.bottom) / (self.top - self.bottom) * (self.lower - self.upper)


def curves(group: Group, panel: Panel, width: int, height: int, *, labels: bool, ticks: bool = True) -> str:
    """One panel. labels: names at the ends of the curves; ticks False: a small plot with the least of axes."""
    margin = (46, LABEL_WIDTH if labels else 12, 10, 40) if ticks else (30, 6, 6, 18)
    frame = _frame(group, panel, (margin[0], width - margin[1], margin[2], height - margin[3]))
    words = f"{group.title}, {panel.regime}: {group.metric} against bits a sample"
    parts = [
        f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{escape(words)}" class="plot">',
        f"<title>{escape(words)}</title>",
        *_axes(frame, group.metric, ticks),
    ]
    if panel.raw is not None:
        y = frame.y(panel.raw)
        parts.append(f'<line class="raw" x1="{frame.left:.1f}" x2="{frame.right:.1f}" y1="{y:.1f}" y2="{y:.1f}"/>')
        if ticks:
            parts.append(f'<text class="note" x="{frame.left + 4:.1f}" y="{y - 5:.1f}">raw features</text>')
    ends = []
    for series in reversed(panel.series):  # ours last, on top
        seen = [p for p in series.points if p.value >= frame.bottom and p.rate_bits <= frame.dearest]
        if seen:
            parts += _series(frame, panel, series, seen, _joined(group, series, seen), small=not ticks)
            ends.append((seen[-1], series))
    if labels:
        parts += _end_labels(frame, panel, ends)
    return "".join([*parts, "</svg>"])


def marker(panel: Panel, series: Series) -> str:
    """A series' mark alone, for a legend or a table."""
    kind = f"f{CURVE_FAMILIES.index(series.family)}"
    shape = SHAPES[shape_of(panel, series)]
    return f'<svg viewBox="-6 -6 12 12" class="mark {kind}" aria-hidden="true"><path d="{shape}"/></svg>'


def shape_of(panel: Panel, series: Series) -> int:
    """The number of a series' mark: colours tell families apart, shapes the codecs of one family."""
    kin = [s for s in panel.series if s.family == series.family]
    return kin.index(series) % len(SHAPES)


def bars(values: Sequence[float], label: str, unit: str, width: int = 640, height: int = 150) -> str:
    """An area of many values side by side, largest first."""
    left, lower, upper = 46.0, height - 24.0, 10.0
    ordered = sorted(values, reverse=True)
    top = max([*ordered, 1e-12])
    step = (width - left - 8) / max(len(ordered), 1)
    corners = [f"M{left:.1f},{lower:.1f}"]
    for index, value in enumerate(ordered):
        y = lower - value / top * (lower - upper)
        corners.append(f"V{y:.1f}H{left + (index + 1) * step:.2f}")
    corners.append(f"V{lower:.1f}Z")
    return (
        f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{escape(label)}" class="plot">'
        f'<path class="area" d="{"".join(corners)}"/>'
        f'<line class="axis" x1="{left}" x2="{width - 8}" y1="{lower}" y2="{lower}"/>'
        f'<text class="tick" x="{left - 6}" y="{upper + 8}" text-anchor="end">{top:.3g}</text>'
        f'<text class="tick" x="{left - 6}" y="{lower}" text-anchor="end">0</text>'
        f'<text class="tick" x="{left}" y="{height - 8}">1</text>'
        f'<text class="tick" x="{width - 8}" y="{height - 8}" text-anchor="end">{len(ordered):,}</text>'
        f'<text class="tick" x="{(left + width) / 2:.0f}" y="{height - 8}" text-anchor="middle">'
        f"columns, largest first ({escape(unit)})</text></svg>"
    )


def _frame(group: Group, panel: Panel, sides: tuple[float, float, float, float]) -> Frame:
    points = [p for s in panel.series for p in s.points]
    values = [v for p in points for v in (p.value, *_interval(p))] + ([] if panel.raw is None else [panel.raw])
    bottom, top = min(values), max(values)
    if panel.ours is not None and group.higher_is_better:
        # What lies far below everything that ours does is cut off: it would press the curves together.
        least = min(p.value for p in panel.ours.points)
        bottom = max(bottom, least - 0.5 * max(top - least, 0.02))
    room = 0.06 * (top - bottom) or 0.01
    rates = [p.rate_bits for p in points]
    cheapest, dearest = min(rates) / 1.15, max(rates) * 1.15
    return Frame(*sides, cheapest=cheapest, dearest=dearest, bottom=bottom - room / 3, top=top + room)


def _interval(point: CurvePoint) -> tuple[float, ...]:
    return tuple(end for end in (point.low, point.high) if math.isfinite(end))


def _axes(frame: Frame, metric: str, ticks: bool) -> list[str]:
    parts = []
    step = _round_step((frame.top - frame.bottom) / (5 if ticks else 2))
    value = math.ceil(frame.bottom / step) * step
    while value <= frame.top:
        y = frame.y(value)
        parts.append(f'<line class="grid" x1="{frame.left}" x2="{frame.right}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(
            f'<text class="tick" x="{frame.left - 6:.1f}" y="{y + 4:.1f}" text-anchor="end">'
            f"{escape(axis_value(value, metric, step))}</text>"
        )
        value += step
    most = max(2.0, (frame.right - frame.left) / 52)
    octaves = math.log2(frame.dearest / frame.cheapest)
    stride = max(1, math.ceil(octaves / most))
    first = math.ceil(math.log2(frame.cheapest))
    for power in range(first, math.floor(math.log2(frame.dearest)) + 1, stride):
        x = frame.x(2.0**power)
        parts.append(f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{frame.upper}" y2="{frame.lower}"/>')
        parts.append(
            f'<text class="tick" x="{x:.1f}" y="{frame.lower + 14:.1f}" text-anchor="middle">{_bits(2.0**power)}</text>'
        )
    parts.append(f'<line class="axis" x1="{frame.left}" x2="{frame.right}" y1="{frame.lower}" y2="{frame.lower}"/>')
    if ticks:
        middle = (frame.left + frame.right) / 2
        parts.append(
            f'<text class="tick" x="{middle:.0f}" y="{frame.lower + 33:.0f}" text-anchor="middle">'
            "bits a sample, real bytes (log scale)</text>"
        )
    return parts


def axis_value(value: float, metric: str, step: float) -> str:
    """A tick's label: shares in per cent, with as many digits as ticks a `step` apart need."""
    percent = metric not in ("r2", "mae", "log_loss")
    apart = 100 * step if percent else step
    digits = max(0, -math.floor(math.log10(apart)))
    if round(apart, digits) != round(apart, digits + 1):
        digits += 1
    return f"{100 * value:.{digits}f}%" if percent else f"{value:.{digits}f}"


def _bits(bits: float) -> str:
    if bits >= 2**20:
        return f"{bits / 2**20:g}M"
    return f"{bits / 1024:g}k" if bits >= 1024 else f"{bits:g}"


def _round_step(rough: float) -> float:
    power = 10.0 ** math.floor(math.log10(rough))
    return next(power * m for m in (1, 2, 5, 10) if power * m >= rough * 0.999)


def _series(
    frame: Frame, panel: Panel, series: Series, seen: Sequence[CurvePoint], line: Sequence[CurvePoint], small: bool
) -> list[str]:
    kind = f"f{CURVE_FAMILIES.index(series.family)}" + (" main" if series == panel.ours else "")
    spots = [(frame.x(p.rate_bits), frame.y(p.value), p) for p in seen]
    parts = [f'<g class="series {kind}">']
    if len(line) > 1:
        corners = " ".join(f"{frame.x(p.rate_bits):.1f},{frame.y(p.value):.1f}" for p in line)
        parts.append(f'<polyline points="{corners}"/>')
    for x, y, point in spots:
        if small:
            parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="1.6"/>')
            continue
        ends = _interval(point)
        if len(ends) == 2 and ends[0] < ends[1]:
            low, high = (frame.y(min(max(end, frame.bottom), frame.top)) for end in ends)
            parts.append(f'<line class="whisker" x1="{x:.1f}" x2="{x:.1f}" y1="{low:.1f}" y2="{high:.1f}"/>')
        words = f"{series.name} {point.setting}: {point.rate_bits:,.1f} bits, {point.value:.4f}"
        parts.append(
            f'<path d="{SHAPES[shape_of(panel, series)]}" transform="translate({x:.1f},{y:.1f})">'
            f"<title>{escape(words)}</title></path>"
        )
    return [*parts, "</g>"]


def _joined(group: Group, series: Series, seen: Sequence[CurvePoint]) -> Sequence[CurvePoint]:
    """The points a line runs through: of a pixel codec, whose size and quality both vary, its best ones."""
    return envelope(seen, group.higher_is_better) if series.family == "pixel codecs" else seen


def _end_labels(frame: Frame, panel: Panel, ends: Sequence[tuple[CurvePoint, Series]]) -> list[str]:
    """Names beside the plot, level with the ends of their curves where there is room, tied to them by lines."""
    ordered = sorted(ends, key=lambda end: (frame.y(end[0].value), end[0].rate_bits, end[1].name))
    places = spread([frame.y(p.value) for p, _ in ordered], LABEL_HEIGHT, frame.upper + 6, frame.lower)
    parts = []
    for (point, series), place in zip(ordered, places, strict=True):
        kind = f"f{CURVE_FAMILIES.index(series.family)}" + (" main" if series == panel.ours else "")
        x, y = frame.x(point.rate_bits), frame.y(point.value)
        name = shorten(series.name)
        parts.append(
            f'<polyline class="leader {kind}" points="{x + 6:.1f},{y:.1f} {frame.right + 2:.1f},{place:.1f} '
            f'{frame.right + 8:.1f},{place:.1f}"/>'
            f'<text class="name {kind}" x="{frame.right + 11:.1f}" y="{place + 4:.1f}">{escape(name)}</text>'
        )
    return parts


def shorten(name: str, longest: int = LONGEST_LABEL) -> str:
    """A name cut to a length."""
    return name if len(name) <= longest else name[: longest - 1] + "…"


def spread(places: Sequence[float], gap: float, upper: float, lower: float) -> list[float]:
    """Growing places moved apart to at least a gap (less where there is no room), within bounds where they fit."""
    gap = min(gap, (lower - upper) / max(len(places) - 1, 1))
    result: list[float] = []
    for place in places:
        result.append(max(place, upper if not result else result[-1] + gap))
    limit = lower
    for index in reversed(range(len(result))):
        result[index] = min(result[index], limit)
        limit = result[index] - gap
    return result
