"""`taskcodec evaluate`: parses, calls `taskcodec.evaluation.survival.of_store.evaluate`, prints."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, cast

import typer

from taskcodec.cli.options import FoldsOption, GroupsOption, RepeatsOption, SeedOption, SplitOption
from taskcodec.cli.output import progress_bar, show, tell
from taskcodec.errors import UsageError
from taskcodec.words import counted

if TYPE_CHECKING:
    from taskcodec.evaluation.certificate.of_store import Certificate
    from taskcodec.evaluation.scores.intervals import Interval
    from taskcodec.evaluation.survival.of_features import JudgedRow
    from taskcodec.evaluation.survival.of_store import Evaluation
    from taskcodec.evaluation.survival.unlabelled import Kept
    from taskcodec.evaluation.tasks.holdout import Splitting

EXAMPLE = "Example: taskcodec evaluate photos.tcz --source photos/"
BAR = 31
"""Characters of a drawn interval."""
SHOWN_DELTAS = 3.0
"""A drawn interval's axis ends at this many deltas on both sides."""


def evaluate(
    place: Annotated[
        str, typer.Argument(help="Store; or folder of images, .npy or .parquet, encoded first as `encode` does")
    ],
    labels: Annotated[
        list[str] | None, typer.Option("--labels", help="FILE.csv (a task for each column) or FILE.csv:COLUMN; repeat")
    ] = None,
    kind: Annotated[
        list[str] | None,
        typer.Option("--kind", help="classification, multilabel or regression; or COLUMN=KIND; repeat"),
    ] = None,
    raw: Annotated[str | None, typer.Option("--raw", help="Raw features of a store, from `taskcodec features`")] = None,
    source: Annotated[str | None, typer.Option("--source", "--images", help="What the store was encoded from")] = None,
    cache: Annotated[str | None, typer.Option("--cache", help="Folder for computed raw features")] = None,
    groups: GroupsOption = None,
    split: SplitOption = "auto",
    folds: FoldsOption = 5,
    repeats: RepeatsOption = 2,
    seed: SeedOption = 0,
    predictors: Annotated[
        str, typer.Option("--predictors", help="quick (ridge,knn), all, or names: ridge,knn,logistic,svm,boosting,mlp")
    ] = "quick",
    delta: Annotated[
        list[str] | None,
        typer.Option("--delta", help="Loss that counts as none: points, or METRIC=VALUE in its unit; repeat"),
    ] = None,
    certificate: Annotated[
        bool, typer.Option("--certificate", help="Bound what ANY task that ignores the augmentations loses")
    ] = False,
    augmentations: Annotated[
        str | None,
        typer.Option("--augmentations", help="With --certificate: mirror, mild, medium, strong, mnist, crops, simclr"),
    ] = None,
    views: Annotated[
        str | None, typer.Option("--views", help="With --certificate: own views as a .npy file (views, samples, d)")
    ] = None,
    pairs: Annotated[
        int | None,
        typer.Option("--pairs", help="With --certificate --source: fresh views to test on", min=2, max=10**7),
    ] = None,
    codec: Annotated[
        str | None, typer.Option("--codec", help="Of a store of a learned codec: its file, where it was moved since")
    ] = None,
    device: Annotated[str | None, typer.Option("--device", help="cpu, cuda, ...")] = None,
    json_: Annotated[bool, typer.Option("--json", help="Print JSON")] = False,
) -> None:
    """Say whether prediction survives: predictors on decoded against raw features, with intervals and a verdict."""
    from taskcodec.engines.encode.sources import check_device

    check_device(device)
    given = {"--augmentations": augmentations, "--views": views, "--pairs": pairs}
    if certificate:
        if labels or kind or raw or groups or delta:
            raise UsageError("--certificate covers all tasks: it takes no --labels, --kind, --raw, --groups or --delta")
        from taskcodec.evaluation.certificate.of_store import CertificatePlan, certify

        certificate_plan = CertificatePlan(augmentations, pairs, seed, device, codec)
        with progress_bar("views") as report:
            certified = certify(place, source=source, views=views, plan=certificate_plan, progress=report)
        tell(certified.notes)
        return show(certified.certificate, json_, certificate_lines(place, certified.certificate))
    for flag in (flag for flag, value in given.items() if value is not None):
        raise UsageError(f"{flag} goes with --certificate")
    from taskcodec.evaluation.predictors.families import FAMILIES, QUICK
    from taskcodec.evaluation.predictors.metrics import deltas
    from taskcodec.evaluation.survival.of_store import StorePlan
    from taskcodec.evaluation.survival.of_store import evaluate as run

    sets = {"quick": QUICK, "all": tuple(FAMILIES)}
    names = sets.get(predictors) or tuple(name.strip() for name in predictors.split(","))
    plan = StorePlan(
        cast("Splitting", split), folds, repeats, seed, names, deltas(delta or []), kind or [], groups, cache, device,
        codec,
    )  # fmt: skip
    with progress_bar("evaluating") as report:
        result = run(place, source=source, raw=raw, labels=labels or [], plan=plan, progress=report)
    tell(result.notes if json_ else ())
    # Always a list: a record for each row, with what holds of the whole store in each; without labels that alone.
    whole = {"name": result.name, "bits_per_sample": result.bits_per_sample, **asdict(result.kept)}
    records = [{**whole, **asdict(row)} for row in result.rows] or [{**whole, "samples": result.samples}]
    show(records, json_, lines_of(result))


def certificate_lines(place: str, certificate: "Certificate") -> list[str]:
    """The number first, then what it rests on."""
    bound, sure = certificate.excess_risk_bound_bits, 100 * certificate.confidence
    return [
        f"{place}: no task that ignores the augmentations loses more than {bound:.3g} bits ({sure:g} % confidence)",
        f"  estimate       {certificate.estimate_bits:.3g} bits; a codec that keeps nothing: up to "
        f"{certificate.ceiling_bits:.2f}",
        f"  tested         {counted(certificate.views, 'view')} of {counted(certificate.samples, 'sample')}; "
        f"{100 * certificate.top1:.2f} % are nearest to their own",
        f"  as stored      {certificate.as_stored_bits:.3g} bits (counted)",
        f"  augmentations  {certificate.strength}: {certificate.augmentations}",
        "  conditions",
        *(f"  - {condition}" for condition in certificate.conditions),
    ]


def lines_of(result: "Evaluation") -> list[str]:
    """What needs no labels, then a table for each task, its headline first, and what the columns mean."""
    from taskcodec.evaluation.survival.of_features import headlines

    rows = result.rows
    lines = [f"{result.name}: {result.bits_per_sample:,.1f} bits a sample (real bytes)"]
    lines += [*(f"  {note}" for note in result.notes), *_kept_lines(result.kept)]
    if not rows:
        return lines
    for task in dict.fromkeys(row.task for row in rows):
        own = [row for row in rows if row.task == task]
        lines += ["", f"{task}: {own[0].kind}, {counted(own[0].samples, 'sample')}, {own[0].split}"]
        lines.append(f"  {'predictor':<10} {'metric':<15} {'raw':>8} {'decoded':>8}   {_axis()}  decoded - raw [95 %]")
        for row in own:
            ends = (row.difference, row.difference_low, row.difference_high)
            change, low, high = (_short(_scale(row) * end, "+") for end in ends)
            values = f"{_value(row.raw_value, row):>8} {_value(row.value, row):>8}"
            lines.append(
                f"  {row.probe:<10} {row.metric:<15} {values}   {_bar(row)}  {change} [{low}, {high}] {row.unit}"
            )
            lines.append(f"  {'':<10} {row.words}")
    lines += [
        "",
        f"bars: loss of decoded features with its interval; 0 at |, delta at !, {SHOWN_DELTAS:g} deltas at the ends",
    ]
    lines += [f"{row.task}: {row.words} ({row.metric}, {row.probe})" for row in headlines(rows)]
    return lines


def _kept_lines(kept: "Kept") -> list[str]:
    recall = kept.recall_at_10
    if recall is None:
        found = "too few samples to tell"
    else:
        found = (
            f"{_share(recall.cosine)} by cosine, {_share(recall.l2)} by L2: of the 10 nearest by raw features, those "
            f"among the 10 nearest decoded ({recall.queries:,} raw queries)"
        )
    variance = "nothing varies" if kept.variance_kept is None else f"{100 * kept.variance_kept:.1f} %"
    cosine = "all are zero" if kept.mean_cosine is None else f"{kept.mean_cosine:.4f}"
    return [f"  recall@10      {found}", f"  variance kept  {variance}", f"  mean cosine    {cosine}"]


def _share(found: "Interval") -> str:
    return f"{100 * found.value:.1f} % [{100 * found.low:.1f}, {100 * found.high:.1f}]"


def _scale(row: "JudgedRow") -> float:
    return 100.0 if row.unit == "points" else 1.0


def _value(value: float, row: "JudgedRow") -> str:
    return f"{100 * value:.1f} %" if row.unit == "points" else _short(value)


def _short(value: float, sign: str = "") -> str:
    """Three digits, or all before the point."""
    return f"{value:{sign},.0f}" if abs(value) >= 1000 else f"{value:{sign}.3g}"


def _place(loss: float, delta: float) -> int:
    share = (loss / delta / SHOWN_DELTAS + 1) / 2
    return round(min(max(share, 0.0), 1.0) * (BAR - 1))


def _axis() -> str:
    return "".join("|" if i == _place(0, 1) else "!" if i == _place(1, 1) else " " for i in range(BAR))


def _bar(row: "JudgedRow") -> str:
    """The loss `o` in its interval `-` on an axis of deltas, more loss to the right; `<`, `>`: it goes on."""
    turned = -1 if row.higher_is_better else 1
    ends = sorted((turned * row.difference_low, turned * row.difference_high))
    low, middle, high = (_place(loss, row.delta) for loss in (ends[0], turned * row.difference, ends[1]))
    drawn = list(_axis())
    drawn[low : high + 1] = "-" * (high + 1 - low)
    for at, mark in ((_place(0, 1), "|"), (_place(1, 1), "!")):
        drawn[at] = mark
    drawn[middle] = "o"
    if ends[0] < -SHOWN_DELTAS * row.delta:
        drawn[0] = "<"
    if ends[1] > SHOWN_DELTAS * row.delta:
        drawn[-1] = ">"
    return "".join(drawn)
