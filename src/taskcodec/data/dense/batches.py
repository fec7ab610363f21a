"""Dense pictures of one size as a batch of tensors, for the losses of tasks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from taskcodec.data.dense.picture import DensePicture
from taskcodec.distortions.tasks.task import Truth
from taskcodec.errors import UsageError


def truth_of(pictures: Sequence[DensePicture]) -> Truth:
    """What is known of n pictures of one size; what one of them lacks is not known. Boxes of crowds are left out.

    Raises UsageError where there is no picture, or sizes differ.
    """
    sizes = {picture.size for picture in pictures}
    if len(sizes) != 1:
        found = ", ".join(f"{width}x{height}" for width, height in sorted(sizes)) or "none"
        raise UsageError(f"a batch has pictures of one size, found {found}")
    corners, box_labels = None, None
    if all(picture.boxes is not None for picture in pictures):
        single = [(picture.boxes, ~picture.boxes.crowd) for picture in pictures if picture.boxes is not None]
        corners = [torch.from_numpy(boxes.corners[alone]) for boxes, alone in single]
        box_labels = [torch.from_numpy(boxes.labels[alone]) for boxes, alone in single]
    labels, whole = _stacked(pictures, "labels"), _stacked(pictures, "whole")
    return Truth(
        torch.from_numpy(np.stack([picture.pixels for picture in pictures])).permute(0, 3, 1, 2).float() / 255,
        None if labels is None else labels.long(),
        _stacked(pictures, "depth"),
        corners,
        box_labels,
        None if whole is None else whole.long(),
    )


def _stacked(pictures: Sequence[DensePicture], what: str) -> Tensor | None:
    found: list[Any] = [getattr(picture, what) for picture in pictures]
    return None if any(part is None for part in found) else torch.from_numpy(np.stack(found))
