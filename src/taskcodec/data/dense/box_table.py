"""Boxes of many pictures in a table of comma-separated values: a row a box.

    name, class, xmin, ymin, xmax, ymax      corners in pixels, xmax and ymax beyond the last
    name, class, xc, yc, w, h                middle and size as shares of the picture's sides (YOLO's form)

`name` is the picture's, without its suffix; without a column `class` all boxes are of class 0.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from taskcodec.data.dense.boxes import Boxes
from taskcodec.errors import SourceError, unreadable

CORNERS, SHARES = ("xmin", "ymin", "xmax", "ymax"), ("xc", "yc", "w", "h")
Row = tuple[int, float, float, float, float]


@dataclass(frozen=True)
class BoxTable:
    """The rows of a table. rows: of each picture class and four numbers; shares: whether these are shares of sides."""

    rows: Mapping[str, tuple[Row, ...]]
    shares: bool

    def boxes(self, name: str, size: tuple[int, int]) -> Boxes:
        """Those of a picture of (width, height), in its pixels; none where the table has no row of it."""
        rows = np.array(self.rows.get(name, ()), np.float64).reshape(-1, 5)
        corners = rows[:, 1:]
        if self.shares:
            middle, half = rows[:, 1:3], rows[:, 3:] / 2
            corners = np.concatenate([middle - half, middle + half], axis=1) * np.array(size * 2)
        return Boxes.of(corners, rows[:, 0])


def read_box_table(file: Path) -> BoxTable:
    """Raises SourceError where the file is missing, or lacks columns or numbers."""
    found: dict[str, list[Row]] = {}
    try:
        with open(file, newline="", encoding="utf-8") as stream:
            table = csv.DictReader(stream)
            columns = next((form for form in (CORNERS, SHARES) if {"name", *form} <= set(table.fieldnames or ())), None)
            if columns is None:
                raise SourceError(f"{file}: expected the columns name and {', '.join(CORNERS)}, or {', '.join(SHARES)}")
            for number, row in enumerate(table, start=2):
                found.setdefault(row["name"], []).append(_row(file, number, row, columns))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise unreadable(file, error) from error
    return BoxTable({name: tuple(rows) for name, rows in found.items()}, columns == SHARES)


def _row(file: Path, number: int, row: Mapping[str, str], columns: tuple[str, ...]) -> Row:
    try:
        first, second, third, fourth = (float(row[column]) for column in columns)
        found = int(row.get("class", 0)), first, second, third, fourth
    except (ValueError, TypeError) as error:
        raise SourceError(f"{file}: line {number} lacks a number ({error})") from error
    if found[0] < 0 or not np.isfinite(found).all():
        raise SourceError(f"{file}: line {number} has {found[0]} for a class, or a place that is no number")
    return found
