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

    name, _, place = layer.partition("@")
    if not place:
        raise UsageError(f"--layer {layer}: name the place where it lies now, {name}@PLACE")
    found = relocate_layer(store, name, place)
    said = f"{store}: {name} lies at {found.elsewhere} now, no longer at {found.before}"
    if found.elsewhere == found.before:
        said = f"{store}: {name} lies at {found.elsewhere}, as before"
    check = f"  Before you delete a copy: taskcodec verify {store} --elsewhere {found.elsewhere}"
    show(asdict(found), json_, [said, check])
