"""Detectors and segmenters of torchvision by name, with gradients to the pictures that they see.

    fasterrcnn_resnet50_fpn_v2      Ren et al. 2015, arXiv:1506.01497; Li et al. 2021, arXiv:2111.11429
    lraspp_mobilenet_v3_large       Howard et al. 2019, arXiv:1905.02244
    deeplabv3_resnet50              Chen et al. 2017, arXiv:1706.05587

and their relatives. A name alone takes torchvision's own weights, from its cache or the web; NAME@FILE those of a file.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from taskcodec.errors import BackboneError
from taskcodec.transforms.backbones.libraries import fetch, import_library, read_state
from taskcodec.transforms.predictors.yolox import Detections
from taskcodec.transforms.torchvision import import_torchvision

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""What torchvision's segmenters are trained with; its detectors do that themselves."""
_LAST = {
    "fasterrcnn": "roi_heads.box_predictor.cls_score.weight",
    "lraspp": "classifier.low_classifier.weight",
    "deeplabv3": "classifier.4.weight",
    "fcn": "classifier.4.weight",
}
"""Of each family the weight that has a row a class."""


class TorchvisionSegmenter(nn.Module):
    """(n, 3, H, W) RGB in [0, 1] -> (n, classes, H, W) scores. categories: names of the classes, where they are known.

    network: a segmenter of torchvision.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, network: nn.Module, categories: Sequence[str] = ()) -> None:
        super().__init__()
        self.network, self.categories = network, tuple(categories)
        self.register_buffer("mean", torch.tensor(MEAN).reshape(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(STD).reshape(3, 1, 1), persistent=False)

    def forward(self, pictures: Tensor) -> Tensor:
        return torch.as_tensor(self.network((pictures - self.mean) / self.std)["out"])


class TorchvisionDetector(nn.Module):
    """A detector of torchvision whose classes are counted from 0, without a background or numbers of no class.

    Args:
        network: Faster R-CNN, say.
        numbers: of each class, the network's own number.
        categories: names of the classes, where they are known.
    """

    numbers: Tensor

    def __init__(self, network: nn.Module, numbers: Sequence[int], categories: Sequence[str] = ()) -> None:
        super().__init__()
        self.network, self.categories = network, tuple(categories)
        self.register_buffer("numbers", torch.tensor(list(numbers)), persistent=False)

    def loss(self, pictures: Tensor, corners: Sequence[Tensor], labels: Sequence[Tensor]) -> Tensor:
        """(n,) the sum of the network's own losses; it draws proposals at random."""
        losses = []
        self.network.train()
        for module in self.network.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                module.eval()  # its statistics are not to follow decoded pictures
        for picture, boxes, of_class in zip(pictures, corners, labels, strict=True):
            target = {"boxes": boxes, "labels": self.numbers[of_class]}
            losses.append(sum(self.network([picture], [target]).values()))
        self.network.train(self.training)
        return torch.stack(losses)

    def found(self, pictures: Tensor) -> list[Detections]:
        """The boxes in each picture; of overlapping ones the network drops all but the best."""
        self.network.eval()
        result = []
        for boxes in self.network(list(pictures)):
            known, label = torch.nonzero(boxes["labels"][:, None] == self.numbers, as_tuple=True)
            result.append(Detections(boxes["boxes"][known], label, boxes["scores"][known]))
        self.network.train(self.training)
        return result


def load_torchvision(name: str) -> TorchvisionDetector | TorchvisionSegmenter:
    """A detector or segmenter: MODEL, or MODEL@FILE with a state dict (.pth, .safetensors) of any number of classes.

    Raises BackboneError where torchvision is missing, the model is of no kind that is known here, or weights cannot be
    had or do not fit.
    """
    model_name, _, file = name.partition("@")
    last = next((key for family, key in _LAST.items() if model_name.startswith(family)), None)
    if last is None:
        raise BackboneError(f"{name}: no detector or segmenter of {', '.join(_LAST)}")
    import_torchvision()
    models = import_library("torchvision.models", "torchvision")
    if not file:
        weights = fetch(name, lambda: models.get_model_weights(model_name).DEFAULT)
        network = fetch(name, lambda: models.get_model(model_name, weights=weights))
        return _wrapped(network, list(weights.meta["categories"]))
    state = {key: value for key, value in read_state(name, file).items() if not key.startswith("aux_classifier.")}
    if last not in state:
        raise BackboneError(f"{name}: the file has no {last}: it is of another model")
    options: dict[str, Any] = {"weights": None, "weights_backbone": None, "num_classes": len(state[last])}
    network = fetch(name, lambda: models.get_model(model_name, **options))
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        raise BackboneError(f"{name}: weights of another model ({str(error).splitlines()[-1].strip()})") from error
    return _wrapped(network, [f"class {number}" for number in range(len(state[last]))])


def _wrapped(network: Any, categories: Sequence[str]) -> TorchvisionDetector | TorchvisionSegmenter:
    """categories: by the network's own numbers, the first of a detector being its background."""
    network.requires_grad_(False).eval()
    if not hasattr(network, "roi_heads"):
        return TorchvisionSegmenter(network, categories).eval()
    numbers = [number for number, category in enumerate(categories) if number and category != "N/A"]
    return TorchvisionDetector(network, numbers, [categories[number] for number in numbers]).eval()
