"""`taskcodec demo`: parses, calls `taskcodec.cli.demonstration.run_demo`, prints."""

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from taskcodec.cli.output import JsonOption, progress_bar, show
from taskcodec.words import human_bytes

EXAMPLE = "Example: taskcodec demo"


def demo(
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Folder to keep what it makes")] = None,
    json_: JsonOption = False,
) -> None:
    """Encode real handwritten digits, train a predictor on what is decoded, and compare."""
    from taskcodec.cli.demonstration import run_demo

    folder = output or Path(tempfile.mkdtemp(prefix="taskcodec-demo-"))
    folder.mkdir(parents=True, exist_ok=True)
    with progress_bar("digits") as report:
        result = run_demo(folder, report)
    lines = [
        f"{result.samples} handwritten digits through a codec fitted to them",
        f"  source files      {human_bytes(result.source_bytes):>10}   (8 x 8 pixels each: tiny to begin with)",
        f"  raw features      {human_bytes(result.feature_bytes):>10}",
        f"  codes             {human_bytes(result.code_bytes):>10}   {result.bits_per_sample:.0f} bits a digit, "
        f"{result.feature_bytes / result.code_bytes:.0f}x less than raw features",
        f"  whole store       {human_bytes(result.store_bytes):>10}",
        "a predictor trained on 600, tested on 400 (95 % interval)",
        f"  raw features      {_percent(result.raw_accuracy, result.raw_interval)}  {_bar(result.raw_accuracy)}",
        f"  decoded features  {_percent(result.decoded_accuracy, result.decoded_interval)}  "
        + _bar(result.decoded_accuracy),
        f"drawn in {result.plot}, the store is {result.store}",
    ]
    show(result, json_, lines)


def _bar(share: float) -> str:
    return "#" * round(40 * share)


def _percent(value: float, interval: tuple[float, float]) -> str:
    return f"{100 * value:5.1f} % [{100 * interval[0]:.1f}, {100 * interval[1]:.1f}]"
