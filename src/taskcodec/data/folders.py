"""What lies in a folder and in those below it: each file once, and what could not be read or was left out."""

import os
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from taskcodec.data.items import Item, faulty
from taskcodec.data.left_behind import files_below, is_left_file, is_left_folder

STORE_FILE = "zarr.json"


@dataclass(frozen=True)
class Tree:
    """The files below a folder.

    Attributes:
        files: the path of each, by its POSIX name relative to the folder; in the order of names.
        faults: an item for each folder that cannot be read, or is read already by another name.
        skipped: how many files are hidden or left by other programs, by the place they lie in.
    """

    files: dict[str, str]
    faults: list[Item] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)


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
