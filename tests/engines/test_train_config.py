"""What is wrong in a configuration is said in one line that names file and key."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from taskcodec.engines.train_config import read_config
from taskcodec.errors import SourceError, TaskcodecError, UsageError

pytest.importorskip("yaml")
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
        ("VIC", "VICK", "model: objective 'VICK' is none of"),
        ("  synthesis: {name: mlp, hidden: [8]}\n", "", "needs a synthesis network"),
        ("{name: mlp, hidden: [8]}", "{hidden: [8]}", "model.analysis.name: missing"),
        ("columns: 2", "columns: two", "model.columns: expected a whole number"),
        ("steps: 4, ", "", "training.steps: missing"),
        ("[0.1, 0.2]", "[0.1, x]", "beta: expected a number or a list of numbers"),
        ("[0.1, 0.2]", "-1", "beta must be a positive number"),
        ("source: banana, ", "", "data.source: missing"),
        ("steps: 4", "steps: 1e3", "training.steps: expected a whole number, found '1e3' (write 1000)"),
        ("steps: 4", "steps: 1.0e+3", "training.steps: expected a whole number, found '1000.0' (write 1000)"),
        ("hidden: [8]", "hiden: [8]", "model.analysis.hiden: no size of mlp; it has hidden"),
        ("hidden: [8]", "outputs: 3", "model.analysis.outputs: follows from the data"),
        ("name: mlp", "name: mpl", "model.analysis.name: 'mpl' is none of mlp"),
        ("samples: 500", "side: 64", "data.side: has no effect on the toy source"),
        ("source: banana", "source: x.npy, backbone: lite0", "data.backbone: has no effect on vectors"),
        ("source: banana", "source: photos, seed: 1", "data.seed: has no effect on images"),
        ("columns: 2", "columns: 2\n  queue: 64", "model.queue: has no effect with objective VIC"),
        ("beta:", "log: [csv, paper]\nbeta:", "log: 'paper' is neither csv nor tensorboard"),
        ("data: {source", "data: [{source", "not YAML"),
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


def test_bince_needs_other_samples(tmp_path):
    text = GOOD.replace("VIC", "BINCE").replace("  synthesis: {name: mlp, hidden: [8]}\n", "")
    text = text.replace(", target: radius", "").replace("batch: 32", "batch: 1")
    (tmp_path / "c.yaml").write_text(text)
    with pytest.raises(UsageError, match=r"training\.batch: 1 leaves BINCE no other sample"):
        read_config(tmp_path / "c.yaml")
    (tmp_path / "c.yaml").write_text(text.replace("columns: 2", "columns: 2\n  queue: 64"))
    assert read_config(tmp_path / "c.yaml").recipes[0].queue == 64


def test_a_log_that_is_not_installed_is_told_before_anything_is_made(tmp_path, monkeypatch):
    from taskcodec.engines import train_checks

    (tmp_path / "c.yaml").write_text(GOOD + "log: [csv, tensorboard]\n")
    monkeypatch.setattr(train_checks, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match="log: tensorboard is not installed; run: pip install tensorboard"):
        read_config(tmp_path / "c.yaml")


def test_the_sizes_that_a_configuration_may_give_are_those_of_the_networks():
    pytest.importorskip("torch")
    from taskcodec.engines.train_checks import SETTLED, SIZES
    from taskcodec.transforms.networks import size_names

    for name, sizes in SIZES.items():
        needed, optional = size_names(name)
        assert set(needed) <= set(SETTLED)
        assert tuple(optional) == sizes


def test_a_missing_file_is_a_source_error(tmp_path):
    with pytest.raises(SourceError, match=r"none\.yaml"):
        read_config(tmp_path / "none.yaml")


def test_checking_imports_no_torch(tmp_path):
    (tmp_path / "c.yaml").write_text(GOOD)
    script = f"""
import sys
from importlib.util import find_spec
from taskcodec.engines.train_config import read_config
read_config({str(tmp_path / "c.yaml")!r})
assert "torch" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", script], check=True)


@pytest.mark.parametrize("path", sorted((Path(__file__).parents[2] / "configs").glob("*.yaml")), ids=lambda p: p.name)
def test_the_ready_ones_are_good(path):
    assert read_config(path).recipes


def test_what_fits_no_data_is_said_before_training(tmp_path):
    if find_spec("lightning") is None:
        pytest.skip("no lightning")
    from taskcodec.engines.train_job import train_all

    for old, new, says in (
        ("banana", "nowhere", "data.source: nowhere: no such file"),
        ("rotations", "mnist", "augmentations: augmentations 'mnist' are for images"),
        ("target: radius", "target: middle", "data.target: 'middle'"),
        ("{name: mlp, hidden: [8]}", "{name: resnet_small}", "model: analysis resnet_small does not take vectors"),
    ):
        (tmp_path / "c.yaml").write_text(GOOD.replace(old, new, 1))
        with pytest.raises(TaskcodecError) as found:
            train_all(read_config(tmp_path / "c.yaml"), tmp_path / "x.codec", resume=True)
        assert says in str(found.value)
        assert isinstance(found.value, UsageError | SourceError)
