"""Labels: from folder names, or from a CSV file."""

import csv
from pathlib import Path, PurePosixPath

from taskcodec.errors import SourceError

SPLITS = {"train", "val", "valid", "validation", "test", "images", "data"}
ID_COLUMNS = ("path", "id", "file", "filename", "file_name", "image", "name")
LABEL_COLUMNS = ("class", "label", "category", "target", "y")


class LabelTable:
    """Labels by sample id, found also where the table names files with more folders, fewer, or no extension.

    The nearest form of a name decides: the id itself, then the file's name, then the name without its extension. A
    form that two entries with different labels share says nothing.
    """

    def __init__(self, labels: dict[str, str]) -> None:
        self._exact = labels
        self._forms: list[dict[str, str | None]] = [{}, {}]
        for name, label in labels.items():
            for form, found in zip(_forms(name), self._forms, strict=True):
                found[form] = label if found.get(form, label) == label else None

    def of(self, name: str) -> str | None:
        """The label of a sample, or None."""
        if name in self._exact:
            return self._exact[name]
        for form, found in zip(_forms(name), self._forms, strict=True):
            if form in found:
                return found[form]
        return None


def label_of_path(relative: str) -> str | None:
    """The folder a file lies in, unless it lies at the top or in the folder of a split."""
    parent = PurePosixPath(relative).parent.name
    return None if parent in ("", "..") or parent.lower() in SPLITS else parent


def read_labels(spec: str) -> dict[str, str]:
    """Read `FILE.csv` or `FILE.csv:COLUMN`: a map from sample id to label.

    The column of ids is path, id, file, filename, image or name; of labels class, label, category or target.
    """
    path, column = Path(spec), None
    if not path.exists() and ":" in spec:
        name, _, column = spec.rpartition(":")
        path = Path(name)
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            rows, names = list(reader), list(reader.fieldnames or [])
    except (OSError, ValueError, csv.Error) as error:
        raise SourceError(f"{spec}: cannot be read as a CSV file of labels ({error})") from error
    key = next((name for name in ID_COLUMNS if name in names), None)
    column = column or next((name for name in LABEL_COLUMNS if name in names), None)
    if key is None or column not in names:
        raise SourceError(
            f"{spec}: expected a column of ids ({', '.join(ID_COLUMNS)}) and one of labels "
            f"({', '.join(LABEL_COLUMNS)}, or FILE.csv:COLUMN), found {', '.join(names) or 'none'}"
        )
    return {row[key]: row[column] for row in rows if row[key] and row[column]}


def _forms(name: str) -> tuple[str, str]:
    path = PurePosixPath(name)
    return path.name, path.stem
