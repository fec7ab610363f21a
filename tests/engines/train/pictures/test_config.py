"""What is wrong in a configuration of layers is said in one line that names file and key."""

import re
from dataclasses import MISSING, fields

import pytest

from taskcodec.engines.train.config import read_config
from taskcodec.engines.train.pictures.config import _LAYER, _TOP, PicturesChoice
from taskcodec.errors import TaskcodecError
from tests import ROOT

pytest.importorskip("yaml")
GUIDE = ROOT / "docs" / "train-layers.md"
GOOD = """
data: {source: scenes, samples: 20, side: 16, crop: 8}
layers:
  base:
    task: depth
    analysis: {name: light, widths: [4], latent: 3, blocks: 1}
    preview: 0.1
    entropy: {side: 2, hyper: 4, context: 4, groups: [1, 2]}
  picture:
    given: [base]
    analysis: {name: elic, widths: [4], latent: 3, attention: false}
    synthesis: {name: light_synthesis, widths: [6]}
    conditional: entropy
beta: [0.01, 0.1]
training: {steps: 4}
"""


def test_a_good_one_gives_a_recipe_for_each_beta(tmp_path):
    (tmp_path / "c.yaml").write_text(GOOD)
    found = read_config(tmp_path / "c.yaml", seed=3)
    assert [recipe.beta for recipe in found.recipes] == [0.01, 0.1]
    base, picture = found.recipes[0].layers
    assert (base.name, base.task, base.preview, base.synthesis.name) == ("base", "depth", 0.1, "light_synthesis")
    assert (picture.given, picture.conditional, picture.synthesis.sizes) == (("base",), "entropy", {"widths": [6]})
    assert (found.schedule.batch, found.schedule.seed, found.recipes[0].crop) == (16, 3, 8)
    assert [recipe.beta for recipe in read_config(tmp_path / "c.yaml", betas=[0.5]).recipes] == [0.5]


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("samples: 20", "samplez: 20", "data.samplez: no such key; did you mean samples?"),
        ("samples: 20", "samples: 8", "training.batch: 16 is more than the 8 samples"),
        ("samples: 20", "samples: 1", "data.samples: expected a whole number from 2"),
        ("crop: 8", "crop: 0", "crop must be from 1"),
        (
            "source: scenes, samples: 20, side: 16",
            "source: 'coco:nowhere'",
            "data.source: nowhere: no such file or folder",
        ),
        ("source: scenes, samples: 20", f"source: 'coco:{ROOT}'", "data.side: has no effect on coco"),
        ("source: scenes, samples: 20, side: 16", f"source: {ROOT}, seed: 1", "data.seed: has no effect but on scenes"),
        ("task: depth", "tasks: depth", "layers.base.tasks: no such key; did you mean task?"),
        ("task: depth", "task: deep", "layers.base.task must be one of mse"),
        ("task: depth", "task: detection", "layers.base.predictor: missing"),
        (
            "task: depth",
            "task: detection\n    predictor: yolox",
            "layers.base.predictor must be one of osd_depth, scenes_detector, yolox:..., ",
        ),
        ("task: depth", "task: detection\n    predictor: cv:x", "layers.base.predictor must be one of osd_depth"),
        (
            "task: depth",
            "task: depth\n    informed_by: 'yolox:x.onnx'",
            "layers.base.informed_by must be one of osd_depth, scenes_detector, small:..., found 'yolox:x.onnx'",
        ),
        ("{name: light, widths", "{widths", "layers.base.analysis.name: missing"),
        ("    analysis: {name: light, widths: [4], latent: 3, blocks: 1}\n", "", "layers.base.analysis: missing"),
        ("name: elic", "name: mlp", "layers.picture.analysis.name must be one of light, elic"),
        ("attention: false", "attention: 0", "layers.picture.analysis.attention must be true or false"),
        ("attention: false", "depth: 3", "layers.picture.size of analysis must be one of widths"),
        ("widths: [6]", "latent: 6", "layers.picture.synthesis.latent: follows from the layers"),
        ("side: 2, hyper", "sides: 2, hyper", "layers.base.entropy must be one of side"),
        ("given: [base]", "given: base", "layers.picture.given: expected a list of words"),
        ("preview: 0.1", "preview: -1", "layers.base.preview must be a number of at least 0"),
        ("[0.01, 0.1]", "0", "beta must be a positive number"),
        ("beta: [", "below: none.codec\nbeta: [", "below: none.codec: no such file"),
        ("beta: [", "joint: yes please\nbeta: [", "joint: expected true or false"),
        ("beta: [", "jitter: 1\nbeta: [", "jitter: no such key"),
        ("training: {steps: 4}", "", "training: missing"),
        (GOOD[GOOD.index("layers:") : GOOD.index("beta:")], "layers: {}\n", "layers: at least one"),
        (GOOD[GOOD.index("layers:") : GOOD.index("beta:")], "layers: {a: 3}\n", "layers.a: expected a section"),
    ],
)
def test_a_bad_one_says_what_and_where(tmp_path, old, new, says):
    assert old in GOOD
    path = tmp_path / "c.yaml"
    path.write_text(GOOD.replace(old, new, 1))
    with pytest.raises(TaskcodecError, match=re.escape(says)) as found:
        read_config(path)
    assert str(found.value).startswith(f"{path}: ")
    assert "\n" not in str(found.value)


def test_the_guide_names_every_key_with_its_default():
    rows = re.findall(r"^\| `([\w.]+)` \| .* \| (.*) \|$", GUIDE.read_text(encoding="utf-8"), re.MULTILINE)
    told = dict(rows)
    layer = {f"layers.NAME.{key}" for key in _LAYER}
    data = {f"data.{field.name}": field.default for field in fields(PicturesChoice)}
    assert set(told) == {*(set(_TOP) - {"data", "layers"}), "layers.NAME", *layer, *data}
    for key, default in data.items():
        assert told[key] == ("needed" if default is MISSING else str(default))


def test_the_configuration_in_the_guide_is_good_as_printed(tmp_path):
    printed = re.search(r"^```yaml\n(.*?)^```", GUIDE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    (tmp_path / "c.yaml").write_text(printed[1])
    assert len(read_config(tmp_path / "c.yaml").recipes) == 2


def test_what_one_layer_has_no_use_for(tmp_path):
    one = GOOD[: GOOD.index("  picture:")] + GOOD[GOOD.index("beta:") :]
    for old, new, says in (
        ("beta: [", "joint: true\nbeta: [", "joint: has no effect with one layer"),
        ("preview: 0.1", "beta: 0.5", "beta: a list has no effect"),
    ):
        (tmp_path / "c.yaml").write_text(one.replace(old, new, 1))
        with pytest.raises(TaskcodecError, match=says):
            read_config(tmp_path / "c.yaml")
