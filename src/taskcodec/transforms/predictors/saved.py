"""Files of small predictors: weights, and what is needed to build the network that they are of.

One safetensors file; its metadata names the kind, the sizes, the classes and the format's version. Loading runs no code
from it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from torch import nn

from taskcodec.atomic import replacing
from taskcodec.errors import CorruptFileError, ForeignFileError, FutureVersionError, check_one_of, unreadable
from taskcodec.transforms.networks.pictures.pyramid import SmallSegmenter
from taskcodec.transforms.predictors.small import SmallClassifier, SmallDepth, small_detector

VERSION = 1
_NAME = "taskcodec.predictor"
_MOST_CHANNELS, _LEAST_WIDTHS = 4096, 4


@dataclass(frozen=True)
class SmallPredictor:
    """What a small predictor is.

    Attributes:
        kind: "detection", "segmentation", "depth" or "classification".
        widths: of its pyramid, multiples of 8.
        classes: their names; of depth none.
        typical: metres that a network of depth starts from.
        note: what it was trained on.
    """

    kind: str
    widths: tuple[int, ...]
    classes: tuple[str, ...] = ()
    typical: float = 1.0
    note: str = ""

    def build(self) -> nn.Module:
        """The network, untrained. Raises UsageError on a kind that is not known."""
        check_one_of("kind of predictor", self.kind, _KINDS)
        return _KINDS[self.kind](self)


_KINDS: dict[str, Callable[[SmallPredictor], nn.Module]] = {
    "detection": lambda of: small_detector(len(of.classes), of.widths),
    "segmentation": lambda of: SmallSegmenter(len(of.classes), of.widths),
    "depth": lambda of: SmallDepth(of.typical, of.widths),
    "classification": lambda of: SmallClassifier(len(of.classes), of.widths),
}


def save_small(network: nn.Module, of: SmallPredictor, file: str | Path) -> None:
    """Write a small predictor's file, weights in 16 bits. The file is there whole or not at all."""
    from safetensors.torch import save

    weights = {key: value.detach().cpu().half().contiguous() for key, value in network.state_dict().items()}
    said = json.dumps({"version": VERSION, **asdict(of)}, sort_keys=True)
    with replacing(file) as place:
        place.write_bytes(save(weights, metadata={_NAME: said}))


def load_small(file: str | Path) -> tuple[nn.Module, SmallPredictor]:
    """The network of a small predictor's file, frozen, and what it is.

    Raises SourceError where the file cannot be read, ForeignFileError where it is of another kind, CorruptFileError
    where it is damaged, FutureVersionError where a newer taskcodec wrote it.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        content = Path(file).read_bytes()
    except OSError as error:
        raise unreadable(file, error) from error
    of = _said(file, content)
    try:
        network = of.build()
        network.load_state_dict({key: value.float() for key, value in load(content).items()})
    except (SafetensorError, RuntimeError, ValueError) as error:
        raise CorruptFileError(f"{file}: a damaged file of a predictor ({str(error).splitlines()[0]})") from error
    return network.requires_grad_(False).eval(), of


def _said(file: str | Path, content: bytes) -> SmallPredictor:
    """What a file says of its network, checked before anything is built."""
    length = int.from_bytes(content[:8], "little")
    try:
        said = json.loads(json.loads(content[8 : 8 + length])["__metadata__"][_NAME])
        version = int(said.pop("version"))
    except (ValueError, LookupError, TypeError) as error:
        raise ForeignFileError(f"{file}: not a predictor's file of taskcodec ({type(error).__name__})") from error
    if version > VERSION:
        raise FutureVersionError(f"{file}: format version {version}, this taskcodec reads up to {VERSION}: upgrade it")
    try:
        widths, classes = (tuple(said.pop(key)) for key in ("widths", "classes"))
        of = SmallPredictor(widths=widths, classes=classes, **said)
    except (TypeError, LookupError) as error:
        raise CorruptFileError(f"{file}: says what no predictor of taskcodec has ({error})") from error
    names = all(isinstance(name, str) for name in classes)
    sound = of.kind in _KINDS and names and isinstance(of.typical, float) and 0 < of.typical < math.inf
    if not sound or len(widths) < _LEAST_WIDTHS or not all(_is_width(width) for width in widths):
        raise CorruptFileError(f"{file}: says what no predictor of taskcodec has ({of.kind}, {widths})")
    return of


def _is_width(width: object) -> bool:
    return isinstance(width, int) and 0 < width <= _MOST_CHANNELS and width % 8 == 0
