"""taskcodec: compress data for the models that will read it.

>>> import numpy as np, taskcodec
>>> features = np.random.default_rng(0).normal(size=(500, 32)).astype("f4")
>>> codec = taskcodec.fit(features, bits=64)
>>> codec.decompress(codec.compress(features[0])).shape
(32,)
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    __version__: str
    from taskcodec.codec import Codec, load_codec
    from taskcodec.errors import TaskcodecError
    from taskcodec.fitting import adapt, at_bits, at_step, fit
    from taskcodec.store import Store
    from taskcodec.transforms.spec import BackboneSpec

_HOMES = {
    "BackboneSpec": "taskcodec.transforms.spec",
    "Codec": "taskcodec.codec",
    "Store": "taskcodec.store",
    "TaskcodecError": "taskcodec.errors",
    "adapt": "taskcodec.fitting",
    "at_bits": "taskcodec.fitting",
    "at_step": "taskcodec.fitting",
    "fit": "taskcodec.fitting",
    "load_codec": "taskcodec.codec",
}


def __getattr__(name: str) -> Any:
    # Imported when asked for, so that the command line can answer Ctrl-C before the libraries are loaded.
    if name == "__version__":
        return _version()
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("taskcodec")
    except PackageNotFoundError:  # run from a checkout that is not installed
        return "0+unknown"


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def open(place: Any) -> "Store":
    """Open a store: a folder, a .zip, an fsspec URL, or a Zarr store object.

    Raises SourceError where nothing is, ForeignFileError, FutureVersionError or CorruptFileError, naming the file.
    Warns (`UnfinishedWarning`) where its encode was stopped: what is there is sound, but it is not all.
    """
    import warnings
    from pathlib import Path

    from taskcodec.codec import Codec
    from taskcodec.errors import SourceError, UnfinishedWarning
    from taskcodec.store import Store

    if isinstance(place, str | Path) and "://" not in str(place) and str(place) and not Path(place).exists():
        raise SourceError(f"{place}: no such file or folder")
    store = Store(place, Codec.from_bytes)
    if store.manifest.state != "complete":
        words = f"{place}: unfinished, {len(store)} samples so far; run the same encode command again to resume it"
        warnings.warn(words, UnfinishedWarning, stacklevel=2)
    return store


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
