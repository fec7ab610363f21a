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
        ("name: mlp", "name: resnet_small", "model: analysis resnet_small does not take vectors"),
    ):
        (tmp_path / "c.yaml").write_text(GOOD.replace(old, new, 1))
        with pytest.raises(TaskcodecError) as found:
            train_all(read_config(tmp_path / "c.yaml"), tmp_path / "x.codec", resume=True)
        assert says in str(found.value)
        assert isinstance(found.value, UsageError | SourceError)
