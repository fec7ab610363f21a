"""The tables of a report as HTML: matched accuracy, matched bytes, storage, every row."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from taskcodec.evaluation.predictors.metrics import METRICS
from taskcodec.evaluation.rates.curves import Row
from taskcodec.evaluation.rates.matched import RATE_SLACK, CurvePoint, Factor, within_budget
from taskcodec.evaluation.report.panels import Group, Match, Panel, Series, match
from taskcodec.evaluation.report.svg import marker

PRICE_PER_GB_MONTH = 0.023
"""US dollars for a gigabyte (10^9 bytes) a month: the list price of standard object storage, first tier, at a large
cloud provider. Requests, traffic and copies come on top."""
MILLION = 1_000_000


def percent_or(value: float, metric: str) -> str:
    """A metric's value: shares in per cent, others as they are."""
    if metric in METRICS and METRICS[metric].unit != "points":
        return f"{value:.3f}"
    return f"{100 * value:.2f}\u00a0%"


def bits(value: float) -> str:
    """A number of bits, to the bit where there are many."""
    return f"{value:,.0f}" if value >= 100 or value == round(value) else f"{value:.1f}"


def times(value: float) -> str:
    """A factor: 1.47x, 32x."""
    return f"{value:.2f}×" if value < 10 else f"{value:,.1f}×" if value < 100 else f"{value:,.0f}×"


def table(head: Sequence[str], body: Sequence[tuple[str, Sequence[str]]], text_columns: Sequence[int] = ()) -> str:
    """Cells are HTML already. body: the class of a row, and its cells."""

    def cells(tag: str, items: Sequence[str]) -> str:
        kinds = ['class="text"' if i in text_columns else "" for i in range(len(items))]
        return "".join(
            f"<{tag} {kind}>{item}</{tag}>".replace(" >", ">") for kind, item in zip(kinds, items, strict=True)
        )

    lines = [f"<tr>{cells('th', head)}</tr></thead><tbody>"]
    lines += [f'<tr class="{kind}">{cells("td", items)}</tr>'.replace(' class=""', "") for kind, items in body]
    return '<div class="scroll"><table><thead>' + "".join(lines) + "</tbody></table></div>"


def matched_value(group: Group, panel: Panel, found: Match) -> str:
    """What every peer needs to reach ours at one point."""
    ours, own = found.ours, panel.ours
    assert own is not None
    body = [
        ("ours", [_name(panel, own, ours.setting), percent_or(ours.value, group.metric), bits(ours.rate_bits), "1×"])
    ]
    for series, share in found.peers:
        need = share.needed
        if need.rate_bits is None:
            best = max(series.points, key=lambda p: p.value if group.higher_is_better else -p.value)
            reached = f"{percent_or(best.value, group.metric)} <small>at {bits(best.rate_bits)} bits</small>"
            possible = (
                ""
                if need.at_best_bits is None
                else f"<br><small>within its interval: {bits(need.at_best_bits)}</small>"
            )
            body.append(
                ("", [_name(panel, series), reached, f'<span class="never">never reaches</span>{possible}', "–"])
            )
            continue
        at_most = "≤ " if need.at_most else ""
        spread = f" <small>{_ends(need.at_best_bits, need.at_worst_bits, bits)}</small>"
        cells = [
            _name(panel, series, need.setting),
            percent_or(found.target, group.metric),
            f"{at_most}{bits(need.rate_bits)}{spread}",
            f"{at_most}{factor_words(share)}",
        ]
        body.append(("", cells))
    return table(["codec", f"{escape(group.metric)}", "bits a sample needed", "times ours"], body)


def factor_words(share: Factor) -> str:
    """The factor and its interval, as HTML."""
    assert share.value is not None
    return f"{times(share.value)} <small>{_ends(share.low, share.high, times)}</small>"


def all_factors(group: Group, panel: Panel) -> str:
    """The factor at every setting of ours."""
    assert panel.ours is not None
    matches = [match(panel, point, group.higher_is_better) for point in panel.ours.points]
    head = ["codec", *(f"{bits(m.ours.rate_bits)} bits<br>{percent_or(m.ours.value, group.metric)}" for m in matches)]
    body = []
    for series in panel.peers:
        shares = [next(share for peer, share in m.peers if peer == series) for m in matches]
        body.append(("", [_name(panel, series), *(_short(share) for share in shares)]))
    return table(head, body)


def matched_bytes(group: Group, panel: Panel, budgets: Sequence[float]) -> str:
    """The best that every codec does within each number of bits, and how far that is from raw features."""
    head = ["codec", *(f"{bits(budget)} bits<br>{budget / 8:,.0f} bytes" for budget in budgets)]
    body = []
    for series in panel.series:
        found = [within_budget(series.points, budget * RATE_SLACK, group.higher_is_better) for budget in budgets]
        if any(found):
            kind = "ours" if series == panel.ours else ""
            body.append((kind, [_name(panel, series), *(_value(point, panel, group.metric) for point in found)]))
    return table(head, body)


def storage(group: Group, panel: Panel, found: Match | None) -> str:
    """Bytes of a million samples and what storing them costs a year."""
    lines: list[tuple[str, Series, float, str]] = []
    if found is not None and panel.ours is not None:
        lines.append(("ours", panel.ours, found.ours.rate_bits, percent_or(found.ours.value, group.metric)))
        lines += [
            ("", series, share.needed.rate_bits, "the same")
            for series, share in found.peers
            if share.needed.rate_bits is not None
        ]
    for series in panel.series:
        if found is None or series.name == "float32":
            cheapest = series.points[0]
            lines.append(("", series, cheapest.rate_bits, percent_or(cheapest.value, group.metric)))
    body = []
    for kind, series, rate, value in lines:
        size = rate / 8 * MILLION
        cost = size / 1e9 * PRICE_PER_GB_MONTH * 12
        money = f"${cost:,.2f}" if cost >= 1 else f"${cost:.2g}"  # small codes cost cents
        body.append((kind, [_name(panel, series), value, f"{size / 1e9:,.3f} GB", money]))
    return table(["codec", escape(group.metric), "a million samples", "a year"], body)


def every_row(rows: Sequence[Row]) -> str:
    """The rows as they are."""
    head = ["codec", "setting", "regime", "set: task", "metric", "samples", "bits a sample", "value", "interval", "raw",
            "difference", "interval"]  # fmt: skip
    body = [
        ("", [
            escape(row.codec), escape(row.setting), escape(row.regime), escape(f"{row.set}: {row.task}"),
            escape(row.metric),
            f"{row.samples:,}", f"{row.bits_per_sample:,.1f}", f"{row.value:.4f}", f"{row.low:.4f} to {row.high:.4f}",
            f"{row.raw_value:.4f}", f"{row.difference:+.4f}",
            f"{row.difference_low:+.4f} to {row.difference_high:+.4f}",
        ])
        for row in rows
    ]  # fmt: skip
    return table(head, body, text_columns=(1, 2, 3))


def _name(panel: Panel, series: Series, setting: str = "") -> str:
    words = f" <small>{escape(setting)}</small>" if setting else ""
    return f"{marker(panel, series)}{escape(series.name)}{words}"


def _value(point: CurvePoint | None, panel: Panel, metric: str) -> str:
    if point is None:
        return '<span class="never">–</span>'
    if panel.raw is None:
        return percent_or(point.value, metric)
    scale = 100 if percent_or(0, metric).endswith("%") else 1
    half = scale * (point.high - point.low) / 2
    return f"{percent_or(point.value, metric)}<br><small>{scale * (point.value - panel.raw):+.2f} ± {half:.2f}</small>"


def _short(share: Factor) -> str:
    if share.value is None:
        return '<span class="never">never</span>'
    return ("≤ " if share.needed.at_most else "") + times(share.value)


def _ends(low: float | None, high: float | None, words: object) -> str:
    assert callable(words)
    least = "" if low is None else words(low)
    return f"({least} to {'∞' if high is None else words(high)})"
