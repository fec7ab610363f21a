"""A report from the rows of a results file: one HTML page that asks nothing of other sites, plots, and a CSV table.

rows --> groups of curves --> report.html, curves.png, curves.svg
  +-------------------------> table.csv
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from taskcodec.atomic import replacing
from taskcodec.errors import SourceError, StorageError
from taskcodec.evaluation.rates.curves import Row
from taskcodec.evaluation.report.diagnosis import Extras
from taskcodec.evaluation.report.files import write_csv, write_plots
from taskcodec.evaluation.report.page import page
from taskcodec.evaluation.report.panels import groups_of

NO_VERSIONS: Mapping[str, str] = MappingProxyType({})
NO_EXTRAS = Extras()


def write_report(
    rows: Sequence[Row],
    folder: Path,
    *,
    title: str,
    command: Sequence[str] = (),
    versions: Mapping[str, str] = NO_VERSIONS,
    extras: Extras = NO_EXTRAS,
) -> Path:
    """Write report.html, curves.png, curves.svg and table.csv into a folder; the same bytes for the same arguments.

    Args:
        rows: as `taskcodec benchmark` leaves them in results.json; any number of codecs, sets and tasks.
        folder: made where there is none.
        title: of the page.
        command: what made the rows, shown as a shell takes it.
        versions: of what made the rows, by name.
        extras: further sections, see `report_extras`.

    Returns:
        The page.

    Raises:
        SourceError: no row holds a finite value at a positive rate.
        StorageError: the folder cannot be written.
    """
    groups = groups_of(rows)
    if not groups:
        raise SourceError("report: no row holds a finite value at a positive number of bits")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / "report.html"
        write_csv(rows, folder / "table.csv")
        write_plots(groups[0], title, [folder / "curves.png", folder / "curves.svg"])
        with replacing(file) as temporary:
            temporary.write_text(page(rows, groups, title, command, versions, extras), encoding="utf-8")
    except OSError as error:
        raise StorageError(f"{folder}: the report cannot be written ({error.strerror or error})") from error
    return file
