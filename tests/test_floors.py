"""The house's rules: a floor imports only floors below it, and decoding imports no torch."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest

import taskcodec

ROOT = Path(taskcodec.__file__).parent
FLOORS = [
    {"errors"},
    {"coding", "codec_file"},
    {"store", "transforms", "quantization", "entropy_models", "distortions"},
    {"codec"},
    {"fitting"},
    {"data"},
    {"engines"},
    {"evaluation"},
    {"cli"},
]
BESIDE = {("entropy_models", "quantization")}
"""Tables are frozen from quantized samples."""
OUTSIDE = {
    "errors": set(),
    "coding": {"numpy", "constriction"},
    "store": {"numpy", "zarr", "pyarrow", "fsspec", "google_crc32c"},
    "quantization": {"numpy"},
    "entropy_models": {"numpy"},
    "codec_file": {"numpy", "safetensors"},
    "codec": {"numpy"},
}
"""What the lower floors may import from outside the standard library."""
LEVEL = {name: level for level, names in enumerate(FLOORS) for name in names}
TORCH_FREE = ["coding", "store", "quantization", "entropy_models", "fitting", "codec.py", "codec_file.py", "errors.py"]
TORCH_ALLOWED = {
    "store/torch_data.py",
    "entropy_models/autoregressive.py",
    "entropy_models/factorized.py",
    "entropy_models/gaussian.py",
    "entropy_models/hyperprior.py",
    "entropy_models/integer_network.py",
    "entropy_models/model.py",
    "fitting/checkpoints.py",
    "fitting/compressor.py",
    "fitting/conditional.py",
    "fitting/learned_bottleneck.py",
    "fitting/training.py",
    "fitting/training_data.py",
    "quantization/noise.py",
    "quantization/straight_through.py",
}


def files():
    return [path for path in ROOT.rglob("*.py") if path not in (ROOT / "__init__.py", ROOT / "__main__.py")]


def imports(path, top_level_only=False):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in tree.body if top_level_only else ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}: imports are absolute here"
            yield from (
                [f"taskcodec.{alias.name}" for alias in node.names] if node.module == "taskcodec" else [node.module]
            )


@pytest.mark.parametrize("path", files(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_imports_go_down(path):
    own = path.relative_to(ROOT).parts[0].removesuffix(".py")
    for name in imports(path):
        parts = name.split(".")
        if parts[0] == "taskcodec" and own == "cli":
            continue  # the top floor may use all, the package's own names included
        if parts[0] == "taskcodec" and len(parts) > 1:
            beside = parts[1] == own or (own, parts[1]) in BESIDE
            assert parts[1] in LEVEL, f"{name}: import it from the module that defines it"
            assert LEVEL[parts[1]] < LEVEL[own] or beside, name
        elif (
            parts[0] != "taskcodec"
            and parts[0] not in sys.stdlib_module_names
            and path.relative_to(ROOT).as_posix() not in TORCH_ALLOWED
        ):
            assert parts[0] in OUTSIDE.get(own, {parts[0]}), f"{own} may not import {name}"


@pytest.mark.parametrize("path", files(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_torch_stays_upstairs(path):
    relative = path.relative_to(ROOT).as_posix()
    if relative in TORCH_ALLOWED or not relative.startswith(tuple(TORCH_FREE)):
        return
    assert not any(name.split(".")[0] == "torch" for name in imports(path))


def test_what_the_lower_floors_import_is_required():
    """Not left to what other packages happen to require."""
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    required = {re.match(r"[\w-]+", line).group() for line in project["dependencies"]}
    assert {name.replace("_", "-") for names in OUTSIDE.values() for name in names} <= required


def test_files_stay_short():
    assert max(len(path.read_text(encoding="utf-8").splitlines()) for path in files()) <= 400


def test_opening_and_decoding_leaves_torch_unimported(tmp_path):
    x = np.random.default_rng(0).normal(size=(300, 16)).astype("f4")
    np.save(tmp_path / "x.npy", x)
    script = f"""
import sys, numpy, taskcodec
from taskcodec.codec import Codec
from taskcodec.data import open_source
from taskcodec.engines.local import encode_source
x = numpy.load({str(tmp_path / "x.npy")!r})
codec = taskcodec.fit(x, bits=40)
encode_source(open_source({str(tmp_path / "x.npy")!r}), codec, {str(tmp_path / "s.tcz")!r}, Codec.from_bytes)
store = taskcodec.open({str(tmp_path / "s.tcz")!r})
assert store.features[:].shape == (300, 16) and store.verify() == []
codec.decompress(codec.compress(x[0]))
assert "torch" not in sys.modules, "torch was imported"
"""
    subprocess.run([sys.executable, "-c", script], check=True)
