"""`taskcodec.open` and `taskcodec.decode`: stores as they are read, with no more imported than that takes."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from taskcodec.errors import SourceError, UnfinishedWarning
from taskcodec.store import Store
from taskcodec.words import counted


def open(place: Any, upto: str | None = None) -> Store:
    """Open a store: a folder, a .zip, an fsspec URL, or a Zarr store object. May be used in a `with`.

    Of a store with several layers, `upto` names the one whose features are given; the highest by default.
    Raises SourceError where nothing is, ForeignFileError, FutureVersionError or CorruptFileError, naming the file.
    Warns (`UnfinishedWarning`) where its encode was stopped: what is there is sound, but it is not all.
    """
    store = Store(there(place), upto=upto)
    if store.manifest.state != "complete":
        words = (
            f"{place}: unfinished, {counted(len(store), 'sample')} so far; run the same encode "
            "command again to resume it"
        )
        warnings.warn(words, UnfinishedWarning, stacklevel=2)
    return store


def decode(place: Any) -> npt.NDArray[np.float32]:
    """(n, d) features of a store, as `taskcodec decode` writes them: `open(place).features` decodes as it is indexed.

    Raises SourceError where the store is unfinished, and what `open` and reading raise.
    """
    from taskcodec.engines.encode.places import finished_store

    with finished_store(there(place)) as store:
        return store.to_numpy()


def there(place: Any) -> Any:
    """A place at which something lies. Raises SourceError where nothing does."""
    if isinstance(place, str | Path) and "://" not in str(place) and str(place) and not Path(place).exists():
        raise SourceError(f"{place}: no such file or folder")
    return place
