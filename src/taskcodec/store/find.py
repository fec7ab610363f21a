"""Where an id is: the few row groups that may hold it are read, and nothing else."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from taskcodec.errors import CorruptFileError, UsageError, check_kind
from taskcodec.store.backend import Blobs
from taskcodec.store.catalogue import Catalogue
from taskcodec.store.format.buckets import bucket_of, groups_in
from taskcodec.store.format.ids import group_of, may_hold
from taskcodec.store.format.manifest import BUCKETS, Manifest
from taskcodec.store.format.records import coded

LABEL = "label"


def rows_of(blobs: Blobs, manifest: Manifest, catalogue: Catalogue, wanted: Iterable[str]) -> dict[str, int | None]:
    """The row of each id that is in a store, None for those that could not be coded. Raises CorruptFileError."""
    left, found, first = set(wanted), dict[str, int | None](), 0
    for number, segment in enumerate(manifest.segments):
        candidates: dict[int, set[str]] = {}
        for name in left:
            for group in _groups(blobs, manifest, catalogue, number, name):
                candidates.setdefault(group, set()).add(name)
        for group, names in sorted(candidates.items()):
            before = catalogue.index(number).counted(range(group))[0]
            found |= _places(catalogue.of_segment(number, ["id", "status"], [group]), names, first + before)
        left -= found.keys()
        first += segment.rows
    for part in manifest.parts:
        if left:
            found |= _places(catalogue.of_part(part, ["id", "status"]), left, first)
            left -= found.keys()
        first += sum(entry.rows for entry in part.entries)
    return found


def asked_label(columns: Mapping[str, object]) -> list[Any]:
    """The labels among the columns that rows are asked for by. Raises UsageError on anything else."""
    if list(columns) != [LABEL]:
        found = ", ".join(columns) or "none"
        raise UsageError(f"rows_where takes one column, label=, found {found}; rows by id: find(id)")
    return texts_of("a label", columns[LABEL], "text, as a store keeps labels, or None", or_none=True)


def texts_of(what: str, given: Any, expected: str, or_none: bool = False) -> list[Any]:
    """One text or several, as a list. Raises UsageError on anything else; `expected` says in words what is taken."""
    several = isinstance(given, Iterable) and not isinstance(given, str | bytes)
    found = list(given) if several else [given]
    for text in found:
        check_kind(what, text, (str, type(None)) if or_none else str, expected)
    return found


def rows_with(labels: list[Any], tables: Iterable[pa.Table]) -> npt.NDArray[np.int64]:
    """(m,) rows of the samples with one of these labels, of tables with that column alone."""
    found, first = [np.empty(0, np.int64)], 0
    for (own,) in tables:
        hit = pc.is_in(own, value_set=pa.array(labels, pa.string()))
        found.append(first + np.flatnonzero(hit.to_numpy()))
        first += len(own)
    return np.concatenate(found)


def _groups(blobs: Blobs, manifest: Manifest, catalogue: Catalogue, number: int, name: str) -> Iterator[int]:
    """The row groups of a segment that may hold an id."""
    segment = manifest.segments[number]
    if segment.ids is not None and not may_hold(segment.ids, name):
        return
    index = catalogue.index(number)
    if segment.ids is not None and index.firsts is not None:
        yield from group_of(segment.ids[0], index.firsts, name)
    elif index.buckets is not None:
        key, bucket = segment.key(number, BUCKETS), bucket_of(name, index.buckets.buckets)
        data = blobs.get_range(key, bucket * index.buckets.size, index.buckets.size)
        if data is None:
            raise CorruptFileError(f"{blobs.name}/{key}: missing")
        yield from (group for group in groups_in(data, name, f"{blobs.name}/{key}") if group < index.groups)


def _places(table: pa.Table, names: set[str], first: int) -> dict[str, int | None]:
    """The rows of those ids that are in a table, of which the first sample is row `first`."""
    ordered = sorted(names)
    places = pc.index_in(table["id"], value_set=pa.array(ordered, pa.string()))
    hits = pc.indices_nonzero(pc.is_valid(places)).to_pylist()
    if not hits:
        return {}
    is_coded = coded(table).to_numpy()
    rows = first + is_coded.cumsum() - 1
    return {ordered[places[hit].as_py()]: int(rows[hit]) if is_coded[hit] else None for hit in hits}
