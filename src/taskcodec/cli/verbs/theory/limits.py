"""`taskcodec limits`: parses, calls `taskcodec.limits` or `taskcodec.task_limits`, prints."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from taskcodec.cli.options import BackboneOption, DeviceOption, EffortOption
from taskcodec.cli.output import JsonOption, progress_bar, show, tell
from taskcodec.errors import UsageError
from taskcodec.words import counted

if TYPE_CHECKING:
    from taskcodec.evaluation.limits.of_features import LimitPoint, Limits
    from taskcodec.evaluation.limits.of_tasks import TaskLimits, TaskPoint

EXAMPLE = "Example: taskcodec limits photos/ --bits 128,512 -o limits/"


def limits(
    source: Annotated[str, typer.Argument(help="Folder of images, list, shards, .npy or .parquet; or a store")],
    bits: Annotated[
        str | None, typer.Option("--bits", help="Rates of the codecs, bits a sample: 128,256,512,1024")
    ] = None,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Folder for limits.json and limits.svg")] = None,
    of: Annotated[str | None, typer.Option("--source", help="Of a store: what it was encoded from")] = None,
    raw: Annotated[str | None, typer.Option("--raw", help="Of a store: its raw features (.npy)")] = None,
    task: Annotated[
        bool,
        typer.Option("--task", help="Instead of squared errors: log loss of classes, those of folders or --labels"),
    ] = False,
    labels: Annotated[
        str | None, typer.Option("--labels", help="With --task: FILE.csv or FILE.csv:COLUMN, classes to predict")
    ] = None,
    companded: Annotated[
        bool, typer.Option("--companded", help="Errors of square roots, where codecs take them (features from 0 up)")
    ] = False,
    least_error: Annotated[
        bool, typer.Option("--least-error", help="Codecs for the squared error alone, not for predictors")
    ] = False,
    effort: EffortOption = 1,
    peers: Annotated[
        bool, typer.Option("--peers/--no-peers", help="Hold other ways to store vectors against the bound too")
    ] = True,
    backbone: BackboneOption = None,
    seed: Annotated[int, typer.Option("--seed", help="Of the split", min=0, max=2**31)] = 0,
    device: DeviceOption = None,
    json_: JsonOption = False,
) -> None:
    """Say how few bits could do at an error, by the best known bound, and how far our codecs are from it."""
    from taskcodec.api.limits import limits as limits_of
    from taskcodec.api.limits import task_limits, write_limits
    from taskcodec.evaluation.limits.of_features import LimitsPlan

    plan = LimitsPlan(_rates(bits), companded, least_error, backbone, device, seed, effort, peers)
    if labels is not None and not task:
        raise UsageError("--labels goes with --task: squared errors have no use for classes")
    if task and companded:
        raise UsageError("--companded is of squared errors: it goes without --task")
    found: Limits | TaskLimits
    with progress_bar("limits") as report:
        if task:
            found = task_limits(source, labels=labels, of=of, raw=raw, plan=plan, progress=report)
            lines = lines_of_task(found)
        else:
            found = limits_of(source, of=of, raw=raw, plan=plan, progress=report)
            lines = lines_of(found)
    if output is not None:
        write_limits(found, output)
    tell(found.notes)
    show(found, json_, lines)
    if not found.points:
        raise typer.Exit(1)


def _rates(given: str | None) -> tuple[float, ...]:
    """ "128,512" -> (128.0, 512.0). Raises UsageError."""
    try:
        return tuple(float(part) for part in given.split(",")) if given is not None else ()
    except ValueError as error:
        raise UsageError(f"--bits: rates are numbers with commas between, as 128,512; found {given}") from error


def lines_of(found: "Limits") -> list[str]:
    """What was done, then a line for each codec."""
    lines = [
        f"{found.name}: {counted(found.samples, 'sample')} of {counted(found.dimension, 'feature')}; errors are "
        f"sums of squares of {found.errors_of}, {found.variance:.4g} at no bits",
        f"  {found.method}",
        f"  {found.lower}",
    ]
    for point in found.points:
        lines += _lines(point)
    lines += ["  others, at their errors:"] * bool(found.peers)
    return [*lines, *(_peer_line(point) for point in found.peers)]


def _share(point: "LimitPoint") -> str:
    return "" if point.above_percent is None else f", {point.above_percent:+.1f} %"


def _peer_line(point: "LimitPoint") -> str:
    return (
        f"    at error {point.distortion:.4g}: {point.codec_bits:.1f} bits ({point.codec}), {point.above_bits:.1f} +- "
        f"{point.above_error_bits:.1f} bits{_share(point)}, above {point.rate_upper_bits:.1f}"
    )


def _lines(point: "LimitPoint") -> list[str]:
    name, share = _name(point.codec, point.asked_bits), _share(point)
    granular = ""
    if point.granular_bits is not None:
        granular = f"; {point.granular_bits:.1f} bits of the distance are granular loss (cubic cells)"
    return [
        f"  at error {point.distortion:.4g}: {point.codec_bits:.1f} bits ({name}), {point.above_bits:.1f} +- "
        f"{point.above_error_bits:.1f} bits{share}, above the best known bound",
        f"    the bound is {point.rate_upper_bits:.1f} +- {point.rate_upper_error_bits:.1f} bits ({point.method})"
        f"{_at_least(point)}{granular}",
    ]


def _at_least(point: "LimitPoint | TaskPoint") -> str:
    if not point.rate_lower_bits:
        return ""
    return f", at least {point.rate_lower_bits:.2f} +- {point.rate_lower_error_bits:.2f}"


def lines_of_task(found: "TaskLimits") -> list[str]:
    """What was done, then a line for each codec."""
    return [
        f"{found.name}: {counted(found.samples, 'sample')} of {counted(found.classes, 'class', 'classes')}; a ridge "
        f"on raw features has a log loss of {found.log_loss_bits:.3f} bits, and knows "
        f"{found.information_bits:.3f} bits of the class",
        f"  {found.method}",
        *map(_task_line, found.points),
        *["  others:"] * bool(found.peers),
        *(f"  {_task_line(point)}" for point in found.peers),
    ]


def _task_line(point: "TaskPoint") -> str:
    name = _name(point.codec, point.asked_bits)
    excess = f"{point.distortion:.3f} +- {point.distortion_error_bits:.3f}"
    loss = f"  {point.codec_bits:.1f} bits ({name}) lose {excess} bits"
    if point.rate_upper_bits is None:
        return f"{loss} of log loss; no bound so near was found{_at_least(point)}"
    return (
        f"{loss} of log loss; {point.rate_upper_bits:.2f} +- {point.rate_upper_error_bits:.2f} bits would do for this "
        f"task alone{_at_least(point)}"
    )


def _name(codec: str, asked: float | None) -> str:
    """What a codec is called."""
    return {"store": "the store's codec", "fitted": f"fitted to {asked or 0:g} bits"}.get(codec, codec)
