"""`taskcodec report`: parses, calls `taskcodec.evaluation.report.write.write_report`, prints."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from taskcodec.cli.output import show
from taskcodec.errors import SourceError
from taskcodec.words import counted

EXAMPLE = "Example: taskcodec report measured/ --out page/"


def report(
    place: Annotated[str, typer.Argument(help="results.json, or the folder that `taskcodec benchmark` left it in")],
    out: Annotated[str | None, typer.Option("--out", "-o", help="Folder; default: where the results are")] = None,
    limits: Annotated[
        list[str] | None,
        typer.Option("--limits", help="What `taskcodec limits -o` left, by default where the results are; repeat"),
    ] = None,
    title: Annotated[str, typer.Option("--title", help="Of the page")] = "Rate and accuracy",
    json_: Annotated[bool, typer.Option("--json", help="Print JSON")] = False,
) -> None:
    """Draw measured results: one self-contained HTML page, plots and a table. Measures nothing."""
    from taskcodec.evaluation.rates.curves import read_rows
    from taskcodec.evaluation.report.diagnosis import Extras
    from taskcodec.evaluation.report.limits import FILE, read_limits
    from taskcodec.evaluation.report.write import write_report

    file = Path(place) / "results.json" if Path(place).is_dir() else Path(place)
    rows, record = read_rows(file), _record(file.with_name("run.json"))
    beside = file.with_name(FILE)
    places = [Path(one) for one in limits or ()] or ([beside] if beside.exists() else [])
    page = write_report(
        rows,
        file.parent if out is None else Path(out),
        title=title,
        command=record.get("command", ()),
        versions=record.get("versions", {}),
        extras=Extras(notes=tuple(record.get("notes", ())), limits=tuple(map(read_limits, places))),
    )
    show({"rows": len(rows), "report": str(page)}, json_, [f"{page}: {counted(len(rows), 'row')}"])


def _record(file: Path) -> dict[str, Any]:
    """What run.json says of the run; nothing where there is none."""
    from taskcodec.evaluation.rates.curves import is_text

    if not file.exists():
        return {}
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise SourceError(f"{file}: cannot be read as JSON ({error})") from error
    command, versions, notes = (
        (found.get("command", []), found.get("versions", {}), found.get("notes", []))
        if isinstance(found, dict)
        else (None, None, None)
    )
    if not (isinstance(command, list) and isinstance(versions, dict) and isinstance(notes, list)) or not all(
        is_text(text) for text in (*command, *versions, *versions.values(), *notes)
    ):
        raise SourceError(f"{file}: expected an object with texts as `command`, `versions` and `notes`")
    return {"command": command, "versions": versions, "notes": notes}
