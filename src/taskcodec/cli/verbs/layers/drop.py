"""`taskcodec drop`."""

from dataclasses import asdict
from typing import Annotated

import typer

from taskcodec.cli.options import StoreArgument
from taskcodec.cli.output import JsonOption, show
from taskcodec.words import human_bytes

EXAMPLE = "Example: taskcodec drop photos.tcz --layer original"


def drop(
    store: StoreArgument,
    layer: Annotated[str, typer.Option("--layer", help="picture or original")],
    json_: JsonOption = False,
) -> None:
    """Drop a layer of files from a store; the rest of it stays as it is."""
    from taskcodec.api.layers import drop_layer

    found = drop_layer(store, layer)
    lines = [f"{store}: {layer} dropped, {human_bytes(found.bytes)}"]
    if found.elsewhere is not None:
        lines.append(f"its files lie at {found.elsewhere} still: delete them there if nobody needs them")
    show(asdict(found), json_, lines)
