"""A network of an ONNX file in torch, node by node: onnxruntime gives no gradient, torch does.

The operators are those that detectors are exported with; another one is named in the error. Files' batch size and
picture size are forgotten: what the file reshapes to fixed sizes is flattened over rows and columns.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from taskcodec.errors import SourceError, needing_packages, unreadable

Attributes = dict[str, Any]


@dataclass(frozen=True)
class _Node:
    """One step: an operator, the names of what it takes, the name of what it gives, and its attributes."""

    operator: str
    inputs: tuple[str, ...]
    output: str
    attributes: Attributes


class OnnxNetwork(nn.Module):
    """The first input of an ONNX file -> its first output.

    Args:
        file: the .onnx file.

    Raises:
        SourceError: no such file, damaged, or with an operator that is not known here.
        UsageError: onnx is not installed.
    """

    def __init__(self, file: str | Path) -> None:
        super().__init__()
        graph, constants = _read(Path(file))
        self.nodes = [_node(node) for node in graph.node]
        unknown = sorted({node.operator for node in self.nodes} - OPERATORS.keys())
        if unknown:
            raise SourceError(f"{file}: operators that cannot be rebuilt in torch: {', '.join(unknown)}")
        self.given, self.result = graph.input[0].name, graph.output[0].name
        self.constants = {name: value for name, value in constants.items() if value.dtype.kind in "iu"}
        self.places = {}
        for place, (name, value) in enumerate(constants.items()):
            if value.dtype.kind == "f":
                self.register_buffer(f"weight{place}", torch.from_numpy(np.array(value)))
                self.places[name] = f"weight{place}"
        later = {name: place for place, node in enumerate(self.nodes) for name in node.inputs}
        self.done = [[name for name in set(node.inputs) if later[name] == i] for i, node in enumerate(self.nodes)]

    def forward(self, pictures: Tensor) -> Tensor:
        """(n, C, H, W) -> the file's output, with n in the place of the file's batch."""
        values: dict[str, Any] = {self.given: pictures}
        for node, done in zip(self.nodes, self.done, strict=True):
            taken = [self._value(values, name) for name in node.inputs]
            values[node.output] = OPERATORS[node.operator](taken, node.attributes)
            for name in done:
                values.pop(name, None)
        return torch.as_tensor(values[self.result])

    def _value(self, values: dict[str, Any], name: str) -> Any:
        if name in values:
            return values[name]
        return getattr(self, self.places[name]) if name in self.places else self.constants.get(name)


def _convolution(x: Sequence[Any], a: Attributes) -> Tensor:
    bias = x[2] if len(x) > 2 else None
    pads = a.get("pads", [0, 0, 0, 0])
    return F.conv2d(
        _padded(x[0], pads, 0.0), x[1], bias, a.get("strides", 1), 0, a.get("dilations", 1), a.get("group", 1)
    )


def _largest(x: Sequence[Any], a: Attributes) -> Tensor:
    pads = a.get("pads", [0, 0, 0, 0])
    return F.max_pool2d(_padded(x[0], pads, -torch.inf), a["kernel_shape"], a.get("strides", 1))


def _padded(x: Tensor, pads: Sequence[int], value: float) -> Tensor:
    """pads: rows above, columns left, rows below, columns right."""
    top, left, bottom, right = pads
    return F.pad(x, (left, right, top, bottom), value=value) if any(pads) else x


def _slice(x: Sequence[Any], a: Attributes) -> Tensor:
    starts, ends = x[1], x[2]
    axes = x[3] if len(x) > 3 else range(len(starts))
    steps = x[4] if len(x) > 4 else [1] * len(starts)
    places: list[Any] = [slice(None)] * x[0].ndim
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        places[int(axis)] = slice(int(start), int(end), int(step))
    return torch.as_tensor(x[0][tuple(places)])


def _resize(x: Sequence[Any], a: Attributes) -> Tensor:
    """Nearest neighbours at whole factors: any rounding gives the same there."""
    scales = [float(scale) for scale in x[2]]
    if a.get("mode") != b"nearest" or scales[:2] != [1, 1] or any(scale % 1 for scale in scales):
        raise SourceError(f"ONNX: can be resized by nearest neighbours at whole factors alone, found {scales}")
    return F.interpolate(x[0], scale_factor=scales[2:], mode="nearest")


def _reshape(x: Sequence[Any], a: Attributes) -> Tensor:
    if x[0].ndim != 4 or len(x[1]) != 3:
        raise SourceError(f"ONNX: can be reshaped from maps to rows of channels alone, found {x[1].tolist()}")
    return torch.as_tensor(x[0].flatten(2))


OPERATORS: dict[str, Callable[[Sequence[Any], Attributes], Tensor]] = {
    "Add": lambda x, a: x[0] + x[1],
    "Concat": lambda x, a: torch.cat(list(x), a["axis"]),
    "Conv": _convolution,
    "MaxPool": _largest,
    "Mul": lambda x, a: x[0] * x[1],
    "Relu": lambda x, a: F.relu(x[0]),
    "Reshape": _reshape,
    "Resize": _resize,
    "Sigmoid": lambda x, a: torch.sigmoid(x[0]),
    "Slice": _slice,
    "Transpose": lambda x, a: x[0].permute(a["perm"]),
}
"""What each operator makes of its inputs and attributes."""


def _node(node: Any) -> _Node:
    from onnx.helper import get_attribute_value

    attributes = {attribute.name: get_attribute_value(attribute) for attribute in node.attribute}
    return _Node(node.op_type, tuple(node.input), node.output[0], attributes)


def _read(file: Path) -> tuple[Any, dict[str, Any]]:
    """The graph in a file, and its constants."""
    with needing_packages():
        import onnx
        from onnx.numpy_helper import to_array
    try:
        model = onnx.load_from_string(file.read_bytes())
        onnx.checker.check_model(model)
    except OSError as error:
        raise unreadable(file, error) from error
    except Exception as error:  # the parser raises whatever a broken file leads it to
        raise SourceError(f"{file}: not an ONNX network ({type(error).__name__})") from error
    return model.graph, {weight.name: to_array(weight) for weight in model.graph.initializer}
