"""Files of arrays (.npz): written whole or not at all, and read as missing where they are damaged."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from taskcodec.atomic import replacing
from taskcodec.errors import StorageError

Arrays = dict[str, npt.NDArray[Any]]


def read_arrays(path: Path, names: Collection[str] | None = None) -> Arrays | None:
    """The arrays of a file (all, or those of these names), or None where it is missing or damaged."""
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files if names is None or name in names}
    except (OSError, ValueError, KeyError, EOFError, BadZipFile):
        return None


def write_arrays(file: Path, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    """Write an .npz file so that it is there whole or not at all. Raises StorageError."""
    make_folder(file.parent)
    with replacing(file) as temporary, open(temporary, "wb") as stream:
        np.savez(stream, **arrays)  # type: ignore[arg-type]


def make_folder(folder: Path) -> None:
    """Make a folder for results, and those above it. Raises StorageError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"{folder}: cannot be made ({error.strerror})") from error
