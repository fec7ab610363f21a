"""`taskcodec.features`: the command from Python."""

import warnings
from pathlib import Path

import numpy as np
import numpy.typing as npt

from taskcodec.data import Source, open_source
from taskcodec.engines.encode.local import Progress, WrittenFeatures, feature_blocks, write_features
from taskcodec.engines.encode.records import BackboneLike
from taskcodec.engines.encode.sources import backbone_for, check_device
from taskcodec.engines.outputs import check_output
from taskcodec.errors import SkippedWarning, UsageError
from taskcodec.store import OK, SampleRecord
from taskcodec.words import counted


def features(
    source: str | Path,
    *,
    backbone: str | BackboneLike | None = None,
    truncated: str = "keep",
    device: str | None = None,
    progress: Progress | None = None,
) -> npt.NDArray[np.float32]:
    """(n, d) uncompressed features of a source, in the order of a store's samples, as `taskcodec features` writes them.

    Args:
        source: folder of images, list, shards, .npy or .parquet.
        backbone: what makes features of images, by name or itself; the default one where it is not given.
        truncated: "keep" or "skip" JPEG files that lack their end.
        device: "cpu", "cuda", ...; CUDA where there is one by default.
        progress: called with (samples done, samples in all).

    Raises SourceError where nothing can be read, and warns (`SkippedWarning`) where some cannot.
    """
    opened, maker = _opened(source, backbone, truncated, device)
    records = list[SampleRecord]()
    found = np.concatenate(list(feature_blocks(opened, records, maker, progress)))
    if failures := [record for record in records if record.status != OK]:
        first = failures[0]
        words = (
            f"{source}: {len(failures)} of {counted(len(opened), 'sample')} left out (the first: "
            f"{first.id}: {first.status})"
        )
        warnings.warn(words, SkippedWarning, stacklevel=2)
    return found


def features_to_file(
    source: str | Path,
    output: Path,
    *,
    backbone: str | BackboneLike | None = None,
    truncated: str = "keep",
    device: str | None = None,
    progress: Progress | None = None,
) -> WrittenFeatures:
    """The same, written to a .npy file in constant memory: what `taskcodec features` does.

    Raises UsageError or StorageError where the file is not to be written.
    """
    if output.suffix.lower() != ".npy":
        raise UsageError(f"{output}: features are written to a .npy file")
    check_output(str(source), output, "npy")
    opened, maker = _opened(source, backbone, truncated, device)
    return write_features(opened, output, maker, progress)


def _opened(
    source: str | Path, backbone: str | BackboneLike | None, truncated: str, device: str | None
) -> tuple[Source, BackboneLike | None]:
    check_device(device)
    opened = open_source(source, truncated)
    return opened, backbone_for(opened, backbone, device)
