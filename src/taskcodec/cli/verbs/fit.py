"""`taskcodec fit`."""

from pathlib import Path
from typing import Annotated

import typer

from taskcodec.cli.describe import codec_info, codec_lines
from taskcodec.cli.options import (
    BackboneOption,
    BitsOption,
    DeviceOption,
    EffortOption,
    EngineOption,
    LabelsOption,
    SourceArgument,
    TruncatedOption,
    WorkersOption,
)
from taskcodec.cli.output import JsonOption, progress_bar, show, tell
from taskcodec.errors import UsageError

EXAMPLE = "Example: taskcodec fit photos/ -o photos.codec --bits 500"


def fit(
    source: SourceArgument,
    output: Annotated[Path, typer.Option("-o", "--output", help="The codec's file")],
    backbone: BackboneOption = None,
    bits: BitsOption = None,
    step: Annotated[float | None, typer.Option("--step", help="Quantization step instead of a rate")] = None,
    tolerance: Annotated[
        float | None,
        typer.Option("--tolerance", help="Cheapest of 8 to 4096 bits that loses at most so many points (needs labels)"),
    ] = None,
    labels: LabelsOption = None,
    kind: Annotated[
        str | None, typer.Option("--kind", help="What they are: classification or regression; default: as they look")
    ] = None,
    method: Annotated[
        str | None, typer.Option(help="bottleneck or dimensionwise; default: by the number of samples and the rate")
    ] = None,
    views: Annotated[
        bool, typer.Option("--views", help="Spend few bits on what crops, mirroring and colours change in these images")
    ] = False,
    lossless: Annotated[
        bool,
        typer.Option("--lossless", help="A codec that gives back the very values, of small pictures or tables"),
    ] = False,
    model: Annotated[str | None, typer.Option("--model", help="Of --lossless: how values are modelled")] = None,
    probe: Annotated[
        str | None,
        typer.Option("--probe", help="FILE.npy of (features, outputs) weights: keep what this linear probe says"),
    ] = None,
    truncated: TruncatedOption = "keep",
    effort: EffortOption = 1,
    device: DeviceOption = None,
    engine: EngineOption = "local",
    workers: WorkersOption = None,
    json_: JsonOption = False,
) -> None:
    """Fit a codec to a collection, without labels, in closed form; or a lossless one."""
    from taskcodec.api.fit import FitOptions, fit_source
    from taskcodec.api.lossless import LosslessOptions, fit_source_lossless
    from taskcodec.data.tabular.files import is_table
    from taskcodec.engines.outputs import check_output

    check_output(source, output, "codec")
    options = FitOptions(backbone, bits, step, tolerance, labels, kind, method, views, truncated, device, effort, probe)
    if model is not None and not lossless:
        raise UsageError("--model goes with --lossless: give both")
    if lossless and (options, engine, workers) != (FitOptions(), "local", None):
        raise UsageError("--lossless goes with --model alone: its rate is what the values take")
    with progress_bar("fitting") as report:
        if lossless and is_table(source):
            if model is not None:
                raise UsageError("--model: rows of a table have one model; leave it out")
            from taskcodec.api.tables import fit_table_file

            found = fit_table_file(source, report)
        elif lossless:
            found = fit_source_lossless(source, LosslessOptions(model), report)
        else:
            found = fit_source(source, options, engine=engine, workers=workers, progress=report)
    tell(found.notes)
    found.codec.save(output)
    show(codec_info(str(output), found.codec), json_, codec_lines(str(output), found.codec))
