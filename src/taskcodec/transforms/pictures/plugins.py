"""Formats that Pillow reads with the help of another package, which is imported at the first file of that format."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any

from taskcodec.errors import SourceError

HEAD_BYTES = 16
"""What tells a format lies in so many bytes."""
_HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1")


def _nothing(module: Any) -> None:
    pass


@dataclass(frozen=True)
class Plugin:
    """A package that reads a format.

    Attributes:
        format: as Pillow calls it.
        words: as people do.
        module: to import, which registers the format ...
        register: ... or is told to.
        package: what to install.
    """

    format: str
    words: str
    module: str
    package: str
    register: Callable[[Any], None] = _nothing


_HEIF = Plugin("HEIF", "HEIC", "pillow_heif", "pillow-heif", lambda module: module.register_heif_opener())
_JXL = Plugin("JXL", "JPEG XL", "pillow_jxl", "pillow-jxl-plugin")
_AVIF = Plugin("AVIF", "AVIF", "pillow_avif", "pillow-avif-plugin")  # which Pillow itself reads from 11.3 on


def plugin_of(head: bytes) -> Plugin | None:
    """The plugin for a file that begins with these bytes; None for formats that need none."""
    if head.startswith((b"\xff\x0a", b"\x00\x00\x00\x0cJXL \r\n\x87\n")):
        return _JXL
    if head[4:8] == b"ftyp":
        return _HEIF if head[8:12] in _HEIC_BRANDS else _AVIF if head[8:12] in (b"avif", b"avis") else None
    return None


@cache
def register(plugin: Plugin) -> None:
    """Have Pillow read the format from now on. Raises SourceError with what to install where the package is missing."""
    try:
        plugin.register(import_module(plugin.module))
    except ImportError as error:
        raise SourceError(f"{plugin.words}: run pip install {plugin.package}") from error
