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
    import numpy as np
    import numpy.typing as npt

    from taskcodec.api.benchmark import benchmark
    from taskcodec.api.encode import encode
    from taskcodec.api.features import features
    from taskcodec.api.fit import FitOptions, fit_source
    from taskcodec.codec import Codec
    from taskcodec.errors import TaskcodecError
    from taskcodec.evaluation.survival.of_store import evaluate
    from taskcodec.fitting import adapt, at_bits, at_step, fit
    from taskcodec.fitting.closed_form.feature_codec import FeatureCodec
    from taskcodec.loading import load_codec
    from taskcodec.store import Store
    from taskcodec.transforms.spec import BackboneSpec

_HOMES = {
    "BackboneSpec": "taskcodec.transforms.spec",
    "Codec": "taskcodec.codec",
    "FeatureCodec": "taskcodec.fitting.closed_form.feature_codec",
    "FitOptions": "taskcodec.api.fit",
    "Store": "taskcodec.store",
    "TaskcodecError": "taskcodec.errors",
    "adapt": "taskcodec.fitting",
    "at_bits": "taskcodec.fitting",
    "at_step": "taskcodec.fitting",
    "benchmark": "taskcodec.api.benchmark",
    "encode": "taskcodec.api.encode",
    "evaluate": "taskcodec.evaluation.survival.of_store",
    "features": "taskcodec.api.features",
    "fit": "taskcodec.fitting",
    "fit_source": "taskcodec.api.fit",
    "load_codec": "taskcodec.loading",
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
    """Open a store: a folder, a .zip, an fsspec URL, or a Zarr store object. May be used in a `with`.

    Raises SourceError where nothing is, ForeignFileError, FutureVersionError or CorruptFileError, naming the file.
    Warns (`UnfinishedWarning`) where its encode was stopped: what is there is sound, but it is not all.
    """
    import warnings

    from taskcodec.errors import UnfinishedWarning

    store = _found(place)
    if store.manifest.state != "complete":
        words = f"{place}: unfinished, {len(store)} samples so far; run the same encode command again to resume it"
        warnings.warn(words, UnfinishedWarning, stacklevel=2)
    return store


def decode(place: Any) -> "npt.NDArray[np.float32]":
    """(n, d) features of a store, as `taskcodec decode` writes them: `open(place).features` decodes as it is indexed.

    Raises SourceError where the store is unfinished, and what `open` and reading raise.
    """
    from taskcodec.errors import SourceError

    with _found(place) as store:
        if store.manifest.state != "complete":
            raise SourceError(f"{place}: unfinished; run the same encode command again to resume it")
        return store.to_numpy()


def _found(place: Any) -> "Store":
    from pathlib import Path

    from taskcodec.errors import SourceError
    from taskcodec.store import Store

    if isinstance(place, str | Path) and "://" not in str(place) and str(place) and not Path(place).exists():
        raise SourceError(f"{place}: no such file or folder")
    return Store(place)


__all__ = [
    "BackboneSpec",
    "Codec",
    "FeatureCodec",
    "FitOptions",
    "Store",
    "TaskcodecError",
    "adapt",
    "at_bits",
    "at_step",
    "benchmark",
    "decode",
    "encode",
    "evaluate",
    "features",
    "fit",
    "fit_source",
    "load_codec",
    "open",
]
