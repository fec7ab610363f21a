"""`taskcodec train`: parses, calls `taskcodec.engines.train.job.train_all`, prints."""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from taskcodec.cli.exit_codes import UNFINISHED
from taskcodec.cli.output import printable, progress_bar, show
from taskcodec.errors import UsageError
from taskcodec.words import counted

EXAMPLE = "Example: taskcodec train configs/banana.yaml -o banana.codec"


def train(
    config: Annotated[str, typer.Argument(help="YAML file; ready ones are in configs/")],
    output: Annotated[
        Path, typer.Option("-o", "--output", help="The codec's file; with several betas, of their names")
    ],
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the last checkpoint")] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Begin anew where a codec or a training lies there")
    ] = False,
    beta: Annotated[
        list[float] | None, typer.Option("--beta", help="Instead of the file's; repeat for a sweep")
    ] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="Instead of the file's", min=0)] = None,
    minutes: Annotated[
        float | None, typer.Option("--minutes", help="Stop each training at its first checkpoint after so long")
    ] = None,
    jobs: Annotated[
        int | None, typer.Option("--jobs", help="Trainings side by side; default: all on a GPU, else 1", min=1)
    ] = None,
    json_: Annotated[bool, typer.Option("--json", help="Print JSON")] = False,
) -> None:
    """Train a codec by gradients: a codec file for each beta."""
    if minutes is not None and not minutes >= 0:
        raise UsageError(f"--minutes must be at least 0, found {minutes:g}")
    from taskcodec.engines.train.config import read_config
    from taskcodec.engines.train.job import TrainOptions, is_first_process, train_all

    checked = read_config(config, beta or (), seed)
    with progress_bar("training") as report:
        seconds = None if minutes is None else 60 * minutes
        points = train_all(checked, output, TrainOptions(resume, overwrite, seconds, jobs), report)
    if not is_first_process():
        return
    if (left_out := points[0].left_out) is not None:
        words = (
            f"{counted(left_out.count, 'sample was', 'samples were')} left out; the first: "
            f"{left_out.first} ({left_out.reason})"
        )
        print(printable(f"taskcodec: {words}"), file=sys.stderr)
    lines = []
    for point in points:
        words = point.codec if point.beta is None else f"{point.codec}: beta {point.beta:g}"
        if point.fingerprint is None:
            lines.append(f"{words}, stopped after {point.step} of {counted(point.steps, 'step')}: --resume goes on")
        elif point.beta is None:
            lines.append(f"{words}: the codec with a second synthesis; its pictures take the bytes that they took")
        else:
            lines.append(
                f"{words}, {point.trained_bits:.2f} bits a sample by its entropy model, on the samples as they are"
            )
    show([asdict(point) for point in points], json_, lines)
    if any(point.fingerprint is None for point in points):
        raise typer.Exit(UNFINISHED)
