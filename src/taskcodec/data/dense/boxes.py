"""Boxes around objects, in the pixels of a picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from taskcodec.errors import UsageError


@dataclass(frozen=True, eq=False)
class Boxes:
    """Boxes in one image.

    Attributes:
        corners: (m, 4) float32, left, top, right, bottom in pixels.
        labels: (m,) class indices.
        scores: (m,) float32 in [0, 1]; ones where the boxes are the truth.
        crowd: (m,) bool: a box around many objects that are not told apart (COCO's "iscrowd").
    """

    corners: npt.NDArray[np.float32]
    labels: npt.NDArray[np.int64]
    scores: npt.NDArray[np.float32]
    crowd: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, corners: Any, labels: Any, scores: Any = None, crowd: Any = None) -> Boxes:
        """From anything array-like; scores default to 1, crowd to no. Raises UsageError where lengths differ."""
        at, of_class = np.asarray(corners, np.float32).reshape(-1, 4), np.asarray(labels, np.int64).reshape(-1)
        score = np.ones(len(at), np.float32) if scores is None else np.asarray(scores, np.float32).reshape(-1)
        many = np.zeros(len(at), bool) if crowd is None else np.asarray(crowd, bool).reshape(-1)
        if {len(at), len(of_class), len(score), len(many)} != {len(at)}:
            raise UsageError(f"boxes: {len(at)} boxes, {len(of_class)} labels, {len(score)} scores, {len(many)} flags")
        return cls(at, of_class, score, many)

    def __len__(self) -> int:
        return len(self.corners)
