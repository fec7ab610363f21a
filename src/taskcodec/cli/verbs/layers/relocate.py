"""`taskcodec relocate`."""

from dataclasses import asdict
from typing import Annotated

import typer

from taskcodec.cli.options import StoreArgument
from taskcodec.cli.output import JsonOption, show
from taskcodec.errors import UsageError

EXAMPLE = "Example: taskcodec relocate photos.tcz --layer original@/mnt/new/originals"


def relocate(
    store: StoreArgument,
    layer: Annotated[str, typer.Option("--layer", help="picture@PLACE or original@PLACE: where it lies now")],
    json_: JsonOption = False,
) -> None:
    """Tell a store where a layer that it keeps elsewhere was moved; nothing is copied."""
    from taskcodec.api.layers import relocate_layer

    name, at, place = layer.partition("@")
    if not at:
        raise UsageError(f"--layer {layer}: name the place where it lies now, {layer}@PLACE")
    found = relocate_layer(store, name, place)
    show(asdict(found), json_, [f"{store}: {name} lies at {found.elsewhere} now, no longer at {found.before}"])
