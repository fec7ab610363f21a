"""Labels, which stores hold as text, as classes in order and as numbers."""

import math
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from taskcodec.errors import UsageError

NO_NUMBERS = frozenset(("", "nan", "na", "n/a", "#n/a", "null", "none", "missing", "inf", "-inf", "?", "-"))
"""What tables write where a number is missing; beside numbers it is no label."""


def number_of(label: str) -> float | None:
    """The number that a label is; None where it is none, "007" being a name."""
    text = label.strip()
    if len(text) > 1 and text[0] == "0" and text.isdigit():
        return None
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def classes_of(labels: Iterable[str | None]) -> list[str]:
    """The different labels in order: by number where all of them are numbers, else by name."""
    found = sorted({label for label in labels if label is not None})
    numbers = {label: number_of(label) for label in found}
    return found if None in numbers.values() else sorted(found, key=lambda label: numbers[label] or 0.0)


def numbers_of_labels(labels: Sequence[str | None], name: str) -> npt.NDArray[np.float64]:
    """(n,) labels as numbers, NaN where there is none. Raises UsageError, which begins with `name`, on other labels."""
    values = np.full(len(labels), np.nan)
    for row, label in enumerate(labels):
        if label is None or label.strip().lower() in NO_NUMBERS:
            continue
        number = number_of(label)
        if number is None:
            raise UsageError(f"{name}: its labels are classes, not numbers: {label!r} is not one")
        values[row] = number
    return values
