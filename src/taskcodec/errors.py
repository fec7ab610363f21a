"""The errors that taskcodec raises on purpose.

Every message is one line that names the file (or argument), what was expected and what was found, so that a command
can print it as it is. Code that catches `TaskcodecError` catches all of them.
"""

import os
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from numbers import Real
from typing import Any

TERMINATED = 143
"""The exit code that shells give a command that SIGTERM ended."""
_EXTRAS = {
    **dict.fromkeys(("lightning", "kornia", "yaml"), "train"),
    **dict.fromkeys(("timm", "open_clip", "transformers", "torchvision", "onnxruntime"), "backbones"),
    **dict.fromkeys(("faiss", "bjontegaard"), "evaluation"),
    "s3fs": "s3",
    **dict.fromkeys(("torchmetrics", "pycocotools", "ai_edge_litert", "onnx"), "dense"),
    **dict.fromkeys(("pillow_jxl", "lepton_jpeg_python"), "layers"),
    "ray": "ray",
}
"""Which extra brings a package; `images` brings all others ..."""
_ALONE = {"pandas"}
"""... but these, which are installed by their own names."""


class TaskcodecError(Exception):
    """Base of every error that taskcodec raises on purpose."""


class UsageError(TaskcodecError):
    """An argument or a combination of arguments that cannot be carried out."""


class SourceError(TaskcodecError):
    """A source of data is missing, unreadable, empty or of a kind that is not supported."""


class ForeignFileError(TaskcodecError):
    """The file or folder is not one of ours."""


class FutureVersionError(TaskcodecError):
    """The file was written by a newer taskcodec with a format this one does not know."""


class CorruptFileError(TaskcodecError):
    """The file is ours, but its bytes are damaged, truncated or inconsistent."""


class MismatchError(TaskcodecError):
    """Two things that must belong together (codec and store, codec and features, shapes) do not."""


class UnknownIdError(TaskcodecError, KeyError):
    """A store holds no sample of this id."""

    __str__ = Exception.__str__  # a KeyError puts its message in quotes


class BackboneError(TaskcodecError):
    """A backbone is unknown, not installed, not at hand offline, or its weights are not the recorded ones."""


class StorageError(TaskcodecError):
    """Writing failed (no space left, no permission, a second writer); what was committed before is sound."""


class NetworkError(TaskcodecError):
    """A service did not answer, or not as it should, however often it was asked; the same command goes on later."""


class ProcessError(TaskcodecError):
    """One of the processes that work together ended before its work was done; what was checkpointed is sound."""


class UnfinishedWarning(UserWarning):
    """A store was opened that holds part of its samples: its encode, or an append to it, was stopped."""


class EncodeWarning(UserWarning):
    """What an encode says of its source, its rate or its place; the command prints such lines."""


class SkippedWarning(UserWarning):
    """Samples of a source were left out, since they could not be read."""


def shortened(value: object) -> str:
    """A value as found, for a line: a whole number may have hundreds of digits."""
    text = str(value)
    return text if len(text) <= 40 else f"{text[:40]}..."


def check_one_of(what: str, value: object, known: Collection[str], fault: type[TaskcodecError] = UsageError) -> None:
    """Raise unless a value is a known one."""
    if value not in known:
        found = shortened(value) if isinstance(value, str) else value
        raise fault(f"{what} must be one of {', '.join(known)}, found {found!r}")


def check_kind(what: str, value: object, kinds: type | tuple[type, ...], expected: str) -> None:
    """Raise UsageError unless an argument is of the kind that is expected, in words."""
    if not isinstance(value, kinds):
        raise UsageError(f"{what} must be {expected}, found {type(value).__name__}")


def check_number(what: str, value: object) -> None:
    """Raise UsageError unless an argument is a number, or None."""
    check_kind(what, value, (Real, type(None)), "a number")


def as_name(what: str, value: object, expected: str = "the name of a file or folder") -> str:
    """A name as text, of text or a path. Raises UsageError on anything else."""
    check_kind(what, value, (str, os.PathLike), expected)
    assert isinstance(value, str | os.PathLike)
    return os.fsdecode(value)


def listed(given: Any) -> list[Any]:
    """One or several, as a list; what is no sequence stands alone."""
    return [given] if isinstance(given, str | bytes) or not isinstance(given, Sequence) else list(given)


def unreadable(what: object, error: Exception) -> SourceError:
    """What to raise where a file or folder is there, but cannot be read."""
    return SourceError(f"{what}: cannot be read ({getattr(error, 'strerror', None) or error})")


def missing_package(error: ImportError) -> str:
    """The line for a package that is not installed, with what installs it."""
    name = (error.name or str(error)).partition(".")[0]
    what = name if name in _ALONE else f"'taskcodec[{_EXTRAS.get(name, 'images')}]'"
    return f"{name} is not installed; run: pip install {what}"


@contextmanager
def needing_packages() -> Iterator[None]:
    """Raise UsageError, with what installs it, where a package that is imported inside is not there."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise UsageError(missing_package(error)) from error
