"""Importing torchvision, which fails where it was built for another torch."""

import re
import sys
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import torch

from taskcodec.errors import BackboneError

_declared: list[Any] = []  # torch forgets an operator when the library that declared it is collected


def import_torchvision() -> None:
    """Import torchvision even where its compiled operators do not fit this torch.

    A processor-only torch cannot load operators that were built for CUDA, and torchvision then stops on the first
    one it wants to describe. The models need none of them, so the missing names are declared, and calling one fails.
    """
    for _ in range(64):
        try:
            import_module("torchvision")
            return
        except ImportError as error:
            raise BackboneError("this backbone needs torchvision; run: pip install 'taskcodec[backbones]'") from error
        except RuntimeError as error:
            missing = re.search(r"operator torchvision::(\w+) does not exist", str(error))
            if missing is None:
                raise BackboneError(f"torchvision does not fit this torch: {error}") from error
            if not _declared:
                _declared.append(torch.library.Library("torchvision", "DEF"))  # type: ignore[no-untyped-call]
            _declared[0].define(f"{missing[1]}(Tensor x) -> Tensor")
            for module in [m for m in sys.modules if m.split(".")[0] == "torchvision"]:
                del sys.modules[module]


def has_torchvision() -> bool:
    """Whether torchvision is installed, without importing it."""
    return find_spec("torchvision") is not None
