"""taskcodec: compress data for the models that will read it.

>>> import numpy as np, taskcodec
>>> features = np.random.default_rng(0).normal(size=(500, 32)).astype("f4")
>>> codec = taskcodec.fit(features, bits=64)
>>> codec.decompress(codec.compress(features[0])).shape
(32,)
"""

from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from taskcodec.codec import Codec, load_codec
from taskcodec.errors import SourceError, TaskcodecError
from taskcodec.fitting import adapt, at_bits, at_step, fit
from taskcodec.store import Store
from taskcodec.transforms.spec import BackboneSpec

try:
    __version__ = version("taskcodec")
except PackageNotFoundError:  # run from a checkout that is not installed
    __version__ = "0+unknown"


def open(place: Any) -> Store:
    """Open a store: a folder, a .zip, an fsspec URL, or a Zarr store object.

    Raises SourceError where nothing is, ForeignFileError, FutureVersionError or CorruptFileError, naming the file.
    """
    if isinstance(place, str | Path) and "://" not in str(place) and str(place) and not Path(place).exists():
        raise SourceError(f"{place}: no such file or folder")
    return Store(place, Codec.from_bytes)


__all__ = [
    "BackboneSpec",
    "Codec",
    "Store",
    "TaskcodecError",
    "adapt",
    "at_bits",
    "at_step",
    "fit",
    "load_codec",
    "open",
]
