"""`taskcodec usable`: parses, calls `taskcodec.usable`, prints."""

from typing import TYPE_CHECKING, Annotated, cast

import typer

from taskcodec.cli.options import DeviceOption, FoldsOption, GroupsOption, RepeatsOption, SeedOption, SplitOption
from taskcodec.cli.output import JsonOption, progress_bar, show, tell
from taskcodec.words import counted

if TYPE_CHECKING:
    from taskcodec.evaluation.tasks.holdout import Splitting
    from taskcodec.evaluation.usable.of_store import UsableRow

EXAMPLE = "Example: taskcodec usable photos.tcz --labels labels.csv:species"


def usable(
    place: Annotated[str, typer.Argument(help="A store; or a codec's file, with --source")],
    source: Annotated[str | None, typer.Option("--source", help="Of a codec: images or vectors for it to code")] = None,
    labels: Annotated[
        list[str] | None,
        typer.Option("--labels", help="FILE.csv (a target for each column) or FILE.csv:COLUMN; repeat"),
    ] = None,
    kind: Annotated[
        list[str] | None,
        typer.Option("--kind", help="classification, multilabel or regression; or COLUMN=KIND; repeat"),
    ] = None,
    layer: Annotated[
        list[str] | None, typer.Option("--layer", help="A layer to look at; all by default; repeat")
    ] = None,
    families: Annotated[str, typer.Option("--families", help="Of predictors: linear, mlp")] = "linear,mlp",
    groups: GroupsOption = None,
    split: SplitOption = "auto",
    folds: FoldsOption = 5,
    repeats: RepeatsOption = 1,
    seed: SeedOption = 0,
    device: DeviceOption = None,
    json_: JsonOption = False,
) -> None:
    """Say how much of a target a restricted family of predictors can use of each layer, in bits."""
    from taskcodec.evaluation.usable.of_store import UsablePlan
    from taskcodec.evaluation.usable.of_store import usable as run

    plan = UsablePlan(
        cast("Splitting", split),
        folds,
        repeats,
        seed,
        tuple(families.split(",")),
        tuple(layer or ()),
        tuple(kind or ()),
        groups,
        device,
    )
    with progress_bar("usable") as report:
        found = run(place, source=source, labels=labels or (), plan=plan, progress=report)
    tell(found.notes)
    show(found, json_, [line_of(row) for row in found.rows])


def line_of(row: "UsableRow") -> str:
    """One line, such as `label, layer base (290.1 bits), linear: 3.1 [2.9, 3.3] of 3.3 bits`."""
    usable, of = row.usable_bits, "" if row.kind == "regression" else f" of {row.entropy_bits:.3f}"
    return (
        f"{row.target}, layer {row.layer} ({row.rate_bits:,.1f} bits a sample), {row.family}: "
        f"{usable.value:.3f} [{usable.low:.3f}, {usable.high:.3f}]{of} bits usable, {counted(row.samples, 'sample')}"
    )
