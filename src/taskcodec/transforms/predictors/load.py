"""Predictors by name, frozen, with gradients to the pictures that they see."""

from importlib.resources import as_file, files

from torch import nn

from taskcodec.errors import check_one_of
from taskcodec.transforms.predictors.saved import load_small
from taskcodec.transforms.predictors.torchvision_models import load_torchvision
from taskcodec.transforms.predictors.yolox import load_yolox

SHIPPED = ("osd_depth", "scenes_detector")
"""Those that come with taskcodec, trained by benchmarks/train_predictor.py. osd_depth: depth of a table with objects,
seen from about a metre in pictures of some 320 x 240, on the Object Segmentation Database (Richtsfeld et al. 2012).
scenes_detector: the objects of `taskcodec.data.dense.scenes`, in scenes of some 64 x 64."""
KINDS = ("yolox", "torchvision", "small")
"""What may stand before the colon of a predictor's name."""


def load_predictor(name: str) -> nn.Module:
    """A predictor.

    Args:
        name: "osd_depth" or "scenes_detector", which ship; "yolox:FILE.onnx"; "torchvision:MODEL[@FILE]";
            "small:FILE.safetensors", of `taskcodec.transforms.predictors.saved`.

    Raises:
        UsageError: no such name, or a package is missing.
        SourceError, BackboneError, CorruptFileError, ForeignFileError: the file is missing or not what it should be.
    """
    kind, _, rest = name.partition(":")
    if not rest:
        check_one_of("predictor", name, [*SHIPPED, *(f"{kind}:..." for kind in KINDS)])
        with as_file(files("taskcodec.transforms.predictors") / f"{name}.safetensors") as file:
            return load_small(file)[0]
    check_one_of("predictor", kind, KINDS)
    if kind == "yolox":
        return load_yolox(rest)
    return load_torchvision(rest) if kind == "torchvision" else load_small(rest)[0]
