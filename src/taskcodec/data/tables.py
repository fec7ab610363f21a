"""Files of samples in rows, .npy or .parquet: one, or several as one source; of vectors, or of pictures."""

from functools import partial

from taskcodec.data.arrays import FeatureSource, open_npy
from taskcodec.data.folders import Files
from taskcodec.data.items import ImageSource
from taskcodec.data.joined import join
from taskcodec.data.parquet.columns import choose, opened, telling_faults
from taskcodec.data.parquet.pictures import open_pictures
from taskcodec.data.parquet.vectors import open_parquet
from taskcodec.data.remote.files import File, file_at
from taskcodec.errors import SourceError

ARRAYS, PARQUET = ".npy", ".parquet"
TABLES = (ARRAYS, PARQUET)


def open_table(path: File, column: str | None = None) -> ImageSource | FeatureSource:
    """One file; `column` is the one that its user names. Raises SourceError."""
    if path.name.lower().endswith(ARRAYS):
        return open_npy(path)
    if _kind(path, column) == "vectors":
        return open_parquet(path, column)
    name = str(path) if column is None else f"{path}:{column}"
    return open_pictures(Files(name, {path.name: str(path)}, column), numbered=True)


def open_tables(files: Files) -> ImageSource | FeatureSource:
    """Files of one kind, all .npy or all .parquet, as one source.

    Raises:
        SourceError: none can be read, some hold vectors and others pictures, or vectors are not of one length.
    """
    if all(name.lower().endswith(ARRAYS) for name in files.paths.values()):
        return join(files, open_npy)
    kinds = dict[str, str]()
    for name, path in files.paths.items():
        try:
            kinds.setdefault(_kind(file_at(path), files.column), name)
        except SourceError:
            continue  # the file becomes a sample that cannot be read
    if len(kinds) > 1:
        found = " and ".join(f"{kind} ({name})" for kind, name in kinds.items())
        raise SourceError(f"{files.name}: holds {found}; name the files of one kind by a pattern or a list (.txt)")
    return open_pictures(files) if "pictures" in kinds else join(files, partial(open_parquet, column=files.column))


def holds_samples(path: File) -> bool:
    """Whether a file is one of vectors or of pictures, rather than of something else in the same format."""
    try:
        open_table(path)
    except SourceError:
        return False
    return True


def _kind(path: File, column: str | None) -> str:
    with telling_faults(path):
        return choose(str(path), opened(path).schema_arrow, column).kind
