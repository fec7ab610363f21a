"""What lies in a folder and in those below it: each file once, and what could not be read or was left out."""

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from taskcodec.data.items import Item, faulty
from taskcodec.data.left_behind import Skipped, files_below, is_left_file, is_left_folder, left_at
from taskcodec.data.remote.files import RemoteFile, file_at, listed, opened

STORE_FILE = "zarr.json"
IMAGES = (
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".bmp", ".dib", ".tif", ".tiff", ".avif", ".heic",
    ".heif", ".jp2", ".j2k", ".jpx", ".jxl", ".ppm", ".pgm", ".pbm", ".pnm", ".ico", ".psd", ".qoi", ".dds", ".sgi",
    ".pcx", ".tga",
)  # fmt: skip
_IMAGE_STARTS = (b"\xff\xd8\xff", b"\x89PNG\r\n", b"GIF8", b"II*\0", b"MM\0*")
_LOOKED_AT = 64


@dataclass(frozen=True)
class Tree:
    """The files below a folder.

    Attributes:
        files: the path of each, or what its listing tells, by its POSIX name relative to the folder; in the order of
            names.
        faults: an item for each folder that cannot be read, or is read already by another name.
        skipped: how many files are hidden or left by other programs, by the place they lie in.
    """

    files: Mapping[str, str | RemoteFile]
    faults: list[Item] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class Files:
    """Files of one kind that make a source.

    Attributes:
        name: of the source.
        paths: of the files, by the names that its samples get; in their order.
        column: that its user names, or None.
        beside: items for what lies with them and is none of them.
        skipped: how many files are hidden or left by other programs, by the place they lie in.
    """

    name: str
    paths: Mapping[str, str]
    column: str | None = None
    beside: Sequence[Item] = ()
    skipped: Skipped = field(default_factory=dict)


def walk(root: Path) -> Tree:
    """Names alone are read. A store in the folder is no part of it: it may be the one being written now."""
    files, faults, skipped = dict[str, str](), list[Item](), Counter[str]()
    seen: set[tuple[int, int]] = set()
    # Real folders first, links to folders after them, so that files get the name where they lie.
    waiting, links = [(str(root), "")], list[tuple[str, str]]()
    while waiting or links:
        folder, relative = waiting.pop() if waiting else links.pop(0)
        try:
            status = os.stat(folder)
            if (status.st_dev, status.st_ino) in seen:
                faults.append(faulty(relative, "a link to a folder that is read already"))
                continue
            seen.add((status.st_dev, status.st_ino))
            with os.scandir(folder) as entries:
                found = sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            faults.append(faulty(relative or ".", f"folder cannot be read ({error.strerror})"))
            continue
        if relative and any(entry.name == STORE_FILE for entry in found):
            continue
        for entry in found:
            name = f"{relative}/{entry.name}" if relative else entry.name
            try:
                is_folder = entry.is_dir()
            except OSError:
                is_folder = False  # a link that loops: file_item tells its fault
            if is_folder and is_left_folder(entry.name):
                skipped[f"{name}/"] += files_below(entry.path)
            elif is_folder:
                (links if entry.is_symlink() else waiting).append((entry.path, name))
            elif is_left_file(entry.name):
                skipped[name] += 1
            else:
                files[name] = entry.path
    return Tree(dict(sorted(files.items())), faults, skipped)


def walk_url(url: str) -> Tree:
    """The same of what lies under a URL, by one listing; it has no folders but in the names of its files.

    Raises SourceError where it cannot be listed, NetworkError where its service does not answer.
    """
    found = dict(listed(url))
    stores = {name.removesuffix(STORE_FILE) for name in found if name.endswith(f"/{STORE_FILE}")}
    files, faults, skipped = dict[str, RemoteFile](), list[Item](), Counter[str]()
    for name in sorted(found):
        if not stores.isdisjoint(_folders_of(name)):
            continue
        if not name or name.endswith("/"):  # how some programs mark a folder
            if found[name].size:
                faults.append(faulty(name or "/", "a file whose name ends with a slash, as those of folders do"))
        elif (place := left_at(name)) is not None:
            skipped[place] += 1
        else:
            files[name] = found[name]
    return Tree(files, faults, skipped)


def _folders_of(name: str) -> list[str]:
    """Those that a file lies in, each with a slash at its end."""
    return [name[: at + 1] for at, letter in enumerate(name) if letter == "/"]


def looks_like_image(files: Mapping[str, str | RemoteFile]) -> list[str]:
    """Of some of these files, spread over them, the names of those that begin as images do, whatever their names."""
    names, found = list(files), list[str]()
    count = min(len(names), _LOOKED_AT)
    for name in (names[at * len(names) // count] for at in range(count)):
        with suppress(OSError):
            file = file_at(files[name])
            if isinstance(file, RemoteFile) or file.is_file():
                with opened(file, blocks=False) as stream:
                    head = stream.read(12)
                found += [name] * (head.startswith(_IMAGE_STARTS) or (head[:4], head[8:]) == (b"RIFF", b"WEBP"))
    return found
