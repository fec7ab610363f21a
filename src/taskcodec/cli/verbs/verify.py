"""`taskcodec verify`."""

from typing import Annotated

import typer

from taskcodec.cli.describe import is_codec
from taskcodec.cli.options import ElsewhereOption
from taskcodec.cli.output import JsonOption, show

EXAMPLE = "Example: taskcodec verify photos.tcz"


def verify(
    place: Annotated[str, typer.Argument(help="Store or codec")],
    elsewhere: ElsewhereOption = None,
    json_: JsonOption = False,
) -> None:
    """Check every byte that is read; exit code 0 only if all are sound."""
    from taskcodec import load_codec
    from taskcodec import open as open_store

    if is_codec(place):
        load_codec(place)
        faults: list[str] = []
    else:
        faults = open_store(place).verify(elsewhere or ())
    show({"sound": not faults, "faults": faults}, json_, faults or [f"{place}: sound"])
    if faults:
        raise typer.Exit(1)
