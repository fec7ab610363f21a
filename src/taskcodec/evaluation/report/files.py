"""The files beside a report: the main plot as PNG and SVG, and the rows as CSV."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import astuple, fields
from pathlib import Path
from warnings import catch_warnings, filterwarnings

from taskcodec.atomic import replacing
from taskcodec.evaluation.rates.curves import Row
from taskcodec.evaluation.report.colours import MARKERS
from taskcodec.evaluation.report.panels import CURVE_FAMILIES, Group, Panel, Series
from taskcodec.evaluation.report.svg import axis_value, shape_of, shorten

COLOURS = ("#C2410C", "#0072B2", "#00805C", "#B0508F", "#6E7781", "#A87400", "#222222")
"""Of the families, as on the page."""


def write_csv(rows: Sequence[Row], file: Path) -> None:
    """The rows with their fields' names above."""
    with replacing(file) as temporary, temporary.open("w", encoding="utf-8", newline="") as lines:
        writer = csv.writer(lines, lineterminator="\n")
        writer.writerow(field.name for field in fields(Row))
        writer.writerows(astuple(row) for row in rows)


def write_plots(group: Group, title: str, files: Sequence[Path]) -> None:
    """Draw every panel of a group into each file (.png, .svg); the same bytes for the same rows."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    # A "$" in a codec's name is no formula.
    with pyplot.rc_context({"svg.hashsalt": "taskcodec", "text.parse_math": False}), catch_warnings():
        filterwarnings("ignore", "Glyph .* missing")  # of a name in letters that the font lacks
        count = len(group.panels)
        figure, axes = pyplot.subplots(1, count, figsize=(6.6 * count + 1.6, 5.2), squeeze=False, layout="constrained")
        for panel, axis in zip(group.panels, axes[0], strict=True):
            _draw(axis, group, panel)
        # Beside the panels: inside, it would lie on the curves.
        named = {
            label: handle for axis in axes[0] for handle, label in zip(*axis.get_legend_handles_labels(), strict=True)
        }
        figure.legend(named.values(), named.keys(), fontsize=7, loc="outside right upper", frameon=False)
        figure.suptitle(shorten(title, 90))
        for file in files:
            with replacing(file) as temporary:
                kind = file.suffix.removeprefix(".")
                metadata = {"Date": None} if kind == "svg" else {}
                figure.savefig(temporary, dpi=150, format=kind, metadata=metadata)
        pyplot.close(figure)


def _draw(axis: object, group: Group, panel: Panel) -> None:
    from matplotlib.axes import Axes

    assert isinstance(axis, Axes)
    if panel.raw is not None:
        axis.axhline(panel.raw, color="#444444", linestyle="--", linewidth=1, label="raw features")
    for series in panel.series:
        _line(axis, panel, series)
    axis.set_xscale("log", base=2)
    axis.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    first, second, *_ = axis.get_yticks()
    step = second - first
    axis.yaxis.set_major_formatter(lambda value, _: axis_value(value, group.metric, step))
    axis.set_xlabel("bits per sample (real bytes)")
    axis.set_ylabel(shorten(group.title, 60))
    axis.set_title(shorten(panel.regime, 60))
    axis.grid(alpha=0.25)


def _line(axis: object, panel: Panel, series: Series) -> None:
    from matplotlib.axes import Axes

    assert isinstance(axis, Axes)
    ours = series == panel.ours
    values = [p.value for p in series.points]
    axis.errorbar(
        [p.rate_bits for p in series.points],
        values,
        yerr=[
            [max(v - p.low, 0.0) for v, p in zip(values, series.points, strict=True)],
            [max(p.high - v, 0.0) for v, p in zip(values, series.points, strict=True)],
        ],
        # A label that begins with "_" would be left out of the legend.
        label=" " + shorten(series.name, 40),
        color=COLOURS[CURVE_FAMILIES.index(series.family)],
        marker=MARKERS[shape_of(panel, series)],
        markersize=6 if ours else 4,
        linewidth=2.4 if ours else 1,
        elinewidth=0.7,
        capsize=2,
        zorder=3 if ours else 2,
    )
