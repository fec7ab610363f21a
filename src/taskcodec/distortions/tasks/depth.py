"""How far each pixel is.

Loss: the scale-invariant error of log depth (Eigen, Puhrsch, Fergus, "Depth map prediction from a single image using a
multi-scale deep network", 2014, arXiv:1406.2283, equation 4) with half of the scale's own error kept.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, softplus

from taskcodec.distortions.tasks.task import Task, Truth

SCALE_FREE = 0.5
"""The paper's lambda: 1 would not care about scale at all."""


LEAST_METRES, USUAL_METRES = 1e-3, 3.0


class Metres(nn.Module):
    """The "predictor" of a layer that answers itself: (n, 1, H, W) -> (n, H, W); USUAL_METRES where it says 0."""

    def forward(self, values: Tensor) -> Tensor:
        return softplus(values[:, 0] + math.log(math.expm1(USUAL_METRES))) + LEAST_METRES


class Depth(Task):
    """predictor: (n, 3, H, W) -> (n, h, w) depth in metres, above 0."""

    name, metric = "depth", "depth_accuracy"

    def loss(self, pictures: Tensor, truth: Truth) -> Tensor:
        """(n,) squared error of ln(depth) over pixels whose depth is known; 0 for a picture without any."""
        depth = truth.of("depth")
        known = depth > 0
        # Where depth is not known both sides are 1, so that the logarithm has a gradient there, too: none.
        error = torch.where(known, self.predict(pictures), 1).log() - torch.where(known, depth, 1).log()
        count = known.flatten(1).sum(dim=1).clamp(min=1)
        total, squares = error.flatten(1).sum(dim=1), error.square().flatten(1).sum(dim=1)
        loss: Tensor = squares / count - SCALE_FREE * (total / count).square()
        return loss

    def predict(self, pictures: Tensor) -> Tensor:
        """(n, H, W) metres."""
        depth = torch.as_tensor(self.predictor(pictures))
        if depth.shape[1:] == pictures.shape[2:]:
            return depth
        return interpolate(depth[:, None], pictures.shape[2:], mode="bilinear", align_corners=False)[:, 0]
