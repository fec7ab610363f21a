"""What a store remembers of the sources that went into it: the same command resumes, and no source goes in twice.

The manifest's `source` is the request that the store was begun with, together with `appended`: for each source added
later its descriptor and the `first_index` that its samples count from.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import islice
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc

from taskcodec.codec import Codec
from taskcodec.data.sources import FeatureSource, ImageSource, Source
from taskcodec.engines.encode.sources import said_rates
from taskcodec.errors import MismatchError, StorageError
from taskcodec.store import Store
from taskcodec.store.format.manifest import Manifest
from taskcodec.store.format.records import PIECE_ROWS, in_pieces

Entry = dict[str, Any]
Action = Literal["new", "resume", "append", "nothing"]
_NUMBERED = "#[0-9]+$"
"""What `Names` adds to a name."""


class Names:
    """Names that are not taken: a second NAME becomes NAME#2, the next NAME#3, and so on."""

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
    return Names([] if store is None else _in_the_way(store, source, first_index))


def _in_the_way(store: Store, source: Source, first_index: int) -> Iterator[str]:
    """The ids of a store that a source's names are, or would be changed to; however many others there are."""
    of_source = _among_names(source, first_index)
    for (ids,) in in_pieces(store.tables("id", failures=True)):
        found, plain = of_source(ids), pc.replace_substring_regex(ids, _NUMBERED, "")
        yield from ids.filter(pc.or_(found, of_source(plain))).to_pylist()


def _among_names(source: Source, first_index: int) -> Callable[[pa.ChunkedArray], pa.ChunkedArray]:
    """What tells which of some ids are names that a source gives its samples."""
    if isinstance(source, FeatureSource) and source.ids is None:
        return partial(_numbers_in, range(first_index, first_index + len(source)))
    if isinstance(source, ImageSource):
        names = (item.id for item in source.items)
    else:
        names = (source.id_of(row, first_index) for row in range(len(source)))
    pieces = iter(lambda: pa.array(list(islice(names, PIECE_ROWS)), pa.string()), pa.array([], pa.string()))
    return partial(pc.is_in, value_set=pa.chunked_array(pieces, pa.string()))


def _numbers_in(numbers: range, ids: pa.ChunkedArray) -> pa.ChunkedArray:
    """Which of some ids are these numbers as text, without that text, which takes many times their room."""
    plain = pc.match_substring_regex(ids, "^(0|[1-9][0-9]{0,17})$")
    values = pc.cast(pc.if_else(plain, ids, "-1"), pa.int64())
    return pc.and_(pc.greater_equal(values, numbers.start), pc.less(values, numbers.stop))


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
    if isinstance(source, FeatureSource) and store.manifest.of_pictures:
        raise MismatchError(f"{source.name}: vectors, and the store {name} holds pictures")
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
            first = next(store.tables("id", failures=True))["id"][0]
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
    if not isinstance(source, ImageSource) or not store.source_samples:
        return ""
    now, seen = {item.id: item.size for item in source.items}, set[str]()
    counts, first, alike = Counter[str](), dict[str, str](), 0
    for table in in_pieces(store.tables("id", "source_bytes", failures=True)):
        for name, size in zip(*(column.to_pylist() for column in table), strict=True):
            if name in now:
                seen.add(name)
                if now[name] in (None, size):
                    alike += 1
                    continue
            kind = "of another size" if name in now else "gone"
            counts[kind] += 1
            first.setdefault(kind, name)
    if 2 * alike < min(store.source_samples, len(now)):
        return None
    new = [] if unfinished else [name for name in now if name not in seen]
    counts["new"], first["new"] = len(new), next(iter(new), "")
    if not counts.total():
        return "" if unfinished else "contents have changed"
    kinds = ("new", "gone", "of another size")
    return ", ".join(f"{counts[kind]:,} {kind} ({first[kind]})" for kind in kinds if counts[kind])


def _options(stored: Entry, request: Entry) -> str:
    """The options that a store was begun with, in words: those in which the request differs."""
    bits, quality, named = stored.get("bits"), stored.get("quality"), bool(stored.get("named"))
    codec = "no --codec" if not named else "another --codec" if request["named"] else "a --codec"
    fit = "a fit" if stored.get("fit") else "--no-fit (or by an older version)"
    words = {
        "codec": codec if named or request["named"] else "",  # one that was not named is no difference
        "bits": f"{said_rates(bits)} bits" if isinstance(bits, int | float | dict) else "no --bits",
        "quality": f"--quality {quality}" if quality and (request.get("quality") or quality != "usual") else "",
        "fit": "" if named or request["named"] else fit,
        "effort": f"--effort {stored['effort']}" if "effort" in stored else "no --effort",
        "refit": "a refit" if stored.get("refit") else "--no-refit",
        "chunk_rows": f"--chunk {stored.get('chunk_rows')}",
        "truncated": f"--truncated {stored.get('truncated', 'keep')}",
    }
    differing = (word for key, word in words.items() if stored.get(key) != request.get(key))
    return " and ".join(filter(None, differing)) or codec


def _appended(manifest: Manifest) -> list[Entry]:
    found = manifest.source.get("appended", [])
    return [entry for entry in found if isinstance(entry, dict) and "first_index" in entry]
