"""What a dense task is to training: a loss that passes gradients through a predictor to the decoded pictures."""

from taskcodec.distortions.tasks.classification import Classification
from taskcodec.distortions.tasks.depth import Depth, Metres
from taskcodec.distortions.tasks.detection import Detection
from taskcodec.distortions.tasks.reconstruction import SquaredError, StructuralSimilarity
from taskcodec.distortions.tasks.segmentation import Segmentation
from taskcodec.distortions.tasks.task import Task, Truth

__all__ = [
    "Classification",
    "Depth",
    "Detection",
    "Metres",
    "Segmentation",
    "SquaredError",
    "StructuralSimilarity",
    "Task",
    "Truth",
]
