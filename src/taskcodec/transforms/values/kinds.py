"""The kinds of values that codec files may hold: a closed list, so that a file never brings code."""

from collections.abc import Mapping
from typing import Any

import numpy.typing as npt

from taskcodec.transforms.values.pixels import PixelValues
from taskcodec.transforms.values.tables.rows import TableRows
from taskcodec.transforms.values.transform import ValuesTransform

VALUES: dict[str, type[ValuesTransform]] = {kind.kind: kind for kind in (PixelValues, TableRows)}


def read_values(described: Mapping[str, Any], tensors: Mapping[str, npt.NDArray[Any]]) -> ValuesTransform:
    """The transform that a codec's manifest describes, its kind one of VALUES.

    Raises KeyError, TypeError or CorruptFileError on what is none.
    """
    return VALUES[described["kind"]].read(described, tensors)
