"""What commands do, one call each from Python; `taskcodec` has them by name."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from taskcodec.data import open_source
from taskcodec.data.arrays import array_source
from taskcodec.engines.encode.decide import EncodeOptions, encode_job, fitted_here
from taskcodec.engines.encode.local import Progress, feature_blocks
from taskcodec.engines.encode.sources import backbone_for, check_device
from taskcodec.errors import EncodeWarning, MismatchError, SkippedWarning, UsageError
from taskcodec.evaluation.survival.shift import ShiftWatch
from taskcodec.samples import as_features
from taskcodec.store import CHUNK_ROWS, OK, SampleRecord, Store

if TYPE_CHECKING:
    from taskcodec.evaluation.benchmark.run import BenchmarkPlan, Outcome


def encode(
    source: Any,
    place: str | Path,
    *,
    codec: str | Path | None = None,
    bits: float | None = None,
    quality: str | None = None,
    fit: bool = True,
    refit: bool = True,
    backbone: str | None = None,
    labels: str | Sequence[Any] | None = None,
    ids: Sequence[Any] | None = None,
    append: bool = False,
    overwrite: bool = False,
    chunk_rows: int = CHUNK_ROWS,
    truncated: str = "keep",
    device: str | None = None,
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
        place: folder, .zip or URL of the store.
        codec: file, store, or name of a bundled codec; without it one is fitted to the source.
        bits: the rate to meet, in bits a sample, instead of one that follows from the number of samples.
        quality: "small", "usual" or "safe", instead of a rate.
        fit: False takes the codec that ships with the backbone.
        refit: whether a codec that is named, or ships, is refitted to the source, without labels.
        backbone: what makes features of images, by name.
        labels: "FILE.csv" or "FILE.csv:COLUMN"; of vectors also one label a row.
        ids: of vectors, one a row; numbers without them.
        append: add to a finished store, with its codec.
        overwrite: replace a store that lies there, once the new one is whole.
        chunk_rows: samples in a chunk.
        truncated: "keep" or "skip" JPEG files that lack their end.
        device: where the backbone runs.
        progress: called with (samples done, samples in all).

    Warns (`EncodeWarning`) of what the command would say, and raises what it would: SourceError, UsageError,
    MismatchError, StorageError or BackboneError, in one line.
    """
    listed = None if labels is None or isinstance(labels, str) else [_text(label) for label in labels]
    if isinstance(source, str | Path):
        if listed is not None or ids is not None:
            raise UsageError("ids and lists of labels are of vectors: give the source's labels as FILE.csv")
        given: Any = str(source)
    else:
        vectors = _vectors(source)
        if vectors.ndim != 2 or 0 in vectors.shape:
            raise MismatchError(f"expected one vector or more as an (n, d) array, found {vectors.shape}")
        given = array_source(vectors, None if ids is None else [_text(name) for name in ids], listed)
    options = EncodeOptions(
        None if codec is None else str(codec), backbone, bits, labels if isinstance(labels, str) else None, quality,
        fit, refit, append, overwrite, chunk_rows, device, truncated,
    )  # fmt: skip
    notes, watch = list[str](), ShiftWatch()
    store = encode_job(given, str(place), options, progress or (lambda done, total: None), watch, notes.append)
    shift = None if fitted_here(options) else watch.measure()
    if shift is not None and shift.warning is not None:
        notes.append(f"warning: {shift.warning}")
    for note in notes:
        warnings.warn(note, EncodeWarning, stacklevel=2)
    return store


def _vectors(source: Any) -> npt.NDArray[np.float32]:
    """(n, d) vectors in any form. Raises MismatchError; pictures are named by where they lie."""
    first = source[0] if isinstance(source, list | tuple) and source else source
    if isinstance(first, str | bytes | os.PathLike) or hasattr(first, "getbands"):
        raise MismatchError("pictures are given by name: of their folder, an archive, or a list of files (.txt)")
    return as_features(source)


def _text(value: Any) -> str | None:
    """An id or a label as a store keeps it; None, and a number that is none, for what is missing."""
    return None if value is None or value != value else str(value)


def features(
    source: str | Path, *, backbone: str | None = None, device: str | None = None, progress: Progress | None = None
) -> npt.NDArray[np.float32]:
    """(n, d) uncompressed features of a source, in the order of a store's samples, as `taskcodec features` writes them.

    Args:
        source: folder of images, list, shards, .npy or .parquet.
        backbone: what makes features of images, by name; the default one where it is not given.
        device: "cpu", "cuda", ...; CUDA where there is one by default.
        progress: called with (samples done, samples in all).

    Raises SourceError where nothing can be read, and warns (`SkippedWarning`) where some cannot.
    """
    check_device(device)
    if not isinstance(source, str | os.PathLike):
        raise UsageError(
            "a source is given by name: of a folder, an archive, a list of files (.txt), a .npy or .parquet"
        )
    opened, records = open_source(source), list[SampleRecord]()
    found = np.concatenate(list(feature_blocks(opened, records, backbone_for(opened, backbone, device), progress)))
    if failures := [record for record in records if record.status != OK]:
        first = failures[0]
        words = f"{source}: {len(failures)} of {len(opened)} samples left out (the first: {first.id}: {first.status})"
        warnings.warn(words, SkippedWarning, stacklevel=2)
    return found


def benchmark(
    places: str | Path | Sequence[str | Path],
    out: str | Path,
    plan: BenchmarkPlan | None = None,
    *,
    jobs: int | None = None,
) -> Outcome:
    """Measure rate against accuracy on labelled sets and write the report, as `taskcodec benchmark` does.

    Processes are started anew (spawn): a script that calls this needs `if __name__ == "__main__":`.

    Args:
        places: labelled folders of images, or files of features; one or several.
        out: folder for results.json, report.html, its plots, and what lets a stopped run go on.
        plan: what to measure and how, a `taskcodec.evaluation.benchmark.run.BenchmarkPlan`.
        jobs: processes; one a core by default.

    Raises what `taskcodec.evaluation.benchmark.run.benchmark` raises.
    """
    from taskcodec.evaluation.benchmark.extras import write_benchmark_report
    from taskcodec.evaluation.benchmark.run import benchmark as measure

    several = [places] if isinstance(places, str | Path) else places
    outcome = measure([str(place) for place in several], out, plan, jobs=jobs or os.cpu_count() or 1)
    write_benchmark_report(outcome, out)
    return outcome
