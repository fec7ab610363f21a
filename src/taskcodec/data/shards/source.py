"""Zip and tar shards: their members as items, in the order of the archive.

A member beside an image of the same key (its name up to the first dot), but with the extension of a label or a note,
belongs to that image (the WebDataset convention): KEY.cls holds its label as text, KEY.json as an entry named class,
label, category or target. Several images of one key, KEY.left.jpg and KEY.right.jpg, are samples of their own with that
one label. A name that comes again begins another sample of its key, with a label of its own.
"""

import json
import math
import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

from taskcodec.data.items import Item, faulty
from taskcodec.data.labels import LABEL_COLUMNS, labels_of_folders
from taskcodec.data.left_behind import Skipped, left_at, told
from taskcodec.data.remote.files import file_at
from taskcodec.data.shards.archives import DAMAGE, Member
from taskcodec.data.shards.archives import members as members_of
from taskcodec.errors import SourceError
from taskcodec.words import counted

SHARDS = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tbz", ".tar.xz", ".txz")
MAX_MEMBER_BYTES = 2**28
"""A member is read whole: larger ones are refused."""
_SIDE_FILES = (".cls", ".txt", ".json", ".csv", ".xml", ".yaml")
_MAX_LABEL_BYTES = 2**20
_SHOWN = 3
"""Names in one message."""


def shard_items(name: str, paths: Mapping[str, str]) -> tuple[list[Item], Skipped]:
    """The items of shards, and what is hidden in them or was left by other programs.

    `paths` are those of the shards, by the names that stand before their items' where there are several. A shard that
    cannot be opened is an item with that fault, unless it is the only one.
    """
    skipped = Counter[str]()
    archives: list[tuple[str, list[Member], str | None]] = []
    for shard, path in paths.items():
        members, fault = list[Member](), None
        try:
            for member in members_of(file_at(path)):
                if (place := left_at(member.name)) is None:
                    members.append(member)
                else:
                    skipped[place] += 1
        except (*DAMAGE, OSError) as error:
            fault = f"damaged or not an archive after {counted(len(members), 'file')} ({error or type(error).__name__})"
            if len(paths) == 1 and not members:
                raise SourceError(f"{path}: {fault}") from error
        archives.append((shard, members, fault))
    names = [member.name for _, members, _ in archives for member in members]
    classes = dict(zip(names, labels_of_folders(names), strict=True))
    items: list[Item] = []
    for shard, members, fault in archives:
        grouped, labelled = _grouped(members, "" if len(paths) == 1 else f"{shard}/", classes)
        if fault is not None:
            grouped, lost = _without_label(grouped, labelled)
            items.append(faulty(shard, " ".join(f"{fault}{lost}".split())))
        items.extend(grouped)
    if not items:
        raise SourceError(f"{name}: shards without files" + (f" but {told(skipped)}" if skipped else ""))
    return items, skipped


def _grouped(members: list[Member], prefix: str, classes: Mapping[str, str | None]) -> tuple[list[Item], list[bool]]:
    """The items of an archive, and which of them have a label of their own beside them; else their folders' class."""
    rounds = _rounds(members)
    images = [(member.name, at) for member, at in zip(members, rounds, strict=True) if not _is_side(member.name)]
    keys, stems = {(_key(name), at) for name, at in images}, {(_stem(name), at) for name, at in images}
    several = {key for key, _ in keys}
    labels, stray = dict[tuple[str, int], str](), dict[str, set[str]]()
    kept = []
    for member, at in zip(members, rounds, strict=True):
        key, stem = _key(member.name), _stem(member.name)
        if not (_is_side(member.name) and (key, at) in keys):
            kept.append((member, at))
            if key in several and _is_side(member.name) and (label := _label(member)) is not None:
                stray.setdefault(key, set()).add(label)
        # KEY.2.cls is the label of KEY.2.jpg, or of nothing: names with dots in them are not all of one key.
        elif (
            (stem, at) not in labels and ((stem, at) in stems or stem == key) and (label := _label(member)) is not None
        ):
            labels[stem, at] = label
    own = [labels.get((_stem(member.name), at)) or labels.get((_key(member.name), at)) for member, at in kept]
    # Where labels of a key are left over, which of its images each belongs to is unknown, unless all are the same.
    own = [
        label if stray.get(_key(member.name), {label}) == {label} else None
        for (member, _), label in zip(kept, own, strict=True)
    ]
    items = [
        Item(
            prefix + member.name,
            member.size,
            label or (None if _key(member.name) in stray else classes[member.name]),
            member.read,
            _fault_of(member, stray),
        )
        for (member, _), label in zip(kept, own, strict=True)
    ]
    return items, [label is not None for label in own]


def _rounds(members: list[Member]) -> list[int]:
    """For each member how often its key began anew before: a name that the key has already begins another sample."""
    rounds, seen, found = dict[str, int](), dict[str, set[str]](), list[int]()
    for member in members:
        key = _key(member.name)
        if member.name in seen.setdefault(key, set()):
            rounds[key] = rounds.get(key, 0) + 1
            seen[key] = set()
        seen[key].add(member.name)
        found.append(rounds.get(key, 0))
    return found


def _fault_of(member: Member, stray: Mapping[str, set[str]]) -> str | None:
    if _is_side(member.name) and _key(member.name) in stray:
        return "beside an image of its name that has such a file already"
    return "larger than an image may be" if member.size > MAX_MEMBER_BYTES else None


def _without_label(items: list[Item], labelled: list[bool]) -> tuple[list[Item], str]:
    """The items of a damaged archive, and in words which lost their label: those without one, where others have one.

    The folder such an item lies in is no label then.
    """
    if not any(labelled):
        return items, ""
    lost = [item.id for item, has in zip(items, labelled, strict=True) if not has]
    items = [item if has else replace(item, label=None) for item, has in zip(items, labelled, strict=True)]
    more = f" and {len(lost) - _SHOWN:,} more" if len(lost) > _SHOWN else ""
    return items, f"; without their label: {', '.join(lost[:_SHOWN])}{more}" if lost else ""


def _is_side(name: str) -> bool:
    return name.lower().endswith(_SIDE_FILES)


def _stem(name: str) -> str:
    return os.path.splitext(name)[0]


def _key(name: str) -> str:
    """Up to the first dot of the file's name, as WebDataset has it: several files are one sample."""
    folder, slash, file = name.rpartition("/")
    return folder + slash + file[:1] + file[1:].partition(".")[0]


def _label(member: Member) -> str | None:
    if not member.name.lower().endswith((".cls", ".json")) or member.size > _MAX_LABEL_BYTES:
        return None
    try:
        text = member.read().decode("utf-8", "replace").strip()
        if member.name.lower().endswith(".cls"):
            return text or None
        content = json.loads(text)
        found = next((content[name] for name in ("cls", *LABEL_COLUMNS) if name in content), None)
    except (SourceError, OSError, ValueError, TypeError, RecursionError):
        return None  # a label that cannot be read is none; the image is still one
    if isinstance(found, float):  # a whole number is the same class however it is written; NaN is none
        return f"{found:.0f}" if found.is_integer() else str(found) if math.isfinite(found) else None
    return str(found) if isinstance(found, str | int) else None
