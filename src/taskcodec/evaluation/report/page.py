"""The page of a report: sections of HTML from groups of curves. Whatever comes from rows is escaped."""

from __future__ import annotations

import base64
import shlex
from collections.abc import Mapping, Sequence
from html import escape

from taskcodec.evaluation.rates.curves import Row
from taskcodec.evaluation.rates.matched import RATE_SLACK
from taskcodec.evaluation.report.diagnosis import ClassChange, Extras, Thumbnail
from taskcodec.evaluation.report.document import document
from taskcodec.evaluation.report.limits import limits_section
from taskcodec.evaluation.report.panels import (
    CURVE_FAMILIES,
    HEADLINE_LOSS,
    Group,
    Match,
    Panel,
    caveats,
    headline_point,
    match,
)
from taskcodec.evaluation.report.svg import bars, curves, marker
from taskcodec.evaluation.report.tables import (
    PRICE_PER_GB_MONTH,
    all_factors,
    bits,
    every_row,
    matched_bytes,
    matched_value,
    percent_or,
    storage,
    table,
    times,
)
from taskcodec.words import counted

BUDGETS = (64.0, 128.0, 256.0, 512.0, 1024.0, 2048.0, 4096.0, 8192.0)
MOST_ROWS = 3000
REGIMES = {
    "zero-shot": "Zero-shot: fitted on other images",
    "fitted": "Fitted: on the training samples of each set, without labels",
    "as is": "Codecs that need no fit",
}


def page(
    rows: Sequence[Row],
    groups: Sequence[Group],
    title: str,
    command: Sequence[str],
    versions: Mapping[str, str],
    extras: Extras,
) -> str:
    """The whole file."""
    main = groups[0]
    sections = [
        f"<h1>{escape(title)}</h1>",
        _headline(main),
        "".join(f'<p class="small">{escape(line)}.</p>' for line in caveats(rows)),
        _curves(main),
        _tasks(groups[1:]),
        _matched_value(main),
        _matched_bytes(main),
        _storage(main),
        limits_section(extras.limits),
        _extras(extras),
        _method(rows, main, extras),
        _rows(rows),
        _provenance(command, versions),
    ]
    return document(title, sections)


def _matches(group: Group) -> list[tuple[Panel, Match | None]]:
    """Each panel with ours at the headline's rate against its peers."""
    found = []
    for panel in group.panels:
        point = headline_point(panel, group.higher_is_better)
        found.append((panel, None if point is None else match(panel, point, group.higher_is_better)))
    return found


def _headline(group: Group) -> str:
    parts = [f'<p class="soft">{escape(group.title)} · {counted(group.samples, "sample")}</p>']
    for panel, found in _matches(group):
        if len(group.panels) > 1:
            parts.append(f"<h3>{escape(REGIMES.get(panel.regime, panel.regime))}</h3>")
        if found is None:
            count = len(panel.series)
            parts.append(f'<p class="lead">{counted(count, "codec")} measured; none of them is taskcodec.</p>')
            continue
        parts.append(f'<p class="lead">{_sentence(group, panel, found)}</p>')
        size = f"a sample ({found.ours.rate_bits / 8:,.0f} bytes), taskcodec"
        own = f"<b>{bits(found.ours.rate_bits)} bits</b><span>{size}</span>"
        cards = [f'<div class="card ours">{own}</div>']
        for family in CURVE_FAMILIES[1:]:
            kin = [series for series, _ in found.peers if series.family == family]
            best = found.best(family)
            if best is not None and best[1].value is not None:
                series, share = best
                words = f"the bits: {escape(series.name)}, best of {escape(family)}, same {escape(group.metric)}"
                sign = "≤ " if share.needed.at_most else ""
                cards.append(f'<div class="card"><b>{sign}{times(best[1].value)}</b><span>{words}</span></div>')
            elif kin:
                words = f"{escape(family)} do not get there at any rate measured"
                cards.append(f'<div class="card"><b>never</b><span>{words}</span></div>')
        parts.append(f'<div class="cards">{"".join(cards)}</div>')
    return "".join(parts)


def _sentence(group: Group, panel: Panel, found: Match) -> str:
    ours = found.ours
    value = f"{percent_or(ours.value, group.metric)} {escape(group.metric)}"
    text = f"At <strong>{bits(ours.rate_bits)} bits a sample</strong> our codec keeps {value}"
    if panel.raw is not None:
        scale, unit = (100, " points") if percent_or(0, group.metric).endswith("%") else (1, "")
        ends = f"{scale * (ours.low - panel.raw):+.2f} to {scale * (ours.high - panel.raw):+.2f}"
        text += (
            f"; raw features give {percent_or(panel.raw, group.metric)}. The difference is "
            f"{scale * (ours.value - panel.raw):+.2f}{unit} (95 % interval {ends})"
        )
    best = found.best()
    if best is None:
        return text + "." + (" No peer reaches it at any rate measured." if found.peers else "")
    series, share = best
    assert share.value is not None
    if share.value < 1:
        return text + f". <strong>{escape(series.name)} does as well in fewer bits</strong>: {times(share.value)} ours."
    at_most = "at most " if share.needed.at_most else ""
    return (
        text + f". The best peer, {escape(series.name)}, takes {at_most}{times(share.value)} as many bits to get there."
    )


def _curves(group: Group) -> str:
    parts = [f"<h2>Rate against {escape(group.metric)}</h2>", _families(group)]
    for panel in group.panels:
        legend = "".join(f"<span>{marker(panel, s)}{escape(s.name)}</span>" for s in panel.series)
        parts.append(
            f"<figure><h3>{escape(REGIMES.get(panel.regime, panel.regime))}</h3>"
            f'<div class="wide">{curves(group, panel, 1000, 470, labels=True)}</div>'
            f'<div class="narrow">{curves(group, panel, 350, 320, labels=False)}'
            f'<div class="legend">{legend}</div></div>'
            "<figcaption>Bars: 95 % intervals of the difference to raw features. Points far below ours are cut off; "
            "they are in the tables.</figcaption></figure>"
        )
    return "".join(parts)


def _families(group: Group) -> str:
    used = {series.family for panel in group.panels for series in panel.series}
    items = [
        f'<span><span class="swatch f{i}"></span>{escape(name)}</span>'
        for i, name in enumerate(CURVE_FAMILIES)
        if name in used
    ]
    return f'<p class="families">{"".join(items)}</p>'


def _tasks(groups: Sequence[Group]) -> str:
    if not groups:
        return ""
    parts = ["<h2>Each task</h2>"]
    for regime in dict.fromkeys(panel.regime for group in groups for panel in group.panels):
        parts.append(f'<h3>{escape(REGIMES.get(regime, regime))}</h3><div class="many">')
        for group in groups:
            for panel in group.panels:
                if panel.regime == regime:
                    words = f"{escape(group.title)}, {escape(group.metric)} <span class=soft>({group.samples:,})</span>"
                    plot = curves(group, panel, 260, 150, labels=False, ticks=False)
                    parts.append(f"<figure>{plot}<figcaption>{words}</figcaption></figure>")
        parts.append("</div>")
    return "".join(parts)


def _matched_value(group: Group) -> str:
    parts = []
    for panel, found in _matches(group):
        if found is None or not found.peers:
            continue
        parts.append(f"<h3>{escape(REGIMES.get(panel.regime, panel.regime))}</h3>{matched_value(group, panel, found)}")
        assert panel.ours is not None
        if len(panel.ours.points) > 1:
            parts.append(
                "<details><summary>The factor at every setting of ours</summary>"
                + all_factors(group, panel)
                + "</details>"
            )
    if not parts:
        return ""
    words = (
        f"How many bits each codec needs for the {escape(group.metric)} of ours, at its best setting (of a pixel "
        "codec: its best size and quality), between measured points by a straight line in log rate. In brackets: where "
        "the ends of its interval get there. “≤”: its cheapest setting is better already."
    )
    return f"<h2>At matched {escape(group.metric)}</h2><p>{words}</p>" + "".join(parts)


def _matched_bytes(group: Group) -> str:
    parts = []
    for panel in group.panels:
        rates = [p.rate_bits for s in panel.series for p in s.points]
        top = max((p.rate_bits for p in panel.ours.points), default=0.0) * 8 if panel.ours else max(rates)
        budgets = [b for b in BUDGETS if min(rates) <= b * RATE_SLACK and b <= top] or [max(rates)]
        parts.append(
            f"<h3>{escape(REGIMES.get(panel.regime, panel.regime))}</h3>{matched_bytes(group, panel, budgets)}"
        )
    words = (
        f"The best each codec does in so many bits ({100 * RATE_SLACK - 100:.0f} % more is let pass), and the "
        "difference to raw features with half its interval. “–”: its cheapest setting costs more."
    )
    return f"<h2>At matched bytes</h2><p>{words}</p>" + "".join(parts)


def _storage(group: Group) -> str:
    panel, found = _matches(group)[0]
    words = (
        "A million samples, and what keeping them for a year costs at "
        f"${PRICE_PER_GB_MONTH} per gigabyte (10⁹ bytes) and month, the list price of standard object storage; each "
        "codec at what it needs for the same result as ours."
        if found
        else "A million samples, and what keeping them for a year costs at "
        f"${PRICE_PER_GB_MONTH} per gigabyte (10⁹ bytes) and month, each codec at its cheapest setting."
    )
    return f"<h2>What storing costs</h2><p>{words}</p>{storage(group, panel, found)}"


def _extras(extras: Extras) -> str:
    parts = []
    if extras.dimensions:
        parts.append("<h2>Where the bits go</h2>")
    for picture in extras.dimensions:
        total, used = sum(picture.rate_bits), sum(rate > 0.01 for rate in picture.rate_bits)
        words = (
            f"{escape(picture.name)}: {bits(total)} bits a sample over {used:,} of {len(picture.rate_bits):,} columns"
        )
        parts.append(
            f"<figure>{bars(picture.rate_bits, 'rate of each column', 'bits')}<figcaption>{words}</figcaption></figure>"
        )
        least, most = min(picture.step), max(picture.step)
        if most > 1.001 * least:
            words = f"Step of each column, from {least:.3g} to {most:.3g}"
            parts.append(f"<figure>{bars(picture.step, words, 'step')}<figcaption>{words}</figcaption></figure>")
        else:
            parts.append(f'<p class="small">One step for all columns: {most:.3g}.</p>')
    if extras.neighbours:
        parts.append("<h2>Nearest neighbours, before and after</h2><p>The first picture is the sample; then what lies "
                     "nearest by cosine.</p>")  # fmt: skip
    for strip in extras.neighbours:
        for name, side in (("raw features", strip.raw), ("decoded features", strip.decoded)):
            tiles = "".join(_tile(thumbnail) for thumbnail in (strip.query, *side))
            parts.append(f'<div class="small soft">{name}</div><div class="strip">{tiles}</div>')
    if extras.rebuilt:
        parts.append("<h2>What a code keeps of an image</h2><p>A sample and random views of it; below each, what the "
                     "trained codec rebuilds from its code. What differs above alone costs no bits.</p>")  # fmt: skip
    for rebuilt in extras.rebuilt:
        for side in (rebuilt.seen, rebuilt.rebuilt):
            parts.append(f'<div class="strip">{"".join(_tile(thumbnail) for thumbnail in side)}</div>')
    if extras.classes:
        body = [
            ("", [escape(c.name), f"{c.samples:,}", *(f"{100 * x:.1f} %" for x in (c.raw, c.decoded)), _points(c)])
            for c in extras.classes
        ]
        parts.append("<h2>The worst-hit classes</h2><p>Shares of a class's samples predicted right. The worst of many "
                     "classes look bad by chance too: few samples say little.</p>")  # fmt: skip
        parts.append(table(["class", "samples", "raw", "decoded", "points"], body))
    return "".join(parts)


def _points(change: ClassChange) -> str:
    return f"{100 * (change.decoded - change.raw):+.1f}"


def _tile(thumbnail: Thumbnail) -> str:
    data = base64.b64encode(thumbnail.image).decode("ascii")
    caption = escape(thumbnail.caption)
    return f'<div><img src="data:image/jpeg;base64,{data}" alt="{caption}" width="76" height="76">{caption}</div>'


def _method(rows: Sequence[Row], group: Group, extras: Extras) -> str:
    probes = ", ".join(escape(p) for p in dict.fromkeys(row.probe for row in rows))
    splits = "; ".join(escape(s) for s in dict.fromkeys(row.split for row in rows))
    lines = [
        "Bits are those of real files, divided by the samples; codecs and tables are not counted.",
        f"Predictor: {probes}. Split: {splits}.",
        "Intervals are paired bootstrap intervals at 95 %: samples are drawn anew, the same for raw and decoded "
        "features, so that what both share cancels.",
        f"The headline takes ours at its cheapest setting within {HEADLINE_LOSS:.2f} of raw features "
        f"({escape(group.metric)}), or at its best where none is.",
        "A codec's setting counts in the mean over sets only where it was measured on every set; sets are independent.",
        "Where ours comes out above raw features, peers need only reach raw features.",
        "Peers are taken at the best of their measured settings, which favours them slightly.",
    ]
    items = "".join(f"<li>{line}</li>" for line in lines)
    notes = "".join(f"<li>{escape(note)}</li>" for note in extras.notes)
    return f"<h2>How this was measured</h2><ul class=small>{items}{notes}</ul>"


def _rows(rows: Sequence[Row]) -> str:
    more = f"<p>The first {MOST_ROWS:,}; all are in table.csv.</p>" if len(rows) > MOST_ROWS else ""
    return f"<details><summary>All {counted(len(rows), 'row')}</summary>{more}{every_row(rows[:MOST_ROWS])}</details>"


def _provenance(command: Sequence[str], versions: Mapping[str, str]) -> str:
    parts = []
    if command:
        parts.append(f"<h3>Command</h3><pre>{escape(shlex.join(command))}</pre>")
    if versions:
        words = ", ".join(f"{escape(name)} {escape(number)}" for name, number in versions.items())
        parts.append(f'<h3>Versions</h3><p class="small">{words}</p>')
    return "".join(parts)
