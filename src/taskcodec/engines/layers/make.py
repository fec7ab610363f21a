"""What is kept of a file beside its features: a small picture, the file itself."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from taskcodec.engines.layers.wanted import Wanted
from taskcodec.errors import SourceError, UsageError

if TYPE_CHECKING:
    from taskcodec.data.items import Item


@dataclass(frozen=True)
class Unpacked:
    """A small file that is yet to be packed, with others."""

    file: bytes


Content = bytes | Unpacked
Maker = Callable[[Any], Content]
"""What `Item.read` gives (but bytes instead of a path) -> what is kept, b"" for nothing."""


def maker_of(wanted: Wanted, keep_truncated: bool) -> Maker:
    """What makes a layer. Raises UsageError where this Pillow writes no AVIF."""
    if wanted.picture_bytes is None:
        return _original
    from PIL import features

    if not features.check("avif"):
        raise UsageError("--layers picture: this Pillow writes no AVIF; run: pip install 'taskcodec[layers]'")
    target = wanted.picture_bytes
    return lambda found: _picture(found, target, keep_truncated)


def read_whole(item: Item) -> Any:
    """What `read_image` takes of an item, a file as its bytes, so that it is read once. Raises as `Item.read` does."""
    found = item.read()
    if not isinstance(found, str | os.PathLike):
        return found
    with open(found, "rb") as file:
        return file.read()


def made(item: Item, makers: Sequence[Maker]) -> list[Content]:
    """What each layer keeps of an item; nothing of one that cannot be read."""
    try:
        found = None if item.fault is not None else read_whole(item)
    except (SourceError, OSError):
        found = None
    return [b"" if found is None else make(found) for make in makers]


def packed(contents: Sequence[Content]) -> list[bytes]:
    """What is kept of several samples, once their small files are packed."""
    from taskcodec.transforms.originals.pack import pack_all

    small = iter(pack_all([each.file for each in contents if isinstance(each, Unpacked)]))
    return [next(small) if isinstance(each, Unpacked) else each for each in contents]


def _original(found: Any) -> Content:
    from taskcodec.transforms.originals.pack import is_small, pack

    if not isinstance(found, bytes):
        return b""
    return Unpacked(found) if is_small(found) else pack(found)


def _picture(found: Any, target: int, keep_truncated: bool) -> bytes:
    from taskcodec.transforms.pictures.images import image_size, read_image
    from taskcodec.transforms.pictures.small import side_needed, small_picture

    side = None
    with suppress(Exception):  # Pillow raises whatever a broken file leads it to; reading it whole tells
        side = side_needed(image_size(found), target) if isinstance(found, bytes) else None
    try:
        return small_picture(read_image(found, side, keep_truncated=keep_truncated).image, target)
    except SourceError:
        return b""  # the sample's record says why it cannot be read
