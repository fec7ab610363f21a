"""What to predict: columns of labels as text, turned into tasks of a kind.

    "cat", "dog", "3", "7"      few different names or whole numbers    -> classification
    "0.25", "-3.1", "1994"      numbers, not whole or of many values    -> regression
    "dog;car", "dog|car|tree"   several names in one label              -> multi-label

A column's kind can also be named, where the rule takes whole numbers for classes or the other way round.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from taskcodec.data.labels import LabelTable, read_table
from taskcodec.errors import SourceError, UsageError
from taskcodec.store.views.labels import NO_NUMBERS, number_of
from taskcodec.words import counted

Kind = Literal["classification", "multilabel", "regression"]
KINDS: tuple[str, ...] = get_args(Kind)
_NUMBER_LIKE = re.compile(r"[-+$€£]?\s*[.,' ]*\d[\d.,' ]*\s*[%$€£]?")
MAX_NUMBERED_CLASSES = 20
"""Whole numbers of more different values than this are taken as numbers to regress."""
SEPARATORS = ";|"
Column = Sequence[str | None]


@dataclass(frozen=True, eq=False)
class Target:
    """One task on some rows of a set.

    Attributes:
        name: of the column.
        kind: "classification", "multilabel" or "regression".
        rows: (m,) the rows of the set that have a label, rising.
        values: (m,) class numbers; or (m, l) 0 or 1 float64; or (m,) numbers float64.
        names: of the classes or labels; empty for regression.
    """

    name: str
    kind: Kind
    rows: npt.NDArray[np.intp]
    values: npt.NDArray[Any]
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def width(self) -> int:
        """How many classes or labels; 1 for regression."""
        return max(len(self.names), 1)

    @property
    def metric(self) -> str:
        """The name of its main metric."""
        return {"classification": "accuracy", "multilabel": "map", "regression": "r2"}[self.kind]

    def spread(self, samples: int) -> npt.NDArray[Any]:
        """(n, ...) the values by the rows of the set; zeros in rows without a label."""
        values = np.zeros((samples, *self.values.shape[1:]), self.values.dtype)
        values[self.rows] = self.values
        return values


def kind_of(labels: Sequence[str]) -> Kind:
    """The kind of task that labels as text speak of (see the module)."""
    if _all_numbers(labels):
        numbers = [number_of(label) for label in labels]
        whole = all(number == int(number) for number in numbers if number is not None)
        return "classification" if whole and len(set(numbers)) <= MAX_NUMBERED_CLASSES else "regression"
    return "multilabel" if any(s in label for label in labels for s in SEPARATORS) else "classification"


def make_target(name: str, column: Column, kind: str | None = None, *, regress: str = "") -> Target:
    """A task from one label a row, None where a row has none.

    Args:
        name: of the task.
        column: (n,) labels.
        kind: of the task, where it is known.
        regress: for a message, how the caller's user has numbers regressed that look like classes.

    Raises:
        SourceError: nothing to learn (fewer than two classes, labels that nearly all differ, numbers that are all the
            same), or numbers among which a few labels are none.
        UsageError: a kind that is none, or labels that are not of the kind asked for.
    """
    if kind is not None and kind not in KINDS:
        raise UsageError(f"--kind must be one of {', '.join(KINDS)}, found {kind}")
    column = _without_gaps(column) if kind in (None, "regression") else column
    rows = np.array([row for row, label in enumerate(column) if label is not None], dtype=np.intp)
    labels = [label for label in column if label is not None]
    if len(labels) < 4:
        raise SourceError(f"{name}: needs at least 4 labelled samples, found {len(labels)}")
    found = kind_of(labels) if kind is None else kind
    if kind is None and found == "classification":
        _check_no_numbers(name, labels)
    if found == "regression":
        return Target(name, "regression", rows, numbers_of(name, labels), ())
    if found == "multilabel":
        sets = [{part.strip() for part in label.replace("|", ";").split(";")} - {""} for label in labels]
        names = tuple(sorted(set().union(*sets)))
        held = np.array([[float(known in own) for known in names] for own in sets]).reshape(len(labels), len(names))
        if not ((held.sum(axis=0) >= 2) & (held.sum(axis=0) <= len(held) - 2)).any():
            raise SourceError(f"{name}: no label that at least 2 samples have and 2 lack")
        return Target(name, "multilabel", rows, held, names)
    classes, values, counts = np.unique(np.array(labels, dtype=np.str_), return_inverse=True, return_counts=True)
    if (counts > 1).sum() < 2:
        raise SourceError(
            f"{name}: needs two classes with several samples each, found {len(classes)} different labels on "
            f"{counted(len(labels), 'sample')}"
            + (f" (numbers to regress: {regress})" if regress and _all_numbers(labels) else "")
        )
    return Target(name, "classification", rows, values.astype(np.intp), tuple(classes.tolist()))


def _without_gaps(column: Column) -> Column:
    """A column of numbers without what only says that one is missing; any other column as it is."""
    labels = [None if label is None or label.strip().lower() in NO_NUMBERS else label for label in column]
    known = [label for label in labels if label is not None]
    return labels if known and _all_numbers(known) else column


def _check_no_numbers(name: str, labels: Sequence[str]) -> None:
    """Refuse numbers that would pass for classes: nobody can predict them, and so no codec would lose any."""
    odd = [label for label in labels if number_of(label) is None]
    if odd and len(labels) - len(odd) >= 0.9 * len(labels):
        numbers = len(labels) - len(odd)
        raise SourceError(
            f"{name}: {odd[0]!r} is not a number, {counted(numbers, 'other is', 'others are')}: mend or empty it"
        )
    different = len(set(labels))
    alike = all(_NUMBER_LIKE.fullmatch(label.strip()) for label in labels)
    if odd and alike and len(labels) >= 20 and 2 * different > len(labels):
        raise SourceError(
            f"{name}: {different:,} different labels on {counted(len(labels), 'sample')}, such as {odd[0]!r}, "
            "are not classes; write numbers with a point and nothing else"
        )


def label_columns(spec: str, ids: Sequence[str]) -> dict[str, Column]:
    """Read `FILE.csv` (every column but the ids') or `FILE.csv:COLUMN`: for each column, a label or None for each id.

    Names of files are matched as `taskcodec encode --labels` does. Of a whole file, columns without any label are left
    out.

    Raises:
        SourceError: no such file or column, or none of its ids among those given.
    """
    table = read_table(spec)
    chosen = [name for name in dict.fromkeys(table.names) if name != table.id_column]
    columns: dict[str, Column] = {}
    for name in [table.column] if table.column else chosen:
        known = LabelTable(table.labels(name))
        column = [known.of(identity) for identity in ids]
        if any(label is not None for label in column):
            columns[name] = column
    if not columns:
        raise SourceError(f"{spec}: none of its ids is among the {counted(len(ids), 'sample')}")
    return columns


def make_targets(columns: Mapping[str, Column], kinds: Sequence[str] = ()) -> list[Target]:
    """A task for each column. kinds: "KIND" for all columns, or "COLUMN=KIND" for one."""
    named = dict(kind.rpartition("=")[::2] for kind in kinds)
    unknown = set(named) - set(columns) - {""}
    if unknown:
        raise UsageError(f"--kind: no column {', '.join(sorted(unknown))}; there are {', '.join(columns)}")
    targets = []
    for name, column in columns.items():
        try:
            targets.append(make_target(name, column, named.get(name, named.get("")), regress="--kind regression"))
        except (UsageError, SourceError) as error:
            other = "; name the columns to take: --labels FILE.csv:COLUMN" if len(columns) > 1 else ""
            raise type(error)(f"{error}{other}") from error
    return targets


def _all_numbers(labels: Sequence[str]) -> bool:
    return all(number_of(label) is not None for label in labels)


def numbers_of(name: str, labels: Sequence[str]) -> npt.NDArray[np.float64]:
    """(n,) labels as numbers.

    Raises, with a line that begins with `name`: UsageError where one is none, SourceError where all are the same.
    """
    numbers = [number_of(label) for label in labels]
    bad = [label for label, number in zip(labels, numbers, strict=True) if number is None]
    if bad:
        raise UsageError(f"{name}: {bad[0]!r} is not a number, which regression needs")
    values = np.array(numbers, dtype=np.float64)
    if np.ptp(values) == 0:
        raise SourceError(f"{name}: all its numbers are {values[0]:g}")
    return values
