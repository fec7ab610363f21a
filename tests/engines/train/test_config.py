"""What is wrong in a configuration is said in one line that names file and key."""

import re
import subprocess
import sys
from dataclasses import MISSING, fields
from importlib.util import find_spec
from typing import get_args

import pytest

from taskcodec.engines.train.checks import SIZES
from taskcodec.engines.train.config import MAX_SIDE, DataChoice, TrainConfig, read_config
from taskcodec.errors import SourceError, TaskcodecError, UsageError
from taskcodec.fitting.gradient.recipe import LARGEST_QUEUE, RELAXATIONS, NetworkChoice, Recipe, Schedule
from taskcodec.transforms.networks.carried import MAX_SIZE
from tests import ROOT

pytest.importorskip("yaml")
GUIDE = ROOT / "docs" / "train.md"
GOOD = """
data: {source: banana, samples: 500, target: radius}
augmentations: rotations
model:
  objective: VIC
  columns: 2
  analysis: {name: mlp, hidden: [8]}
  synthesis: {name: mlp, hidden: [8]}
beta: [0.1, 0.2]
training: {steps: 4, batch: 32, learning_rate: 1.0e-3}
"""
BINCE = """
data: {source: v.npy}
model: {objective: BINCE, columns: 4, analysis: {name: mlp, hidden: [8]}}
beta: 0.1
training: {steps: 20, batch: 32}
"""
LARGE = "1" + "0" * 399
TOO_LARGE = "found one that is too large"


def test_a_good_one_gives_a_recipe_for_each_beta(tmp_path):
    (tmp_path / "c.yaml").write_text(GOOD)
    found = read_config(tmp_path / "c.yaml")
    assert [recipe.beta for recipe in found.recipes] == [0.1, 0.2]
    assert found.recipes[0].analysis.sizes == {"hidden": [8]}
    assert (found.schedule.steps, found.schedule.seed, found.log) == (4, 0, ("csv",))
    again = read_config(tmp_path / "c.yaml", betas=[0.5], seed=7)
    assert ([recipe.beta for recipe in again.recipes], again.schedule.seed) == ([0.5], 7)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("steps:", "stepz:", "training.stepz: no such key; did you mean steps?"),
        ("augmentations:", "augmentation:", "augmentation: no such key; did you mean augmentations?"),
        ("batch: 32", "batch: many", "training.batch: expected a whole number, found 'many'"),
        ("batch: 32", "batch: 0", "training: batch must be at least 1"),
        ("1.0e-3", "1e-3", "write 1.0e-3"),
        ("VIC", "VICK", "model: objective must be one of VC, VIC"),
        ("  synthesis: {name: mlp, hidden: [8]}\n", "", "needs a synthesis network"),
        ("{name: mlp, hidden: [8]}", "{hidden: [8]}", "model.analysis.name: missing"),
        ("columns: 2", "columns: two", "model.columns: expected a whole number"),
        ("steps: 4, ", "", "training.steps: missing"),
        ("[0.1, 0.2]", "[0.1, x]", "beta: expected a number or a list of numbers"),
        ("[0.1, 0.2]", "-1", "beta must be a positive number"),
        ("source: banana, ", "", "data.source: missing"),
        ("steps: 4", "steps: 1e3", "training.steps: expected a whole number, found '1e3' (write 1000)"),
        ("steps: 4", "steps: 1.0e+3", "training.steps: expected a whole number, found '1000.0' (write 1000)"),
        ("hidden: [8]", "hiden: [8]", "model.analysis.hiden: invalid size of mlp; it has hidden"),
        ("hidden: [8]", "outputs: 3", "model.analysis.outputs: follows from the data"),
        ("name: mlp", "name: mpl", "model.analysis.name must be one of mlp"),
        ("samples: 500", "side: 64", "data.side: has no effect on the toy source"),
        ("source: banana", "source: x.npy, backbone: lite0", "data.backbone: has no effect on vectors"),
        ("source: banana", "source: photos, seed: 1", "data.seed: has no effect on images"),
        ("columns: 2", "columns: 2\n  queue: 64", "model.queue: has no effect with objective VIC"),
        ("columns: 2", "columns: 2\n  positive: sample", "model.positive: has no effect with objective VIC"),
        ("beta:", "log: [csv, paper]\nbeta:", "log: 'paper' is neither csv nor tensorboard"),
        ("data: {source", "data: [{source", "not YAML"),
        (
            "columns: 2",
            "columns: 2\n  relaxation: Noise",
            "relaxation must be one of noise, straight-through, found 'Noise'",
        ),
        ("columns: 2", "columns: 10000000000", f"columns must be from 1 to {MAX_SIZE}"),
        (
            "steps: 4",
            "steps: 4, strategy: ddp_fork",
            "strategy must be one of auto, ddp, single_device, found 'ddp_fork'",
        ),
        (
            "steps: 4",
            "steps: 4, strategy: fsdp",
            "training: strategy must be one of auto, ddp, single_device, found 'fsdp'",
        ),
        (
            "steps: 4",
            "steps: 4, devices: 2, strategy: single_device",
            "training: strategy single_device is for one device, and devices is 2: take ddp",
        ),
        ("samples: 500", "samples: 0", "data.samples: expected a whole number from 2 to 268435456, found 0"),
        ("samples: 500", "samples: -1", "data.samples: expected"),
        ("samples: 500", "samples: 31", "training.batch: 32 is more than the 31 samples"),
        ("samples: 500", "seed: -1", "data.seed: expected a whole number from 0"),
        ("target: radius", "target: middle", "data.target must be one of sample, radius, found 'middle'"),
        ("source: banana", "source: nowhere", "data.source: nowhere: no such file or folder"),
        ("source: banana", "source: 'no*.tar'", "data.source: no*.tar: no such file or folder"),
        ("source: banana", "source: ''", "data.source: : no such file or folder"),
        ("augmentations: rotations", "augmentations: turns", "augmentations must be one of none, mnist"),
        ("beta:", "jitter: .nan\nbeta:", "jitter: expected a number of at least 0, found nan"),
        ("beta:", "jitter: .inf\nbeta:", "jitter: expected a number of at least 0, found inf"),
        ("beta:", "jitter: -1\nbeta:", "jitter: expected a number of at least 0, found -1"),
        ("beta:", f"jitter: {LARGE}\nbeta:", f"jitter: expected a number, {TOO_LARGE}"),
        ("[0.1, 0.2]", LARGE, f"beta: expected a number or a list of numbers, {TOO_LARGE}"),
        ("1.0e-3", LARGE, f"training.learning_rate: expected a number, {TOO_LARGE}"),
        ("steps: 4", f"steps: 4, warmup: {LARGE}", f"training.warmup: expected a whole number, {TOO_LARGE}"),
        ("steps: 4", "steps: 4, rate_rise: -1", "training: rate_rise must be a number of at least 0, found -1"),
        ("steps: 4", "steps: 4, rate_rise: 0.5", "training.rate_rise: expected a whole number, found '0.5'"),
        ("steps: 4", "steps: 4, rate_rise: 5", "training: rate_rise 5 is beyond 4 steps"),
        ("steps: 4", f"steps: 4, seed: -{LARGE}", f"training.seed: expected a whole number, {TOO_LARGE}"),
        ("steps: 4", f"steps: 0x{'f' * 9999}", f"training.steps: expected a whole number, {TOO_LARGE}"),
        ("steps: 4", f"steps: {'9' * 9999}", "not YAML"),
        ("steps: 4", "steps: 4, clip: .nan", "clip must be a number of at least 0, found nan"),
        ("1.0e-3", "1.0e10", "found '1.0e10' (a word to YAML: write 1.0e+10)"),
        ("1.0e-3", "-.5", "(a word to YAML: write -0.5)"),
        ("1.0e-3", "'1.0e-3'", "(a word to YAML: leave out the quotes)"),
        ("beta: [0.1, 0.2]", "beta: 1\nbeta: 2", "beta: given twice, in line 9 and in line 10"),
        ("hidden: [8]}", "hidden: [8], hidden: [9]}", "model.analysis.hidden: given twice, in line 7 and in line 7"),
        (
            "hidden: [8]",
            "hidden: 8",
            f"model.analysis.hidden must be a list of whole numbers, each from 1 to {MAX_SIZE}",
        ),
        ("hidden: [8]}\nbeta", "hidden: [x]}\nbeta", "model.synthesis.hidden must be a list of whole numbers"),
        ("hidden: [8]", "hidden: []", "model.analysis.hidden must be a list of whole numbers"),
        (
            "mlp, hidden: [8]}\nbeta",
            "deconv, width: [8]}\nbeta",
            f"model.synthesis.width must be a whole number from 1 to {MAX_SIZE}, found [8]",
        ),
        (GOOD, "just words", "expected the sections"),
    ],
)
def test_a_bad_one_says_what_and_where(tmp_path, old, new, says):
    assert old in GOOD
    (tmp_path / "c.yaml").write_text(GOOD.replace(old, new, 1))
    with pytest.raises(TaskcodecError) as found:
        read_config(tmp_path / "c.yaml")
    assert says in str(found.value)
    assert str(found.value).startswith(f"{tmp_path / 'c.yaml'}: ")
    assert "\n" not in str(found.value)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (
            "columns: 4",
            "columns: 4, projection: [8, 0]",
            f"projection must be widths from 1 to {MAX_SIZE}, found (8, 0)",
        ),
        ("columns: 4", "columns: 4, projection: [-1, 0]", f"projection must be widths from 1 to {MAX_SIZE}"),
        ("columns: 4", "columns: 4, queue: -5", f"queue must be from 0 to {LARGEST_QUEUE}, found -5"),
        ("columns: 4", "columns: 4, positive: sample", "BINCE with positive: sample needs a synthesis network"),
        (
            "columns: 4",
            "columns: 4, synthesis: {name: mlp}",
            "objective BINCE with positive: view has no use for a synthesis network",
        ),
        (
            "columns: 4",
            "columns: 4, synthesis: {name: mlp}, positive: sample, projection: [8, 8]",
            "model.projection: has no effect with positive: sample",
        ),
        ("columns: 4", "columns: 4, positive: itself", "positive must be one of view, sample, found 'itself'"),
        ("columns: 4", "columns: 4, queue: 10000000000000", f"queue must be from 0 to {LARGEST_QUEUE}"),
        ("v.npy", "., side: -1", f"data.side: expected a whole number from 1 to {MAX_SIDE}, found -1"),
        ("v.npy", "., side: 0", f"data.side: expected a whole number from 1 to {MAX_SIDE}, found 0"),
        (
            "v.npy}\nmodel: {objective: BINCE",
            "., side: 30}\nmodel: {objective: VC, synthesis: {name: deconv}",
            "data.side: the network deconv needs a multiple of 4, found 30",
        ),
    ],
)
def test_a_size_out_of_range_is_named_before_torch_is_needed(tmp_path, monkeypatch, old, new, says):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "torch", None)
    (tmp_path / "v.npy").touch()
    (tmp_path / "c.yaml").write_text(BINCE)
    assert read_config("c.yaml").recipes[0].objective == "BINCE"
    (tmp_path / "c.yaml").write_text(BINCE.replace(old, new, 1))
    with pytest.raises(UsageError) as found:
        read_config("c.yaml")
    assert says in str(found.value)
    assert "\n" not in str(found.value)


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"relaxation": "foo"}, "relaxation must be one of noise, straight-through, found 'foo'"),
        ({"beta": 10**400}, "beta must be a positive number, found 1000"),
        ({"projection": (0, 8)}, "projection must be"),
        ({"queue": LARGEST_QUEUE + 1}, f"queue must be from 0 to {LARGEST_QUEUE}"),
    ],
)
def test_a_recipe_out_of_range_is_refused_in_python_too(changed, says):
    good = {"objective": "BINCE", "beta": 0.1, "columns": 4, "analysis": NetworkChoice("mlp")}
    assert Recipe(**good).queue == 0
    with pytest.raises(UsageError, match=says) as found:
        Recipe(**{**good, **changed})
    assert len(str(found.value)) < 100


@pytest.mark.parametrize("key", ["learning_rate", "entropy_learning_rate", "warmup", "rate_rise", "clip", "seed"])
def test_a_number_that_no_float_holds_is_refused_in_python_too(key):
    with pytest.raises(UsageError, match=f"{key} must be a .*number.*, found 1000"):
        Schedule(steps=1, **{key: 10**400})


def test_an_anchor_that_is_used_twice_is_no_key_given_twice(tmp_path):
    text = GOOD.replace("{name: mlp, hidden: [8]}", "&net {name: mlp, hidden: [8]}", 1)
    (tmp_path / "c.yaml").write_text(text.replace("synthesis: {name: mlp, hidden: [8]}", "synthesis: *net"))
    assert read_config(tmp_path / "c.yaml").recipes[0].synthesis.sizes == {"hidden": [8]}


def test_bince_needs_other_samples(tmp_path):
    text = GOOD.replace("VIC", "BINCE").replace("  synthesis: {name: mlp, hidden: [8]}\n", "")
    text = text.replace(", target: radius", "").replace("batch: 32", "batch: 1")
    (tmp_path / "c.yaml").write_text(text)
    with pytest.raises(UsageError, match=r"training\.batch: 1 leaves BINCE no other sample"):
        read_config(tmp_path / "c.yaml")
    (tmp_path / "c.yaml").write_text(text.replace("columns: 2", "columns: 2\n  queue: 64"))
    assert read_config(tmp_path / "c.yaml").recipes[0].queue == 64


def test_a_log_that_is_not_installed_is_told_before_anything_is_made(tmp_path, monkeypatch):
    from taskcodec.engines.train import checks as train_checks

    (tmp_path / "c.yaml").write_text(GOOD + "log: [csv, tensorboard]\n")
    monkeypatch.setattr(train_checks, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match="log: tensorboard is not installed; run: pip install tensorboard"):
        read_config(tmp_path / "c.yaml")


def test_the_sizes_that_a_configuration_may_give_are_those_of_the_networks():
    pytest.importorskip("torch")
    from taskcodec.engines.train.checks import SETTLED
    from taskcodec.transforms.networks.build import size_names

    for name, sizes in SIZES.items():
        needed, optional = size_names(name)
        assert set(needed) <= set(SETTLED)
        assert tuple(optional) == sizes


def test_the_names_that_are_checked_before_torch_is_loaded_are_those_of_what_needs_it():
    pytest.importorskip("torch")
    from taskcodec.data.augmentations import kinds as augmentations
    from taskcodec.engines.train.config import AUGMENTATIONS, TARGETS
    from taskcodec.entropy_models.model import Relaxation

    assert augmentations.NAMES == AUGMENTATIONS
    assert tuple(augmentations.TARGETS) == TARGETS
    assert get_args(Relaxation) == RELAXATIONS


def test_a_missing_file_is_a_source_error(tmp_path):
    with pytest.raises(SourceError, match=r"none\.yaml"):
        read_config(tmp_path / "none.yaml")


def test_checking_imports_no_torch(tmp_path):
    (tmp_path / "c.yaml").write_text(GOOD)
    script = f"""
import sys
from importlib.util import find_spec
from taskcodec.engines.train.config import read_config
read_config({str(tmp_path / "c.yaml")!r})
assert "torch" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", script], check=True)


def test_the_guide_has_every_key_and_its_default():
    import yaml

    section = GUIDE.read_text(encoding="utf-8").partition("## Every key")[2].partition("\n## ")[0]
    told = dict(re.findall(r"^\| `([\w.]+)` \|.*\| ([^|]+) \|$", section, re.MULTILINE))
    parts = {"data.": DataChoice, "model.": Recipe, "training.": Schedule, "": TrainConfig}
    known = {prefix + field.name: field.default for prefix, part in parts.items() for field in fields(part)}
    for made in ("name", "data", "recipes", "schedule"):
        del known[made]
    known |= {"beta": known.pop("model.beta"), "augmentations": "none"}
    sizes = {size for of_network in SIZES.values() for size in of_network}
    assert set(told) == set(known) | sizes
    for key, default in known.items():
        words = {MISSING: "needed", None: "none"}
        plain = list(default) if isinstance(default, tuple) else words.get(default, default)
        assert yaml.safe_load(told[key]) == plain, key


def test_the_configuration_in_the_guide_is_good_as_printed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    printed = re.search(r"^```yaml\n(.*?)^```", GUIDE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    (tmp_path / "c.yaml").write_text(printed[1])
    assert len(read_config("c.yaml").recipes) == 3


@pytest.mark.parametrize("path", sorted((ROOT / "configs").glob("*.yaml")), ids=lambda p: p.name)
def test_the_ready_ones_are_good(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("mnist", "coco", "cityscapes", "photos"):
        (tmp_path / name).mkdir()
    (tmp_path / "small-beta0.0024.codec").touch()
    assert read_config(path).recipes


def test_what_fits_no_data_is_said_before_training(tmp_path):
    if find_spec("lightning") is None:
        pytest.skip("no lightning")
    from taskcodec.engines.train.job import TrainOptions, train_all

    for old, new, says in (
        ("rotations", "mnist", "augmentations: augmentations 'mnist' are for images"),
        ("{name: mlp, hidden: [8]}", "{name: resnet_small}", "model: analysis resnet_small does not take vectors"),
    ):
        (tmp_path / "c.yaml").write_text(GOOD.replace(old, new, 1))
        with pytest.raises(TaskcodecError) as found:
            train_all(read_config(tmp_path / "c.yaml"), tmp_path / "x.codec", TrainOptions(resume=True))
        assert says in str(found.value)
        assert isinstance(found.value, UsageError | SourceError)
