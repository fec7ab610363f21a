"""`taskcodec decode`: what a store holds as a file, or as a folder of files."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy.typing as npt

from taskcodec.api.stores import there
from taskcodec.atomic import replacing
from taskcodec.engines.encode.local import Progress
from taskcodec.engines.encode.npy import write_npy, write_rows
from taskcodec.engines.encode.places import finished_store
from taskcodec.engines.layers.files import Written, write_files
from taskcodec.engines.outputs import check_output
from taskcodec.errors import UsageError
from taskcodec.store import Store
from taskcodec.store.pictures.layer import PictureLayer

FILES = (".npy", ".parquet", ".csv")
"""What features, values and tables are written to."""


def decode_to_folder(
    place: Any,
    layer: str,
    output: Path,
    progress: Progress | None = None,
    elsewhere: str | Sequence[str] = (),
    realism: float = 0.0,
) -> Written:
    """Write the pictures or originals of a store into a new or empty folder, as FOLDER/ID with a suffix.

    A layer that the store says lies at another place is read where `elsewhere` names that place, or one around it.

    `realism` goes from faithful (0) to realistic (1), where the layer's codec has a second synthesis.

    What is damaged of a single picture or original is in what this returns, and the others are written.

    Raises UsageError where there is no such layer, it has no such synthesis or the folder is not to be written to,
    StorageError where it cannot be, and what `taskcodec.decode` raises.
    """
    if output.suffix.lower() in FILES and not output.is_dir():
        raise UsageError(f"{output}: layer {layer} is a file a sample; name a folder")
    store = finished_store(there(place))
    found = store.layer(layer, elsewhere)
    if realism:
        if not isinstance(found, PictureLayer):
            raise UsageError(f"{place}: layer {layer} holds files, which come back as they are: leave realism out")
        found = found.realistic(realism)
    return write_files(store, found, output, progress)


def decode_to_file(place: Any, output: Path, progress: Progress | None = None) -> Store:
    """Write what a store holds to a file, in constant memory but for tables; the store.

    Features go to a .npy or a .parquet file, values that a lossless codec gives back to a .npy file, rows of a table to
    a .parquet, .csv or .npy file. Raises UsageError or StorageError where the file is not to be written, and what
    `taskcodec.decode` raises.
    """
    store = finished_store(there(place))
    to_file = _values_to_file if store.manifest.of_values else _features_to_file
    to_file(store, str(place), output, progress)
    return store


def _features_to_file(store: Store, place: str, output: Path, progress: Progress | None) -> None:
    store.check_features()
    kind = output.suffix[1:].lower()
    if kind not in ("npy", "parquet"):
        raise UsageError(f"{output}: features are written to a .npy or a .parquet file")
    check_output(place, output, kind)
    if kind == "npy":
        with replacing(output) as temporary:
            write_npy(temporary, _reported(store.batches(), len(store), progress), store.manifest.dimension)
    else:
        store.to_parquet(output)


def _values_to_file(store: Store, place: str, output: Path, progress: Progress | None) -> None:
    from taskcodec.api.tables import is_table_codec, rows_to_file  # which stores of features have no use for

    values = store.values
    if is_table_codec(store.codec):
        rows_to_file(store, place, output)
        return
    if output.suffix.lower() != ".npy":
        raise UsageError(f"{output}: values are written to a .npy file, or with --layer base to a folder of pictures")
    check_output(place, output, "npy")
    with replacing(output) as temporary:
        write_rows(temporary, _reported(values.batches(), len(values), progress), values[:0])


def _reported(batches: Iterable[npt.NDArray[Any]], total: int, progress: Progress | None) -> Iterator[npt.NDArray[Any]]:
    done = 0
    for batch in batches:
        yield batch
        done += len(batch)
        if progress is not None:
            progress(done, total)
