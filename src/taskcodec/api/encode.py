"""`taskcodec.encode`: the command from Python."""

import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from taskcodec.codec import Codec
from taskcodec.data.arrays import array_source
from taskcodec.engines.choose import encode_with
from taskcodec.engines.encode.decide import EncodeOptions
from taskcodec.engines.encode.local import Progress
from taskcodec.engines.encode.records import BackboneLike
from taskcodec.engines.encode.sources import Rates
from taskcodec.errors import EncodeWarning, MismatchError, UsageError
from taskcodec.samples import as_features
from taskcodec.store import Store


def encode(
    source: Any,
    place: Any,
    *,
    codec: str | Path | Codec | None = None,
    bits: Rates | None = None,
    quality: str | None = None,
    fit: bool = True,
    refit: bool = True,
    backbone: str | BackboneLike | None = None,
    labels: str | Path | Sequence[Any] | None = None,
    ids: Sequence[Any] | None = None,
    append: bool = False,
    overwrite: bool = False,
    chunk_rows: int | None = None,
    truncated: str = "keep",
    layers: str | Sequence[str] | None = None,
    effort: int = 1,
    device: str | None = None,
    engine: str = "local",
    workers: int | None = None,
    progress: Progress | None = None,
) -> Store:
    """Encode images or features into a store, as `taskcodec encode` does; the same call goes on where one was stopped.

    >>> import numpy as np, taskcodec, tempfile
    >>> features = np.random.default_rng(0).normal(size=(2000, 16)).astype("f4")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     store = taskcodec.encode(features, f"{folder}/features.tcz", bits=40)
    ...     store.to_numpy().shape
    (2000, 16)

    Args:
        source: folder of images, list, shards, .npy or .parquet by name; or (n, d) vectors in any form that
            `taskcodec.fit` takes.
        place: folder, .zip or URL of the store, or a Zarr store object.
        codec: file, store, or name of a bundled codec, or a codec; without it one is fitted to the source.
        bits: the rate to meet, in bits a sample, instead of one that follows from the number of samples; of a codec of
            pictures bits by layer, {"base": 200, "picture": 8000}, in place of those it was trained for.
        quality: "small", "usual" or "safe", instead of a rate.
        fit: False takes the codec that ships with the backbone.
        refit: whether a codec that is named, or ships, is refitted to the source, without labels.
        backbone: what makes features of images, by name, or itself (`taskcodec.transforms.backbones.load_backbone`).
        labels: "FILE.csv" or "FILE.csv:COLUMN"; of vectors also one label a row.
        ids: of vectors, one a row; numbers without them.
        append: add to a finished store, with its codec.
        overwrite: replace a store that lies there, once the new one is whole.
        chunk_rows: samples in a chunk; 1024, of pictures 64, without it.
        truncated: "keep" or "skip" JPEG files that lack their end.
        layers: what is kept beside the features, "features,picture:4000,original" or some of these: small pictures of
            so many bytes, and the files themselves, in fewer bytes. A finished store gets those that it lacks.
        effort: 1 to 9: time that is spent on fewer bits for the same loss (docs/effort.md).
        device: where the backbone runs.
        engine: "local", or "ray" or "ray:ADDRESS" for the workers of a Ray cluster; the store is the same.
        workers: of the cluster; by default as many as it has room for.
        progress: called with (samples done, samples in all).

    Warns (`EncodeWarning`) of what the command would say, and raises what it would: SourceError, UsageError,
    MismatchError, StorageError, BackboneError or ProcessError, in one line.
    """
    table = os.fspath(labels) if isinstance(labels, str | os.PathLike) else None
    listed = None if table is not None else _texts("labels", labels)
    if isinstance(source, str | Path):
        if listed is not None or ids is not None:
            raise UsageError("ids and lists of labels are of vectors: give the source's labels as FILE.csv")
        given: Any = str(source)
    else:
        vectors = _vectors(source)
        if vectors.ndim != 2 or 0 in vectors.shape:
            raise MismatchError(f"expected one vector or more as an (n, d) array, found {vectors.shape}")
        given = array_source(vectors, _texts("ids", ids), listed)
    named = str(codec) if isinstance(codec, Path) else codec
    options = EncodeOptions(
        named, backbone, bits, table, quality, fit, refit, append, overwrite,
        chunk_rows, device, truncated, layers, effort,
    )  # fmt: skip
    found = encode_with(engine, workers, given, place, options, progress)
    for note in found.notes:
        warnings.warn(note, EncodeWarning, stacklevel=2)
    return found.store


def _vectors(source: Any) -> npt.NDArray[np.float32]:
    """(n, d) vectors in any form. Raises MismatchError; pictures are named by where they lie."""
    first = source[0] if isinstance(source, list | tuple) and source else source
    if isinstance(first, str | bytes | os.PathLike) or hasattr(first, "getbands"):
        raise MismatchError("pictures are given by name: of their folder, an archive, or a list of files (.txt)")
    return as_features(source)


def _texts(what: str, values: Any) -> list[str | None] | None:
    """Ids or labels, one a row. Raises UsageError on anything else."""
    if values is None:
        return None
    try:
        return [_text(value) for value in values]
    except (TypeError, ValueError, RuntimeError) as error:  # of what is no sequence, or has rows of several
        raise UsageError(f"{what}: expected text or a number for each vector, found {type(values).__name__}") from error


def _text(value: Any) -> str | None:
    """An id or a label as a store keeps it; None, and a number that is none, for what is missing."""
    return None if value is None or value != value else str(value)
