"""Predictors that give no gradient, in the places of those that do: no codec was trained for them.

PictureTask(pictures, Detection(UnseenDetector(load_detector("FastestDet.onnx"))), "FastestDet")
PictureTask(pictures, Segmentation(UnseenSegmenter(load_segmenter("deeplab.tflite"), mapping, 11)), "DeepLab")
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn.functional import interpolate, one_hot

from taskcodec.errors import UsageError
from taskcodec.evaluation.dense.frozen import Detector, Segmenter


class UnseenDetector(nn.Module):
    """A detector of images as the predictor of `Detection`."""

    def __init__(self, detector: Detector) -> None:
        super().__init__()
        self.detector = detector

    def loss(self, pictures: Tensor, corners: Sequence[Tensor], labels: Sequence[Tensor]) -> Tensor:
        """Raises UsageError: there is none."""
        raise UsageError(f"{self.detector.name}: gives no gradient to train by; it measures alone")

    def found(self, pictures: Tensor) -> list[tuple[Tensor, Tensor, Tensor]]:
        """Corners, labels and scores in each picture."""
        boxes = [self.detector(image) for image in _images(pictures)]
        return [
            (torch.from_numpy(each.corners), torch.from_numpy(each.labels), torch.from_numpy(each.scores))
            for each in boxes
        ]


class UnseenSegmenter(nn.Module):
    """A segmenter of images as the predictor of `Segmentation`.

    Args:
        segmenter: names a class for each pixel.
        mapping: of each class that it gives the one of the pictures it stands for; None where they are the same.
        classes: how many classes the pictures have.
    """

    def __init__(self, segmenter: Segmenter, mapping: Sequence[int] | None, classes: int) -> None:
        super().__init__()
        self.segmenter, self.classes = segmenter, classes
        self.mapping = torch.arange(classes) if mapping is None else torch.tensor(list(mapping))

    def forward(self, pictures: Tensor) -> Tensor:
        """(n, 3, H, W) in [0, 1] -> (n, classes, H, W): 1 for the class that is named, 0 for the others.

        Raises UsageError where a class is named that is not mapped.
        """
        return torch.cat([self._named(image, pictures.shape[2:]) for image in _images(pictures)])

    def _named(self, image: Image.Image, size: torch.Size) -> Tensor:
        found = torch.from_numpy(self.segmenter(image))
        if len(found) and int(found.max()) >= len(self.mapping):
            raise UsageError(
                f"{self.segmenter.name}: gives class {int(found.max())}, {len(self.mapping)} classes are mapped"
            )
        named = interpolate(self.mapping[found][None, None].float(), size, mode="nearest-exact")[:, 0].long()
        return one_hot(named, self.classes).movedim(-1, 1).float()


def _images(pictures: Tensor) -> Iterator[Image.Image]:
    """(n, 3, H, W) in [0, 1] -> n images of 8 bits."""
    for picture in pictures:
        levels = (255 * picture.detach().clamp(0, 1)).round().byte()
        yield Image.fromarray(levels.permute(1, 2, 0).cpu().numpy())
