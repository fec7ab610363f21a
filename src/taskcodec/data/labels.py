"""Labels: from folder names, or from a CSV file."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import dropwhile
from pathlib import Path, PurePosixPath

from taskcodec.data.left_behind import is_tools_folder
from taskcodec.data.remote.files import read_url
from taskcodec.errors import SourceError
from taskcodec.names import readable
from taskcodec.store.backend import is_url

_PARTS = {"train", "val", "valid", "validation", "test"}
SPLITS = _PARTS | {"images", "data"}
ID_COLUMNS = ("path", "id", "file", "filename", "file_name", "image", "name")
_TABLES = (".csv", ".tsv", ".txt")
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

    def unused(self, names: Iterable[str]) -> list[str]:
        """The entries that speak of none of these samples."""
        exact, used = set[str](), (set[str](), set[str]())
        for name in names:
            if name in self._exact:
                exact.add(name)
                continue
            nearest = next((at for at, form in enumerate(_forms(name)) if form in self._forms[at]), None)
            if nearest is not None:
                used[nearest].add(_forms(name)[nearest])
        rest = (entry for entry in self._exact if entry not in exact)
        return [entry for entry in rest if not any(form in used[at] for at, form in enumerate(_forms(entry)))]


def labels_of_folders(names: Sequence[str]) -> list[str | None]:
    """The classes of the files of a source: for each the first folder below train, val or test, or below the source.

    Whatever lies deeper says nothing. Folders that all others lie in are no class: archives often have one. Nor is one
    that other programs leave, or one in it.
    """
    found = [_class_folders(name) for name in names]
    depth = _wrappers([folders for folders, below_split in found if folders and not below_split])
    starts = (0 if below_split else depth for _, below_split in found)
    return [next(iter(_unsplit(folders[start:])), None) for (folders, _), start in zip(found, starts, strict=True)]


def _class_folders(name: str) -> tuple[list[str], bool]:
    """The folders of a name that may be its class, the outermost first; whether they lie in the folder of a split."""
    folders = [part for part in name.split("/")[:-1] if part not in ("", ".", "..")]
    if any(map(is_tools_folder, folders)):
        return [], False
    for at, folder in enumerate(folders):
        if folder.lower() in _PARTS and (below := _unsplit(folders[at:])):
            return below, True
    return _unsplit(folders), False


def _unsplit(folders: list[str]) -> list[str]:
    return list(dropwhile(lambda folder: folder.lower() in SPLITS, folders))


def _wrappers(names: Sequence[list[str]]) -> int:
    """How many folders, from the outermost on, all names lie in that hold further folders.

    One in which files lie beside a single folder is a class with something set apart.
    """
    depth = 0
    while len({folders[depth] for folders in names if len(folders) > depth}) == 1:
        inner = {folders[depth + 1] if len(folders) > depth + 1 else None for folders in names if len(folders) > depth}
        if None in inner and len(inner) <= 2:
            break
        depth += 1
    return depth


@dataclass(frozen=True)
class Table:
    """A table of labels as read. column: the one that `FILE.csv:COLUMN` names; None where it names none."""

    spec: str
    names: tuple[str, ...]
    rows: tuple[Mapping[str, str], ...]
    column: str | None

    @property
    def id_column(self) -> str | None:
        """The column of ids, where there is one."""
        return column_named(self.names, ID_COLUMNS)

    def labels(self, column: str | None) -> dict[str, str]:
        """A map from sample id to the label in a column, as `read_labels` makes it; empty where it labels nothing.

        Raises:
            SourceError: no such column or none of ids, one that is there twice, or an id with two labels.
        """
        key, spec = self.id_column, self.spec
        if key is None or column not in self.names:
            raise SourceError(
                f"{spec}: expected a column of ids ({', '.join(ID_COLUMNS)}) and one of labels "
                f"({', '.join(LABEL_COLUMNS)}, or FILE.csv:COLUMN), found {', '.join(self.names) or 'none'}"
            )
        twice = next((name for name in (key, column) if self.names.count(name) > 1), None)
        if twice is not None:
            raise SourceError(f"{spec}: has two columns named {twice}; rename one of them")
        labels: dict[str, str] = {}
        for row in self.rows:
            name, label = readable(row[key] or ""), (row[column] or "").strip()
            if name and label and labels.setdefault(name, label) != label:
                raise SourceError(
                    f"{spec}: {name} has two labels, {labels[name]} and {label}; keep one, or join them "
                    f"({labels[name]};{label})"
                )
        return labels


def read_table(spec: str) -> Table:
    """Read `FILE.csv` or `FILE.csv:COLUMN`. Columns are separated by commas, semicolons or tabs: the first line tells.

    Raises:
        SourceError: the file cannot be read, or has a row with more fields than columns.
    """
    text, column = spec, None
    whole = spec.lower().endswith(_TABLES) if is_url(spec) else Path(spec).exists()
    if not whole and ":" in spec.rpartition("/")[2]:
        text, _, column = spec.rpartition(":")
    try:
        # Names of files may be no UTF-8, here as in a source; whatever else is none is refused.
        data = read_url(text) if is_url(text) else Path(text).read_bytes()
        with io.StringIO(data.decode("utf-8-sig", errors="surrogateescape"), newline="") as file:
            first = file.readline()
            file.seek(0)
            reader = csv.DictReader(file, delimiter=separator_of(first), skipinitialspace=True)
            rows, names = list[Mapping[str, str]](), tuple(reader.fieldnames or ())
            key = column_named(names, ID_COLUMNS)
            _check_text(names)
            for row in reader:
                if any(surplus := row.pop(None, [])):
                    raise SourceError(
                        f"{spec}: line {reader.line_num} has {len(names) + len(surplus)} fields, the first line "
                        f"{len(names)}: put quotes around text that holds the separator"
                    )
                _check_text(cell for name, cell in row.items() if name != key)
                rows.append(row)
    except (OSError, ValueError, csv.Error) as error:
        raise SourceError(f"{spec}: cannot be read as a CSV file of labels ({error})") from error
    return Table(spec, names, tuple(rows), column)


def _check_text(cells: Iterable[str | None]) -> None:
    """Raise UnicodeError where one holds what was no UTF-8."""
    for cell in cells:
        if cell is not None and not cell.isascii():
            cell.encode("utf-8", "surrogateescape").decode()


def read_labels(spec: str) -> dict[str, str]:
    """Read `FILE.csv` or `FILE.csv:COLUMN`: a map from sample id to label.

    The column of ids is path, id, file, filename, image or name; of labels class, label, category or target, in
    capital or small letters. A row without an id or a label, also one that ends before them, says nothing, and blanks
    around a label are none of it.

    Raises:
        SourceError: the file cannot be read, lacks these columns or has one twice, has a row with more fields than
            columns, labels nothing, or gives an id two labels.
    """
    table = read_table(spec)
    column = table.column or column_named(table.names, LABEL_COLUMNS)
    labels = table.labels(column)
    if not labels:
        raise SourceError(f"{spec}: no row has both {table.id_column} and {column}")
    return labels


def column_named(columns: Sequence[str], known: Sequence[str]) -> str | None:
    """The column that bears the first of the known names, whatever its capitals; None where none does."""
    folded = {column.casefold(): column for column in reversed(columns)}
    return next((folded[name] for name in known if name in folded), None)


def separator_of(header: str) -> str:
    """What separates the columns of a table: the one of comma, semicolon and tab its first line has most of."""
    return max(",;\t", key=header.count)


def _forms(name: str) -> tuple[str, str]:
    path = PurePosixPath(name.replace(r"\x5cudc", r"\udc"))  # as tables write the name that has this text in it
    return path.name, path.stem
