"""`taskcodec decode`."""

from pathlib import Path
from typing import Annotated

import typer

from taskcodec.cli.options import ElsewhereOption, StoreArgument
from taskcodec.cli.output import JsonOption, progress_bar, show
from taskcodec.errors import UsageError
from taskcodec.words import counted, few

EXAMPLE = "Example: taskcodec decode photos.tcz -o photos.npy"
_TOLD = 10
"""Damaged files that have a line each."""


def decode(
    store: StoreArgument,
    output: Annotated[
        Path,
        typer.Option("-o", "--output", help="A .npy, .parquet or (of tables) .csv file; of layers a folder"),
    ],
    layer: Annotated[
        str, typer.Option("--layer", help="features, picture, original, or a layer of a codec of pictures")
    ] = "features",
    realism: Annotated[
        float, typer.Option("--realism", help="0 to 1: of pictures, from faithful to what looks real")
    ] = 0.0,
    elsewhere: ElsewhereOption = None,
    json_: JsonOption = False,
) -> None:
    """Decode a store: its features to a file, its pictures or originals to a folder."""
    from taskcodec.api.decode import decode_to_file, decode_to_folder

    if realism and layer == "features":
        raise UsageError("--realism: of pictures alone; name a layer of a codec of pictures (--layer)")
    damaged: tuple[tuple[str, str], ...] = ()
    with progress_bar("decoding") as report:
        if layer == "features":
            opened = decode_to_file(store, output, report)
            found = {"samples": len(opened), "dimension": opened.manifest.dimension, "output": str(output)}
            what = f"{len(opened)} x {opened.manifest.dimension} features"
            if opened.manifest.of_values:
                what = f"{counted(len(opened), 'sample')} ({opened.codec.values.transform.words})"
            lines = [f"{output}: {what}"]
        else:
            written = decode_to_folder(store, layer, output, report, elsewhere or (), realism)
            damaged = written.damaged
            found = {
                "files": written.files,
                "without": len(written.without),
                "lacking": written.without,
                "renamed": {name: str(given) for name, given in written.renamed},
                "damaged": [{"id": name, "fault": fault} for name, fault in damaged],
                "output": str(output),
            }
            lines = [f"{output}: {counted(written.files, 'file')}"]
            if written.without:
                lines.append(f"of {counted(len(written.without), 'sample')} the layer has none: {few(written.without)}")
            if written.renamed:
                names = [f"{name} as {given}" for name, given in written.renamed]
                lines.append(f"{len(names):,} could not have their own names: {few(names)}")
            if damaged:
                lines.append(f"{len(damaged):,} not written, since they are damaged in the store:")
                lines += [f"{name}: {fault}" for name, fault in damaged[:_TOLD]]
            if len(damaged) > _TOLD:
                lines.append(f"and {len(damaged) - _TOLD:,} more (--json names all)")
    show(found, json_, lines)
    if damaged:
        raise typer.Exit(1)
