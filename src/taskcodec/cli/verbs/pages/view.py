"""`taskcodec view`."""

from pathlib import Path
from typing import Annotated

import typer

from taskcodec.cli.options import ElsewhereOption, StoreArgument
from taskcodec.cli.output import JsonOption, show, tell
from taskcodec.words import counted

EXAMPLE = "Example: taskcodec view photos.tcz -o photos.html"


def view(
    store: StoreArgument,
    output: Annotated[Path, typer.Option("-o", "--output", help="A .html file")],
    elsewhere: ElsewhereOption = None,
    json_: JsonOption = False,
) -> None:
    """Write one page to look at: pictures where a store has them, labels, nearest neighbours, failures."""
    from taskcodec.api.stores import there
    from taskcodec.evaluation.view.write import write_view

    found = write_view(there(store), output, elsewhere or ())
    pictures = sum(bool(each.picture) for each in found.shown)
    tell(found.missing)
    content = {"output": str(output), "bytes": output.stat().st_size, "shown": len(found.shown), "pictures": pictures}
    lines = [f"{output}: {len(found.shown):,} of {counted(found.samples, 'sample')}, {pictures:,} with a picture"]
    if not pictures and found.samples and not found.missing:
        lines.append("no layer of pictures is in it; encode with --layers picture to see them")
    show(content, json_, lines)
