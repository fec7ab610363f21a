"""What other programs leave in folders of pictures: thumbnails, caches, trash, notes of file systems. Not samples.

Whatever is hidden (its name begins with a dot) counts as such, as in other loaders of image folders. None of it becomes
an item or a class; it is counted, so that nothing is left out unseen.
"""

import os
from collections import Counter
from collections.abc import Mapping

from taskcodec.words import counted

_FOLDERS = frozenset(
    {
        *("__macosx", "network trash folder", "temporary items"),  # macOS, here and on shares
        *("$recycle.bin", "recycler", "recycled", "system volume information"),  # Windows
        *("@eadir", "#recycle", "#snapshot", "@recycle", "@recently-snapshot", "@tmp"),  # Synology, QNAP
        *("lost+found", "__pycache__"),
    }
)
_FILES = frozenset({"thumbs.db", "ehthumbs.db", "ehthumbs_vista.db", "desktop.ini", "icon\r"})
_SHOWN = 5
"""Folders in one line."""
Skipped = Mapping[str, int]
"""How many files were left out, by the hidden folder (`cat/.git/`) or the hidden file (`cat/.DS_Store`) they lie in."""


def is_left_folder(name: str) -> bool:
    """Whether a folder of this name (without the folders it lies in) holds no samples."""
    return (name.startswith(".") and name not in (".", "..")) or is_tools_folder(name)


def is_tools_folder(name: str) -> bool:
    """Whether a folder bears a name that other programs give, hidden or not: one that is no class in a list either."""
    return name.lower() in _FOLDERS or name.lower().startswith((".ipynb_checkpoints", ".trash", ".thumbnails"))


def is_left_file(name: str) -> bool:
    """Whether a file of this name (without its folders) is no sample."""
    return name.startswith(".") or name.lower() in _FILES


def left_at(name: str) -> str | None:
    """Of a file in an archive, by its name with all folders: what `Skipped` counts it by; None for one to keep."""
    *folders, file = name.split("/")
    for at, folder in enumerate(folders):
        if is_left_folder(folder):
            return "/".join(folders[: at + 1]) + "/"
    return name if is_left_file(file) else None


def files_below(folder: str) -> int:
    """How many files lie in a folder, however deep; links are not followed."""
    return 1 if os.path.islink(folder) else sum(len(files) for _, _, files in os.walk(folder))


def told(skipped: Skipped) -> str:
    """What was left out, in words; "" where nothing was."""
    if not any(skipped.values()):
        return ""
    folders, files = Counter[str](), list[str]()
    for place, count in skipped.items():
        if place.endswith("/"):
            folders[place.rstrip("/").rpartition("/")[2]] += count
        else:
            files.append(place)
    parts = [f"{count:,} in {name}" for name, count in folders.most_common(_SHOWN) if count]
    if rest := folders.total() - sum(count for _, count in folders.most_common(_SHOWN)):
        parts.append(f"{rest:,} in {len(folders) - _SHOWN:,} other folders")
    if files:
        parts.append(f"{len(files):,} on {'its' if len(files) == 1 else 'their'} own (such as {files[0]})")
    total = sum(skipped.values())
    return f"{counted(total, 'file')} hidden or left by other programs: {', '.join(parts)}"
