"""What a source of images is made of: one item for every file, also for those that turn out to be no image."""

import hashlib
import os
import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any, Literal

from taskcodec.data.file_digest import pieces
from taskcodec.data.labels import LabelTable, labels_of_folders
from taskcodec.data.left_behind import Skipped
from taskcodec.data.remote.files import RemoteFile, read_whole
from taskcodec.errors import SourceError
from taskcodec.names import distinct_names, name_of_file

MAX_ITEM_BYTES = 2**30
_DIGEST_ITEMS, _DIGEST_BYTES = 256, 4096
_TOO_LARGE = "larger than an image may be"
Truncated = Literal["keep", "skip"]


@dataclass(frozen=True)
class Item:
    """One file of a source.

    Attributes:
        id: text, unique in the source: its relative POSIX path, in a shard after the shard's name.
        size: in bytes; None where only reading it tells.
        label: its class, or None.
        read: gives what `read_image` takes (a path or bytes); raises SourceError or OSError.
        fault: why it need not be tried, or None.
        stamp: what changes with its content, where who keeps it tells; "" where only reading it does.
        raw: the name that is no text and `id` stands for, with surrogates in place of its bytes; else "".
    """

    id: str
    size: int | None
    label: str | None
    read: Callable[[], Any]
    fault: str | None = None
    raw: str = ""
    stamp: str = ""


@dataclass(frozen=True)
class ImageSource:
    """Files that should be images.

    Attributes:
        name: of the folder, list or shard.
        items: the files.
        skipped: what else lies there, but hidden or left by other programs: no items, but counted.
        files: where the items lie, in files of many; by these the source is known, and not by each item.
        marks: what else tells such a source from others: the column that was chosen, the names of files.
        truncated: whether JPEG files that lack their end are kept, where most is there, or skipped.
    """

    name: str
    items: Sequence[Item]
    kind: str = "images"
    skipped: Skipped = field(default_factory=dict)
    files: tuple[str, ...] = ()
    marks: str = ""
    truncated: Truncated = "keep"

    def __len__(self) -> int:
        return len(self.items)

    @property
    def keeps_truncated(self) -> bool:
        """Whether JPEG files that lack their end are read."""
        return self.truncated == "keep"

    def descriptor(self) -> dict[str, Any]:
        """What tells this source from another when an encode is resumed."""
        found = {"kind": self.kind, "count": len(self), "sha256": self._sha256}
        return found if self.keeps_truncated else {**found, "truncated": self.truncated}

    @cached_property
    def _sha256(self) -> str:
        digest = hashlib.sha256()
        if self.files:
            digest.update(f"{len(self)}\n{self.marks}\n".encode("utf-8", "surrogateescape"))
            for piece in pieces(self.files):
                digest.update(piece)
            return digest.hexdigest()
        for item in self.items:
            stamp = f"\0{item.stamp}" if item.stamp else ""
            digest.update(f"{item.raw or item.id}\0{item.size}{stamp}\n".encode("utf-8", "surrogateescape"))
        # Uncompressed images keep their size whatever is in them: some of the content too, of files spread evenly.
        parts = min(len(self), _DIGEST_ITEMS)
        for part in range(parts):
            digest.update(_part_of(self.items[part * len(self) // parts]))
        return digest.hexdigest()

    def with_labels(self, labels: dict[str, str]) -> "ImageSource":
        """The same items with labels from a table."""
        table = LabelTable(labels)
        return replace(self, items=[replace(item, label=table.of(item.id)) for item in self.items])


def file_item(path: str, name: str) -> Item:
    """The item of a file on disk; whatever keeps it from being read is its fault."""
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return faulty(name, "link to nothing" if os.path.islink(path) else "no such file")
    except (OSError, ValueError) as error:  # ValueError: a name with a zero byte, from a list
        return faulty(name, f"cannot be read ({getattr(error, 'strerror', None) or error})".lower())
    if not stat.S_ISREG(status.st_mode):
        return faulty(name, "not a regular file")
    fault = _TOO_LARGE if status.st_size > MAX_ITEM_BYTES else None
    return Item(name, status.st_size, None, lambda: path, fault)


def remote_item(file: RemoteFile, name: str) -> Item:
    """The item of a file under a URL."""
    fault = _TOO_LARGE if file.size > MAX_ITEM_BYTES else None
    return Item(name, file.size, None, partial(read_whole, file.url, file.path), fault, stamp=file.stamp)


def _part_of(item: Item) -> bytes:
    """Some bytes from the middle of an item; none of one that cannot be read."""
    if item.stamp:
        return b""
    try:
        found = item.read()
        if isinstance(found, bytes):
            return hashlib.sha256(found).digest()
        with open(found, "rb") as file:
            file.seek(max((item.size or 0) - _DIGEST_BYTES, 0) // 2)
            return file.read(_DIGEST_BYTES)
    except (SourceError, OSError):
        return b""


def faulty(name: str, fault: str) -> Item:
    """An item that is there only to be accounted for."""
    return Item(name, 0, None, lambda: b"", fault)


def labelled_by_folders(items: Sequence[Item]) -> list[Item]:
    """The items with the classes that their folders name."""
    labels = labels_of_folders([item.id for item in items])
    return [replace(item, label=label) for item, label in zip(items, labels, strict=True)]


def distinct(items: Sequence[Item]) -> list[Item]:
    """The items with ids that are text (`name_of_file`), and no two alike, as `distinct_names` makes them."""
    given = distinct_names([item.id for item in items])
    names = distinct_names([name_of_file(name) for name in given])
    return [
        replace(item, id=name, raw="" if raw == name else raw) if (item.id, raw) != (name, name) else item
        for item, raw, name in zip(items, given, names, strict=True)
    ]
