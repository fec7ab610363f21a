"""`taskcodec decode`."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from taskcodec import open as open_store
from taskcodec.atomic import replacing
from taskcodec.cli.options import StoreArgument
from taskcodec.cli.output import JsonOption, progress_bar, show
from taskcodec.engines.encode.local import Features, Progress
from taskcodec.engines.encode.npy import write_npy
from taskcodec.errors import SourceError, UsageError
from taskcodec.store import Store

EXAMPLE = "Example: taskcodec decode photos.tcz -o photos.npy"


def decode(
    store: StoreArgument,
    output: Annotated[Path, typer.Option("-o", "--output", help="A .npy or .parquet file")],
    json_: JsonOption = False,
) -> None:
    """Decode a store to features."""
    from taskcodec.engines.outputs import check_output

    opened = open_store(store)
    if opened.manifest.state != "complete":
        raise SourceError(f"{store}: unfinished; run the same encode command again to resume it")
    kind = output.suffix[1:].lower()
    if kind not in ("npy", "parquet"):
        raise UsageError(f"{output}: features are written to a .npy or a .parquet file")
    check_output(store, output, kind)
    with progress_bar("decoding") as report:
        if kind == "npy":
            with replacing(output) as temporary:
                write_npy(temporary, _reported(opened, report), opened.manifest.dimension)
        else:
            opened.to_parquet(output)
    result = {"samples": len(opened), "dimension": opened.manifest.dimension, "output": str(output)}
    show(result, json_, [f"{output}: {len(opened)} x {opened.manifest.dimension} features"])


def _reported(store: Store, report: Progress) -> Iterator[Features]:
    done = 0
    for batch in store.batches():
        yield batch
        done += len(batch)
        report(done, len(store))
