"""The class of the whole picture."""

import math

from torch import Tensor
from torch.nn.functional import cross_entropy

from taskcodec.distortions.tasks.task import Task, Truth


class Classification(Task):
    """predictor: (n, 3, H, W) -> (n, classes) scores. Loss: bits of log loss."""

    name, metric = "classification", "accuracy"

    def loss(self, pictures: Tensor, truth: Truth) -> Tensor:
        """(n,) bits."""
        return cross_entropy(self.predictor(pictures), truth.of("whole"), reduction="none") / math.log(2)

    def predict(self, pictures: Tensor) -> Tensor:
        """(n,) int64 classes."""
        return Tensor.argmax(self.predictor(pictures), dim=1)
