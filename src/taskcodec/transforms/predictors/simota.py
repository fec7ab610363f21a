"""YOLOX's loss with SimOTA's matching of positions and boxes (Ge et al. 2021, arXiv:2107.08430, section 2.1).

Each box is matched with the few positions that would do best for it: as many as the ten best overlaps add up to. Then
5 x (1 - IoU^2) of their boxes, log loss of their classes and of whether there is an object, each over the number of
matched positions.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

RADIUS = 2.5
"""Strides from a box's middle within which positions may be matched with it, though they be outside it."""
CANDIDATES = 10
IOU_WEIGHT, IOU_COST, FAR = 5.0, 3.0, 1e5


class Positions(NamedTuple):
    """What a network says of p positions in one picture, or with one axis before, in n.

    Attributes:
        centres: (p, 2) their places, x and y in pixels.
        strides: (p,) pixels.
        corners: (p, 4) the box at each.
        objects: (p,) probability of an object.
        classes: (p, c) probability of each class.
    """

    centres: Tensor
    strides: Tensor
    corners: Tensor
    objects: Tensor
    classes: Tensor

    def of(self, picture: int) -> Positions:
        """Those in one of n pictures."""
        parts = (part[picture] for part in (self.corners, self.objects, self.classes))
        return Positions(self.centres, self.strides, *parts)


def simota_loss(positions: Positions, corners: Tensor, labels: Tensor) -> Tensor:
    """The loss of one picture, a scalar. corners: (m, 4) true boxes; labels: (m,) int64."""
    matched, box = match(positions, corners, labels)
    hit = torch.zeros_like(positions.objects)
    hit[matched] = 1
    count = max(1, len(matched))
    total = _log_loss(positions.objects, hit).sum()
    if len(matched):
        overlap = iou(positions.corners[matched], corners[box])
        wanted = F.one_hot(labels[box], positions.classes.shape[1]) * overlap.detach()[:, None]
        total = total + IOU_WEIGHT * (1 - overlap.square()).sum() + _log_loss(positions.classes[matched], wanted).sum()
    return torch.as_tensor(total / count)


@torch.no_grad()
def match(positions: Positions, corners: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """(k,) positions that answer for a box, and (k,) which box."""
    nothing = torch.zeros(0, dtype=torch.long, device=corners.device)
    if not len(corners):
        return nothing, nothing
    x, y = positions.centres.T
    inside = (
        (x > corners[:, 0, None]) & (x < corners[:, 2, None]) & (y > corners[:, 1, None]) & (y < corners[:, 3, None])
    )
    middle = (corners[:, :2] + corners[:, 2:]) / 2
    away = (positions.centres[None] - middle[:, None]).abs().amax(dim=-1)
    near = away < RADIUS * positions.strides
    candidates = torch.nonzero((inside | near).any(dim=0))[:, 0]
    if not len(candidates):
        return nothing, nothing
    overlap = iou(positions.corners[candidates][None], corners[:, None])
    joint = (positions.classes[candidates] * positions.objects[candidates, None]).sqrt()
    wanted = F.one_hot(labels, joint.shape[1]).to(joint.dtype)
    of_class = _log_loss(joint[None].expand(len(labels), -1, -1), wanted[:, None].expand(-1, len(joint), -1)).sum(-1)
    far = FAR * ~(inside & near)[:, candidates]
    cost = of_class - IOU_COST * torch.log(overlap + 1e-8) + far
    most = min(CANDIDATES, len(candidates))
    shares = overlap.topk(most, dim=1).values.sum(dim=1).int().clamp(min=1)
    chosen = torch.zeros_like(cost, dtype=torch.bool)
    for row, share in enumerate(shares.tolist()):
        chosen[row, cost[row].topk(min(share, most), largest=False).indices] = True
    # A position that several boxes chose answers for the one it fits best.
    box = torch.where(chosen, cost, torch.inf).argmin(dim=0)
    some = torch.nonzero(chosen.any(dim=0))[:, 0]
    return candidates[some], box[some]


def iou(first: Tensor, second: Tensor) -> Tensor:
    """(..., 4), (..., 4) corners -> (...) intersection over union."""
    shared = (torch.minimum(first[..., 2:], second[..., 2:]) - torch.maximum(first[..., :2], second[..., :2])).clamp(0)
    areas = ((box[..., 2:] - box[..., :2]).prod(dim=-1) for box in (first, second))
    both = shared.prod(dim=-1)
    return both / (sum(areas) - both + 1e-8)


def _log_loss(probability: Tensor, wanted: Tensor) -> Tensor:
    """Nats, element by element; probabilities come from a sigmoid and may be rounded to 0 or 1."""
    p = probability.clamp(1e-12, 1 - 1e-7)
    return -(wanted * torch.log(p) + (1 - wanted) * torch.log1p(-p))
