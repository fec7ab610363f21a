"""What a store remembers of the sources that went into it: the same command resumes, and no source goes in twice.

The manifest's `source` is the request that the store was begun with, together with `appended`: for each source added
later its descriptor and the `first_index` that its samples count from.
"""

from collections.abc import Iterable
from typing import Any, Literal

import pyarrow.compute as pc

from taskcodec.codec import Codec
from taskcodec.data.sources import FeatureSource, ImageSource, Source
from taskcodec.errors import MismatchError, StorageError
from taskcodec.store import Store
from taskcodec.store.format.manifest import Manifest

Entry = dict[str, Any]
Action = Literal["new", "resume", "append", "nothing"]


class Names:
    """Names that no earlier sample of a store has: a second NAME becomes NAME#2, the next NAME#3, and so on."""

    def __init__(self, taken: Iterable[str]) -> None:
        self._taken, self._numbers = set(taken), dict[str, int]()
        self.changed = 0

    def give(self, name: str) -> str:
        """The name, changed where it is taken; it is taken from now on."""
        found, number = name, self._numbers.get(name, 2)
        while found in self._taken:
            found, number = f"{name}#{number}", number + 1
        if found != name:
            self._numbers[name] = number
            self.changed += 1
        self._taken.add(found)
        return found


def names_for(source: Source, first_index: int, store: Store | None) -> Names | None:
    """Who names a source's samples; None where the source's own names are unique and there are no others."""
    own = isinstance(source, ImageSource) or source.ids is None or source.unique_ids
    if own and not first_index:
        return None
    return Names([] if store is None else store.records["id"].to_pylist())


def is_same(manifest: Manifest, request: dict[str, Any]) -> bool:
    """Whether a store was begun with this request. A codec that was not named may be fitted anew: any is the same."""
    stored = {key: value for key, value in manifest.source.items() if key != "appended"}
    if not request["named"]:
        stored, request = {**stored, "codec": None}, {**request, "codec": None}
    return stored == request


def plan(store: Store, name: str, source: Source, request: Entry, append: bool) -> tuple[Action, int]:
    """What a request comes to in the store `name`, and the `source_index` of the source's first sample.

    It is "resume" where a stopped run stopped, "append" for a source that is yet to be appended, or "nothing". Raises
    StorageError where the request would mix with something else.
    """
    manifest = store.manifest
    appended = _appended(manifest)
    unfinished = manifest.state != "complete"
    if not append:
        if not is_same(manifest, request):
            if _descriptor(manifest.source) == _descriptor(request):
                raise StorageError(
                    f"{name}: the same source lies there, encoded with {_options(manifest.source, request)}; give the "
                    "same options, replace it (--overwrite) or name another place"
                )
            raise StorageError(f"{name}: {_mismatch(store, source, unfinished)}")
        if unfinished and appended:
            raise StorageError(f"{name}: an append to it is unfinished; run that command again")
        return "resume" if unfinished else "nothing", 0
    wanted = _descriptor(request)
    entries = [_descriptor(entry) for entry in (manifest.source, *appended)]
    if not unfinished:
        firsts = [0, *(int(entry["first_index"]) for entry in appended)]
        return ("nothing", firsts[entries.index(wanted)]) if wanted in entries else ("append", _next_index(store))
    if not appended or entries[-1] != wanted:
        raise StorageError(f"{name}: unfinished; run the command that it was stopped in again, then append")
    return "resume", int(appended[-1]["first_index"])


def _next_index(store: Store) -> int:
    last = [pc.max(indices).as_py() for (indices,) in store.tables("source_index", failures=True)]
    return max((int(index) for index in last), default=-1) + 1


def with_appended(manifest: Manifest, source: Source, first_index: int) -> dict[str, Any]:
    """The manifest's `source` once this source is appended."""
    entry = {**source.descriptor(), "first_index": first_index}
    return {**manifest.source, "appended": [*_appended(manifest), entry]}


def check_fits(store: Store, name: str, source: Source, codec: Codec | None, codec_name: str) -> None:
    """Raise MismatchError unless this source, with this codec where one is given, can be added to a store."""
    if isinstance(source, FeatureSource) and source.dimension != store.manifest.dimension:
        raise MismatchError(
            f"{source.name}: features of {source.dimension} numbers, the store {name} holds {store.manifest.dimension}"
        )
    if codec is None:
        return
    own = store.codec
    origins = (own.fingerprint, own.provenance.get("adapted_from"), store.manifest.source.get("codec"))
    if codec.fingerprint not in origins:
        raise MismatchError(
            f"{codec_name}: neither the codec of the store {name} ({own.fingerprint[:12]}) nor the one that was "
            f"refitted to it; leave --codec out: what is appended is coded with the store's own"
        )


def _descriptor(entry: Entry) -> list[Any]:
    return [entry.get(key) for key in ("kind", "count", "sha256")]


def _mismatch(store: Store, source: Source, unfinished: bool) -> str:
    """Why a source is not that of a store, and what to do about it."""
    changes, count = _changes(store, source, unfinished), store.manifest.source.get("count")
    if unfinished:
        if changes is None:
            first = store.records["id"][0]
            return (
                f"an unfinished store of another source than {source.name} lies there ({count} samples, such as "
                f"{first}): run the command that it was stopped in again, replace it (--overwrite), or name another "
                "place"
            )
        since = f"; since then, {changes}" if changes else ""
        whose = "this source as it was" if changes else "another source, or this one as it was"
        return (
            f"unfinished, and begun with {whose} ({count} samples{since}); undo the "
            "change and run the same command again, begin anew (--overwrite) or name another place"
        )
    if changes:
        return (
            f"it holds {source.name} as it was; since then, {changes}: encode all of it anew (--overwrite), or append "
            "what is new alone, by a list of those files (--append)"
        )
    return "a store of something else lies there; append to it (--append) or replace it (--overwrite)"


def _changes(store: Store, source: Source, unfinished: bool) -> str | None:
    """How a source differs from the files that a store records; "" where that cannot be told.

    None where fewer than half of the files of either are in both: these are other files, if of the same names.
    """
    if not isinstance(source, ImageSource) or not len(store.records):
        return ""
    then = dict(zip(*(store.records[name].to_pylist() for name in ("id", "source_bytes")), strict=True))
    now = {item.id: item.size for item in source.items}
    both = then.keys() & now.keys()
    alike = sum(now[name] in (None, then[name]) for name in both)
    if 2 * alike < min(len(then), len(now)):
        return None
    kinds = {
        "new": [] if unfinished else [name for name in now if name not in then],
        "gone": [name for name in then if name not in now],
        "of another size": [name for name in then if name in both and now[name] not in (None, then[name])],
    }
    if not any(kinds.values()):
        return "" if unfinished else "contents have changed"
    return ", ".join(f"{len(names):,} {what} ({names[0]})" for what, names in kinds.items() if names)


def _options(stored: Entry, request: Entry) -> str:
    """The options that a store was begun with, in words: those in which the request differs."""
    bits, quality, named = stored.get("bits"), stored.get("quality"), bool(stored.get("named"))
    codec = "no --codec" if not named else "another --codec" if request["named"] else "a --codec"
    fit = "a fit" if stored.get("fit") else "--no-fit (or by an older version)"
    words = {
        "codec": codec if named or request["named"] else "",  # one that was not named is no difference
        "bits": f"{bits:g} bits" if isinstance(bits, int | float) else "no --bits",
        "quality": f"--quality {quality}" if quality and (request.get("quality") or quality != "usual") else "",
        "fit": "" if named or request["named"] else fit,
        "refit": "a refit" if stored.get("refit") else "--no-refit",
        "chunk_rows": f"--chunk {stored.get('chunk_rows')}",
        "truncated": f"--truncated {stored.get('truncated', 'keep')}",
    }
    differing = (word for key, word in words.items() if stored.get(key) != request.get(key))
    return " and ".join(filter(None, differing)) or codec


def _appended(manifest: Manifest) -> list[Entry]:
    found = manifest.source.get("appended", [])
    return [entry for entry in found if isinstance(entry, dict) and "first_index" in entry]
