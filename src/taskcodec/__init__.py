"""taskcodec: compress data for the models that will read it.

>>> import numpy as np, taskcodec
>>> features = np.random.default_rng(0).normal(size=(500, 32)).astype("f4")
>>> codec = taskcodec.fit(features, bits=64)
>>> codec.decompress(codec.compress(features[0])).shape
(32,)
"""

from typing import TYPE_CHECKING, Any

from taskcodec.lazy import lazily

if TYPE_CHECKING:
    __version__: str
    from taskcodec.api.benchmark import benchmark
    from taskcodec.api.encode import encode
    from taskcodec.api.features import features
    from taskcodec.api.fit import FitOptions, fit_source
    from taskcodec.api.layers import Dropped, Relocated, drop_layer, relocate_layer
    from taskcodec.api.limits import limits, task_limits
    from taskcodec.api.stores import decode, open
    from taskcodec.codec import Codec
    from taskcodec.errors import TaskcodecError
    from taskcodec.evaluation.survival.of_store import evaluate
    from taskcodec.evaluation.usable.of_store import usable
    from taskcodec.fitting import adapt, at_bits, at_step, fit
    from taskcodec.fitting.closed_form.feature_codec import FeatureCodec
    from taskcodec.loading import load_codec
    from taskcodec.store import Store
    from taskcodec.transforms.spec import BackboneSpec

_HOMES = {
    "BackboneSpec": "taskcodec.transforms.spec",
    "Codec": "taskcodec.codec",
    "Dropped": "taskcodec.api.layers",
    "FeatureCodec": "taskcodec.fitting.closed_form.feature_codec",
    "FitOptions": "taskcodec.api.fit",
    "Relocated": "taskcodec.api.layers",
    "Store": "taskcodec.store",
    "TaskcodecError": "taskcodec.errors",
    "adapt": "taskcodec.fitting",
    "at_bits": "taskcodec.fitting",
    "at_step": "taskcodec.fitting",
    "benchmark": "taskcodec.api.benchmark",
    "decode": "taskcodec.api.stores",
    "drop_layer": "taskcodec.api.layers",
    "encode": "taskcodec.api.encode",
    "evaluate": "taskcodec.evaluation.survival.of_store",
    "features": "taskcodec.api.features",
    "fit": "taskcodec.fitting",
    "fit_source": "taskcodec.api.fit",
    "limits": "taskcodec.api.limits",
    "load_codec": "taskcodec.loading",
    "open": "taskcodec.api.stores",
    "relocate_layer": "taskcodec.api.layers",
    "task_limits": "taskcodec.api.limits",
    "usable": "taskcodec.evaluation.usable.of_store",
}

# Imported when asked for, so that the command line can answer Ctrl-C before the libraries are loaded.
_find = lazily(__name__, _HOMES)


def __getattr__(name: str) -> Any:
    return _version() if name == "__version__" else _find(name)


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("taskcodec")
    except PackageNotFoundError:  # run from a checkout that is not installed
        return "0+unknown"


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


__all__ = [
    "BackboneSpec",
    "Codec",
    "Dropped",
    "FeatureCodec",
    "FitOptions",
    "Relocated",
    "Store",
    "TaskcodecError",
    "adapt",
    "at_bits",
    "at_step",
    "benchmark",
    "decode",
    "drop_layer",
    "encode",
    "evaluate",
    "features",
    "fit",
    "fit_source",
    "limits",
    "load_codec",
    "open",
    "relocate_layer",
    "task_limits",
    "usable",
]
