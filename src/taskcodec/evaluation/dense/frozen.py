"""Frozen predictors of others: object detectors and segmenters that were trained on uncompressed images.

    RGB image --what the predictor's authors do before the network--> network --and after--> boxes, or a class a pixel

ONNX files run with onnxruntime, TensorFlow Lite files with ai-edge-litert; which network a file holds is told by the
shapes of its inputs and outputs. A torch model, or anything else, joins as a callable of the same form.

| network | runtime | sees | gives |
|---|---|---|---|
| YOLOX (Ge et al. 2021, arXiv:2107.08430) | onnxruntime | letterbox, BGR 0..255 | boxes of 80 classes |
| FastestDet (dog-qiuqiu/FastestDet) | onnxruntime | stretched, BGR 0..1 | boxes of 80 classes |
| DeepLab v3 (Chen et al. 2017, arXiv:1706.05587) | ai-edge-litert | letterbox, RGB 0..255 | a class a pixel |
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from taskcodec.data.dense.boxes import Boxes
from taskcodec.errors import SourceError, UsageError, unreadable
from taskcodec.transforms.predictors.yolox import LEAST_SCORE, decoded, detections
from taskcodec.transforms.torchvision import import_torchvision

Floats = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]
Network = Callable[[npt.NDArray[Any]], npt.NDArray[Any]]

MOST_OVERLAP = 0.65
"""Of boxes of one class that overlap by more (IoU) all but the best are dropped: YOLOX's setting for measuring AP."""
_INSTALL = "pip install 'taskcodec[dense]'"

COCO_CLASSES = (
    "person", "bicycle", "car", "motorcycle", "airplane", "bus", "train", "truck", "boat", "traffic light",
    "fire hydrant", "stop sign", "parking meter", "bench", "bird", "cat", "dog", "horse", "sheep", "cow", "elephant",
    "bear", "zebra", "giraffe", "backpack", "umbrella", "handbag", "tie", "suitcase", "frisbee", "skis", "snowboard",
    "sports ball", "kite", "baseball bat", "baseball glove", "skateboard", "surfboard", "tennis racket", "bottle",
    "wine glass", "cup", "fork", "knife", "spoon", "bowl", "banana", "apple", "sandwich", "orange", "broccoli",
    "carrot", "hot dog", "pizza", "donut", "cake", "chair", "couch", "potted plant", "bed", "dining table", "toilet",
    "tv", "laptop", "mouse", "remote", "keyboard", "cell phone", "microwave", "oven", "toaster", "sink",
    "refrigerator", "book", "clock", "vase", "scissors", "teddy bear", "hair drier", "toothbrush",
)  # fmt: skip
"""The 80 classes of COCO's detection task, in the order of the networks' outputs."""


class Detector(Protocol):
    """Finds objects. `classes` are the names of its labels."""

    @property
    def name(self) -> str: ...
    @property
    def classes(self) -> tuple[str, ...]: ...
    def __call__(self, image: Image.Image) -> Boxes:
        """Boxes in the pixels of the RGB image."""


class Segmenter(Protocol):
    """Names the class of each pixel."""

    @property
    def name(self) -> str: ...
    def __call__(self, image: Image.Image) -> Labels:
        """(H, W) class ids, at the size of the network's output: rows and columns span the image."""


@dataclass(frozen=True, eq=False)
class Yolox:
    """YOLOX as exported by its authors. network: (1, 3, side, side) float32 -> (1, positions, 5 + classes)."""

    name: str
    network: Network
    side: int
    classes: tuple[str, ...] = COCO_CLASSES

    def __call__(self, image: Image.Image) -> Boxes:
        """Letterboxed at the upper left on grey (114), so that nothing is stretched."""
        scale = min(self.side / image.width, self.side / image.height)
        size = max(1, int(image.width * scale)), max(1, int(image.height * scale))
        canvas = np.full((self.side, self.side, 3), 114, np.uint8)
        canvas[: size[1], : size[0]] = np.asarray(image.resize(size, Image.Resampling.BILINEAR))[..., ::-1]
        found = self.network(canvas.transpose(2, 0, 1)[None].astype(np.float32))[0]
        positions = decoded(torch.from_numpy(np.asarray(found)), (self.side, self.side))
        corners, labels, scores = (part.numpy() for part in detections(positions, scale))
        return suppress(clip(Boxes.of(corners, labels, scores), image.size))


@dataclass(frozen=True, eq=False)
class FastestDet:
    """FastestDet as exported by its author. network: (1, 3, side, side) -> (1, 5 + classes, rows, columns)."""

    name: str
    network: Network
    side: int
    classes: tuple[str, ...] = COCO_CLASSES

    def __call__(self, image: Image.Image) -> Boxes:
        """Stretched to a square; one box and one class for each cell of the grid."""
        square = np.asarray(image.resize((self.side, self.side), Image.Resampling.BILINEAR))[..., ::-1]
        found = self.network(square.transpose(2, 0, 1)[None].astype(np.float32) / 255)[0]
        rows, columns = found.shape[1:]
        found = found.reshape(len(found), -1).T
        column, row = (grid.reshape(-1) for grid in np.meshgrid(np.arange(columns), np.arange(rows)))
        middle = np.stack([(column + np.tanh(found[:, 1])) / columns, (row + np.tanh(found[:, 2])) / rows], axis=1)
        extent = 1 / (1 + np.exp(-found[:, 3:5]))
        label = found[:, 5:].argmax(axis=1)
        score = found[:, 0] ** 0.6 * found[:, 5:].max(axis=1) ** 0.4
        corners = np.concatenate([middle - extent / 2, middle + extent / 2], axis=1) * np.tile(image.size, 2)
        some = score > LEAST_SCORE
        return suppress(clip(Boxes.of(corners[some], label[some], score[some]), image.size))


@dataclass(frozen=True, eq=False)
class TfliteSegmenter:
    """A segmenter with uint8 pixels in and class ids out. network: (1, side, side, 3) uint8 -> (1, H, W)."""

    name: str
    network: Network
    side: int

    def __call__(self, image: Image.Image) -> Labels:
        """Letterboxed at the upper left on middle grey; the rows and columns over the image are kept."""
        scale = self.side / max(image.size)
        width, height = (max(1, round(side * scale)) for side in image.size)
        canvas = np.full((1, self.side, self.side, 3), 127, np.uint8)
        canvas[0, :height, :width] = np.asarray(image.resize((width, height), Image.Resampling.BILINEAR))
        found = self.network(canvas)[0]
        rows, columns = (-(-found.shape[axis] * part // self.side) for axis, part in ((0, height), (1, width)))
        return np.asarray(found[:rows, :columns], dtype=np.int64)


def clip(boxes: Boxes, size: tuple[int, int]) -> Boxes:
    """The boxes within an image of (width, height); those that have no area there are dropped."""
    corners = np.clip(boxes.corners, 0, np.tile(np.asarray(size, np.float32), 2))
    some = (corners[:, 2:] > corners[:, :2]).all(axis=1)
    return Boxes(corners[some], boxes.labels[some], boxes.scores[some], boxes.crowd[some])


def suppress(boxes: Boxes, most_overlap: float = MOST_OVERLAP) -> Boxes:
    """Greedy non-maximum suppression within each class; the boxes that stay, by falling score."""
    order = np.argsort(-boxes.scores, kind="stable")
    corners, labels = boxes.corners[order], boxes.labels[order]
    stays = np.ones(len(order), bool)
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        close = overlaps(corners[rows], corners[rows]) > most_overlap
        kept = np.ones(len(rows), bool)
        for i in range(len(rows)):
            if kept[i]:
                kept[i + 1 :] &= ~close[i, i + 1 :]
        stays[rows] = kept
    best = order[stays]
    return Boxes(boxes.corners[best], boxes.labels[best], boxes.scores[best], boxes.crowd[best])


def overlaps(
    first: npt.NDArray[Any], second: npt.NDArray[Any], crowd: npt.NDArray[np.bool_] | None = None
) -> npt.NDArray[np.float64]:
    """(m, k) intersection over union of corners (m, 4) and (k, 4); over the area of `first` where second is a crowd."""
    a, b = first.astype(np.float64)[:, None], second.astype(np.float64)[None]
    shared = np.prod(np.maximum(np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2]), 0), axis=-1)
    area, other = (np.prod(x[..., 2:] - x[..., :2], axis=-1) for x in (a, b))
    union = area + other - shared
    if crowd is not None:
        union = np.where(crowd[None], area, union)
    return np.asarray(shared / np.maximum(union, 1e-12))


def prepare_torchmetrics(*modules: str) -> None:
    """Make torchmetrics ready for import. Raises UsageError where it, or a module that it needs, is missing."""
    for module in ("torchmetrics", "torchvision", *modules):
        if find_spec(module) is None:
            raise UsageError(f"this metric needs {module}; run: {_INSTALL}")
    import_torchvision()  # torchmetrics imports it, and stops where it does not fit this torch


def load_detector(file: str | Path) -> Detector:
    """A detector from an .onnx file: YOLOX or FastestDet with COCO's 80 classes, told apart by their shapes.

    Raises:
        SourceError: no such file, damaged, or no network of these two kinds.
        UsageError: onnxruntime is not installed.
    """
    network, (given, result) = _onnx(Path(file))
    name = Path(file).stem
    channels, depth = 5 + len(COCO_CLASSES), 3
    if len(given) == 4 and given[1] == depth and given[2] == given[3] and isinstance(given[2], int):
        side = given[2]
        if len(result) == 3 and result[1:] == [sum((side // stride) ** 2 for stride in (8, 16, 32)), channels]:
            return Yolox(name, network, side)
        if len(result) == 4 and result[1] == channels:
            return FastestDet(name, network, side)
    raise SourceError(f"{file}: takes {given} and gives {result}: neither YOLOX nor FastestDet with 80 classes")


def load_segmenter(file: str | Path) -> Segmenter:
    """A segmenter from a .tflite file with uint8 (1, side, side, 3) pixels in and (1, H, W) class ids out.

    Raises:
        SourceError: no such file, damaged, or of another kind.
        UsageError: ai-edge-litert is not installed.
    """
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError as error:
        raise UsageError(f"{file}: .tflite files need ai-edge-litert; run: {_INSTALL}") from error
    try:
        interpreter = Interpreter(model_content=Path(file).read_bytes(), num_threads=1)
        interpreter.allocate_tensors()
        given, result = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    except OSError as error:
        raise unreadable(file, error) from error
    except Exception as error:  # the runtime raises whatever a broken file leads it to
        raise SourceError(f"{file}: not a TensorFlow Lite network ({type(error).__name__})") from error
    shape = [int(side) for side in given["shape"]]
    if given["dtype"] != np.uint8 or shape != [1, shape[1], shape[1], 3] or len(result["shape"]) != 3:
        raise SourceError(f"{file}: takes {shape} and gives {[*result['shape']]}: not a segmenter of uint8 pixels")

    def network(pixels: npt.NDArray[Any]) -> npt.NDArray[Any]:
        interpreter.set_tensor(given["index"], pixels)
        interpreter.invoke()
        return np.asarray(interpreter.get_tensor(result["index"]))

    return TfliteSegmenter(Path(file).stem, network, shape[1])


def _onnx(file: Path) -> tuple[Network, tuple[list[Any], list[Any]]]:
    """The network in a file, and the shapes of its first input and output."""
    try:
        import onnxruntime
    except ImportError as error:
        raise UsageError(f"{file}: .onnx files need onnxruntime; run: {_INSTALL}") from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # one image at a time: more threads change sums, and little else
    options.log_severity_level = 3
    try:
        content = file.read_bytes()
        session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except OSError as error:
        raise unreadable(file, error) from error
    except Exception as error:  # the runtime raises whatever a broken file leads it to
        raise SourceError(f"{file}: not an ONNX network ({type(error).__name__})") from error
    given, result = session.get_inputs()[0], session.get_outputs()[0]

    def network(pixels: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return np.asarray(session.run([result.name], {given.name: pixels})[0])

    return network, (list(given.shape), list(result.shape))
