"""`taskcodec benchmark`: parses, calls `taskcodec.benchmark`, prints."""

import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from taskcodec.cli.options import SplitOption
from taskcodec.cli.output import progress_bar, show, tell
from taskcodec.errors import UsageError
from taskcodec.words import counted

if TYPE_CHECKING:
    from taskcodec.evaluation.benchmark.run import Outcome
    from taskcodec.evaluation.rates.curves import Cell

EXAMPLE = "Example: taskcodec benchmark photos/ birds/ --out measured/ --fit-on others/"
SHOWN_RATES = (128.0, 256.0, 512.0, 1024.0)


def benchmark(
    places: Annotated[
        list[str],
        typer.Argument(
            help="Labelled folders (train/CLASS and test/CLASS, or CLASS), or .npz, .npy, .parquet features"
        ),
    ],
    out: Annotated[str, typer.Option("--out", "-o", help="Folder for results.json, report.html, plots and the cache")],
    codecs: Annotated[
        str | None,
        typer.Option("--codecs", help="Names, all, FILE.codec, or MODULE:FUNCTION (runs your code); comma-separated"),
    ] = None,
    rates: Annotated[str | None, typer.Option("--rates", help="Bits a sample, comma-separated")] = None,
    regime: Annotated[str, typer.Option("--regime", help="zero-shot, fitted, or both")] = "zero-shot,fitted",
    fit_on: Annotated[
        str | None, typer.Option("--fit-on", help="Other images (or features) that zero-shot codecs are fitted on")
    ] = None,
    backbone: Annotated[str, typer.Option("--backbone", help="What makes the features, as for `encode`")] = "lite0",
    labels: Annotated[
        list[str] | None, typer.Option("--labels", help="FILE.csv:COLUMN, tasks instead of the folders'; repeat")
    ] = None,
    groups: Annotated[
        list[str] | None, typer.Option("--groups", help="FILE.csv:COLUMN; samples of one value stay together; repeat")
    ] = None,
    split: SplitOption = "auto",
    folds: Annotated[int, typer.Option("--folds", help="Parts of a set without train/ and test/", min=2, max=20)] = 3,
    seed: Annotated[int, typer.Option("--seed", help="Of the folds and of thinning", min=0, max=2**31)] = 0,
    samples: Annotated[int, typer.Option("--samples", help="The most of a set; it bounds memory", min=20)] = 10_000,
    probe: Annotated[str, typer.Option("--probe", help="ridge or logistic")] = "ridge",
    jobs: Annotated[int | None, typer.Option("--jobs", help="Processes; default: one a core", min=1)] = None,
    json_: Annotated[bool, typer.Option("--json", help="Print the rows of results.json")] = False,
) -> None:
    """Measure rate against accuracy: ours, feature codecs, pixel codecs and yours, on your own labelled data."""
    from taskcodec.api.benchmark import benchmark as run
    from taskcodec.evaluation.benchmark.run import BenchmarkPlan
    from taskcodec.evaluation.rates.curves import as_records
    from taskcodec.evaluation.report.panels import caveats

    plan = BenchmarkPlan(
        _listed(codecs), _numbers(rates), _listed(regime), backbone, fit_on, tuple(labels or ()), tuple(groups or ()),
        cast("Any", split), folds, seed, samples, cast("Any", probe),
    )  # fmt: skip
    outcome = run(places, out, plan, jobs=jobs, bars=progress_bar, command=["taskcodec", *sys.argv[1:]])
    doubts = caveats(outcome.rows)
    tell((*outcome.notes, *(doubts if json_ else ())))
    lines = [
        *lines_of(outcome, plan.rates or SHOWN_RATES),
        *_factor_lines(outcome),
        *_number_lines(outcome, plan.rates or SHOWN_RATES),
        *([""] if doubts else []),
        *doubts,
        "",
        f"report: {Path(out) / 'report.html'}",
    ]
    show(as_records(outcome.rows), json_, lines)


def lines_of(outcome: "Outcome", rates: tuple[float, ...]) -> list[str]:
    """A table for each regime: mean accuracy of each codec at the rates, in per cent."""
    from taskcodec.evaluation.rates.curves import table

    lines = []
    for found in outcome.record["sets"]:
        tasks = ", ".join(
            f"{name} ({counted(classes, 'class', 'classes')})" if classes else name
            for name, classes in found["tasks"].items()
        )
        lines.append(f"{found['name']}: {counted(found['samples'], 'sample')}, {tasks}, {found['split']}")
    raw = outcome.raw.accuracies
    if not raw:
        return lines
    mean = sum(scores.value for scores in raw) / len(raw)
    cells = table(outcome.complete, outcome.raw, rates)
    lines += [
        "",
        f"accuracy in %, mean over tasks (between measured settings: interpolated); raw features: {100 * mean:.2f}",
    ]
    for regime in dict.fromkeys(cell.regime for cell in cells):
        here = [cell for cell in cells if cell.regime == regime]
        swept = [cell for cell in here if cell.rate_bits in rates]
        names = list(dict.fromkeys(cell.codec for cell in swept))
        if names:
            lines += ["", f"{regime:<32}" + "".join(f"{f'{rate:g} bits':>12}" for rate in rates)]
        lines += [_line(name, [cell for cell in swept if cell.codec == name], rates) for name in names]
        lines += [""] * (not names)
        lines += [
            f"{cell.codec:<32}{_percent(cell):>12} at {cell.rate_bits:,.0f} bits ({regime})"
            for cell in here
            if cell.codec not in names
        ]
    return lines + _swept_lines(outcome, rates)


def _swept_lines(outcome: "Outcome", rates: tuple[float, ...]) -> list[str]:
    """A line for each codec whose settings all lie on one side of the table's rates: from its cheapest to its best."""
    from taskcodec.evaluation.rates.curves import curve

    lines = []
    for regime, codec in dict.fromkeys((point.regime, point.codec) for point in outcome.complete):
        line = curve(outcome.complete, regime, codec)
        if len(line) > 1 and (line[0].mean_bits > max(rates) or line[-1].mean_bits < min(rates)):
            ends = (line[0], line[-1])
            values = [100 * math.fsum(s.value for s in p.accuracies) / len(p.accuracies) for p in ends]
            lines.append(
                f"{codec:<32}{values[0]:>12.2f} at {ends[0].mean_bits:,.0f} bits, "
                f"{values[1]:.2f} at {ends[1].mean_bits:,.0f} ({regime})"
            )
    return lines


def _factor_lines(outcome: "Outcome") -> list[str]:
    """By what factor ours is smaller than each peer at equal value of the first task, or of the mean over tasks."""
    from taskcodec.evaluation.report.panels import groups_of, headline_point, match

    lines = []
    group = groups_of(outcome.rows)[0]
    for panel in group.panels:
        point = headline_point(panel, group.higher_is_better)
        if point is None or not panel.peers:
            continue
        lines += ["", f"{panel.regime}: ours at {point.rate_bits:,.0f} bits ({point.value:.4g} {group.metric}) against"]
        for series, share in match(panel, point, group.higher_is_better).peers:
            if share.value is None:
                lines.append(f"{series.name:<32}{'-':>12} never as good in its sweep")
                continue
            most, high = "<= " * share.needed.at_most, "more" if share.high is None else _times(share.high)
            low = "less" if share.low is None else _times(share.low)
            lines.append(f"{series.name:<32}{most + _times(share.value):>12} times the bits [{low} to {high}]")
    return lines


def _number_lines(outcome: "Outcome", rates: tuple[float, ...]) -> list[str]:
    """A table for each task of another metric than accuracy (numbers: R2): the best of each codec in so many bits."""
    from taskcodec.evaluation.rates.matched import RATE_SLACK, within_budget
    from taskcodec.evaluation.report.panels import groups_of

    lines = []
    for group in (group for group in groups_of(outcome.rows) if group.metric != "accuracy"):
        for panel in group.panels:
            raw = "" if panel.raw is None else f"; raw features: {panel.raw:.3f}"
            lines += ["", f"{group.title}, {group.metric} (interpolated likewise){raw}"]
            lines += [f"{panel.regime:<32}" + "".join(f"{f'{rate:g} bits':>12}" for rate in rates)]
            for series in panel.series:
                found = [within_budget(series.points, RATE_SLACK * rate, group.higher_is_better) for rate in rates]
                cells = (f"{'' if point is None else f'{point.value:.3f}':>12}" for point in found)
                lines += [f"{series.name:<32}" + "".join(cells)] if any(found) else []
    return lines


def _line(name: str, cells: "list[Cell]", rates: tuple[float, ...]) -> str:
    found = {cell.rate_bits: cell for cell in cells}
    return f"{name:<32}" + "".join(f"{_percent(found[rate]) if rate in found else '':>12}" for rate in rates)


def _percent(cell: "Cell") -> str:
    return f"{100 * cell.accuracy.value:.2f}"


def _times(factor: float) -> str:
    return f"{factor:,.1f}" if factor < 10 else f"{factor:,.0f}"


def _listed(text: str | None) -> tuple[str, ...]:
    return tuple(part.strip() for part in (text or "").split(",") if part.strip())


def _numbers(text: str | None) -> tuple[float, ...]:
    try:
        return tuple(dict.fromkeys(float(part) for part in _listed(text)))
    except ValueError as error:
        raise UsageError(f"--rates {text}: numbers of bits, comma-separated ({error})") from error
