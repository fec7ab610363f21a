"""Files of small predictors: what was trained comes back, and what is none is told."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from taskcodec.errors import CorruptFileError, ForeignFileError, FutureVersionError, SourceError, UsageError
from taskcodec.transforms.predictors.saved import SmallPredictor, load_small, save_small

TINY = (8, 8, 8, 16)
KINDS = {
    "detection": SmallPredictor("detection", TINY, ("ball", "box"), note="scenes"),
    "segmentation": SmallPredictor("segmentation", TINY, ("ground", "wall", "ball")),
    "depth": SmallPredictor("depth", TINY, typical=0.75),
    "classification": SmallPredictor("classification", (8, 16, 8, 8, 16), ("ball", "box")),
}


@pytest.fixture
def saved(tmp_path):
    def save(kind):
        torch.manual_seed(0)
        network = KINDS[kind].build()
        save_small(network, KINDS[kind], tmp_path / "p.safetensors")
        return tmp_path / "p.safetensors", network

    return save


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_saved_comes_back_frozen(saved, kind):
    file, network = saved(kind)
    again, of = load_small(file)
    assert of == KINDS[kind]
    assert not again.training
    pictures = torch.rand(1, 3, 16, 24, requires_grad=True)
    torch.testing.assert_close(again(pictures), network(pictures), rtol=0.05, atol=0.05)  # weights have 16 bits
    again(pictures).sum().backward()
    assert pictures.grad.abs().sum() > 0
    assert not any(weight.requires_grad for weight in again.parameters())


def resaid(file, **changes):
    """The same weights, and other words."""
    said = {"version": 1, "kind": "depth", "widths": TINY, "classes": [], "typical": 0.75, "note": ""} | changes
    save_file(load_file(file), file, {"taskcodec.predictor": json.dumps(said)})


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"version": 2}, FutureVersionError),
        ({"kind": "poetry"}, CorruptFileError),
        ({"widths": [8, 8, 8, 24]}, CorruptFileError),
        ({"widths": [8, 8, 8, 9]}, CorruptFileError),
        ({"widths": [8, 8, 8, 2**40]}, CorruptFileError),
        ({"widths": [8]}, CorruptFileError),
        ({"widths": 8}, CorruptFileError),
        ({"classes": [1]}, CorruptFileError),
        ({"typical": "far"}, CorruptFileError),
        ({"typical": -1.0}, CorruptFileError),
        ({"colour": "red"}, CorruptFileError),
        ({"version": "new"}, ForeignFileError),
    ],
)
def test_words_that_do_not_fit_are_told(saved, changes, error):
    file, _ = saved("depth")
    resaid(file, **changes)
    with pytest.raises(error, match=r"p\.safetensors: ") as raised:
        load_small(file)
    assert "\n" not in str(raised.value)


def test_files_of_another_kind_and_cut_ones(saved, tmp_path):
    file, _ = saved("depth")
    content = file.read_bytes()
    for found, error in (
        (b"", ForeignFileError),
        (b"nothing at all", ForeignFileError),
        (content[:-9], CorruptFileError),
    ):
        file.write_bytes(found)
        with pytest.raises(error, match=r"p\.safetensors: "):
            load_small(file)
    save_file({"x": torch.zeros(1)}, file)
    with pytest.raises(ForeignFileError, match="not a predictor's file"):
        load_small(file)
    with pytest.raises(SourceError, match="cannot be read"):
        load_small(tmp_path / "none.safetensors")


def test_a_kind_that_is_not_known():
    with pytest.raises(UsageError, match="detection, segmentation, depth, classification"):
        SmallPredictor("poetry", TINY).build()
