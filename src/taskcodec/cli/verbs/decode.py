"""`taskcodec decode`."""

from pathlib import Path
from typing import Annotated

import typer

from taskcodec.cli.options import StoreArgument
from taskcodec.cli.output import JsonOption, progress_bar, show

EXAMPLE = "Example: taskcodec decode photos.tcz -o photos.npy"


def decode(
    store: StoreArgument,
    output: Annotated[Path, typer.Option("-o", "--output", help="A .npy or .parquet file")],
    json_: JsonOption = False,
) -> None:
    """Decode a store to features."""
    from taskcodec.api.decode import decode_to_file

    with progress_bar("decoding") as report:
        opened = decode_to_file(store, output, report)
    result = {"samples": len(opened), "dimension": opened.manifest.dimension, "output": str(output)}
    show(result, json_, [f"{output}: {len(opened)} x {opened.manifest.dimension} features"])
