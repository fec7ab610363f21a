"""The end of a store that is being written: what no segment holds yet, in parts, and what no commit has named yet.

    |  segment of 1,024 chunks  |  ...  |  128 chunks, a part  |  ...  |  a chunk or a few, a part  |  in memory  |

A commit puts what is in memory as parts. Where 128 chunks are together their parts become one, and eight of these a
segment: the manifest stays short, however often it is written. What a segment holds follows from its chunks alone.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.compute as pc

from taskcodec.store.backend import Blobs
from taskcodec.store.catalogue import Catalogue
from taskcodec.store.format.entries import Entry
from taskcodec.store.format.manifest import SEGMENT_CHUNKS, Manifest, Part, sha256
from taskcodec.store.format.records import LEVEL, tables_to_parquet
from taskcodec.store.format.segments import GROUP_CHUNKS, write_segment

PASSING = 1
"""The level of compression of parts that become segments later."""
ALONE = 2
"""So many chunks at the beginning of a store have parts of their own: short stores have no segments."""


@dataclass(frozen=True, eq=False)
class _Stretch:
    """Entries in a row, of one row group, with their records: in a part, in memory, or in both."""

    entries: tuple[Entry, ...]
    part: Part | None = None
    table: pa.Table | None = None


class Tail:
    """The entries of a store behind its last full segment; see the module.

    Attributes:
        segments: those that are full, and after `commit(seal=True)` the last one.
    """

    def __init__(self, blobs: Blobs, manifest: Manifest) -> None:
        self._blobs, self._catalogue, self._layers = blobs, Catalogue(blobs, manifest), len(manifest.layers)
        self.segments = list(manifest.segments)
        self._stretches: list[_Stretch] = []
        self._superseded: list[str] = []
        full = (SEGMENT_CHUNKS, SEGMENT_CHUNKS * manifest.chunk_rows)
        if self.segments and (self.segments[-1].entries, self.segments[-1].rows) != full:
            self.segments.pop()
            self._reopen(len(self.segments))
        for part in manifest.parts:
            self._stretches.append(_Stretch(part.entries, part))

    @property
    def parts(self) -> tuple[Part, ...]:
        """Those that a commit has put."""
        return tuple(stretch.part for stretch in self._stretches if stretch.part is not None)

    @property
    def entries(self) -> int:
        """How many there are behind the segments."""
        return sum(len(stretch.entries) for stretch in self._stretches)

    def add(self, entry: Entry, table: pa.Table) -> None:
        """Take the records of the next chunk; the next commit puts them."""
        self._stretches.append(_Stretch((entry,), None, table))

    @property
    def last(self) -> Entry | None:
        """The last entry; None where there is none behind the segments."""
        return self._stretches[-1].entries[-1] if self._stretches else None

    def last_source_index(self) -> int:
        """The largest of the last file of records; -1 in an empty store."""
        if not self._stretches and not self.segments:
            return -1
        if self._stretches:
            last = self._stretches[-1]
            table = self._table(last)
            self._stretches[-1] = replace(last, table=table)  # `pop` is mostly what comes next
        else:
            table = self._catalogue.of_segment(len(self.segments) - 1, ["source_index", "status"])
        return int(pc.max(table["source_index"]).as_py())

    def pop(self) -> pa.Table:
        """Let go of the last entry; its records."""
        stretch = self._stretches.pop()
        table, kept = self._table(stretch), stretch.entries[:-1]
        begin = len(table) - stretch.entries[-1].records
        if kept:
            self._stretches.append(_Stretch(kept, None, table.slice(0, begin)))
        return table.slice(begin)

    def commit(self, seal: bool) -> list[str]:
        """Put what is in memory; with `seal` all of it as segments. What is not needed once they are named."""
        superseded = list[str]()
        while self.entries >= SEGMENT_CHUNKS or (seal and self._stretches):
            self._seal()
            superseded, self._superseded = [*superseded, *self._superseded], []
        groups = list(self._groups(self._stretches))
        self._stretches = [
            stretch for number, group in enumerate(groups) for stretch in self._put_group(group, number * GROUP_CHUNKS)
        ]
        return superseded

    def _reopen(self, number: int) -> None:
        entries, table = self._catalogue.index(number), self._catalogue.of_segment(number)
        begin = 0
        for first in range(0, len(entries.entries), GROUP_CHUNKS):
            own = tuple(entries.entry(i) for i in range(first, min(first + GROUP_CHUNKS, len(entries.entries))))
            length = sum(entry.records for entry in own)
            self._stretches.append(_Stretch(own, None, table.slice(begin, length)))
            begin += length

    def _seal(self) -> None:
        count, cut = 0, 0
        while cut < len(self._stretches) and count < SEGMENT_CHUNKS:
            count, cut = count + len(self._stretches[cut].entries), cut + 1
        taken, self._stretches = self._stretches[:cut], self._stretches[cut:]
        tables = [pa.concat_tables(map(self._table, group)) for group in self._groups(taken)]
        entries = [entry for stretch in taken for entry in stretch.entries]
        self.segments.append(write_segment(self._blobs, len(self.segments), entries, tables, self._layers))
        self._superseded += [stretch.part.file for stretch in taken if stretch.part is not None]

    def _put_group(self, group: Sequence[_Stretch], first: int) -> Iterator[_Stretch]:
        """The stretches of a row group, of which the first entry is that of this number, all in parts."""
        if sum(len(stretch.entries) for stretch in group) == GROUP_CHUNKS and len(group) > 1:
            self._superseded += [stretch.part.file for stretch in group if stretch.part is not None]
            yield self._put(group, first)
            return
        waiting: list[_Stretch] = []
        for stretch in group:
            alone = not self.segments and first + len(waiting) < ALONE
            if waiting and (stretch.part is not None or alone):
                yield self._put(waiting, first)
                first, waiting = first + sum(len(each.entries) for each in waiting), []
            if stretch.part is None:
                waiting.append(stretch)
            else:
                yield stretch
                first += len(stretch.entries)
        if waiting:
            yield self._put(waiting, first)

    def _put(self, stretches: Sequence[_Stretch], first: int) -> _Stretch:
        tables = pa.concat_tables(map(self._table, stretches))
        data = tables_to_parquet([tables], PASSING if self.segments or first >= ALONE else LEVEL)
        digest, number = sha256(data), len(self.segments) * SEGMENT_CHUNKS + first
        name = f"samples/part-{number:06d}-{digest[:8]}.parquet"
        self._blobs.put(name, data)
        entries = tuple(entry for stretch in stretches for entry in stretch.entries)
        return _Stretch(entries, Part(name, digest, entries))

    def _table(self, stretch: _Stretch) -> pa.Table:
        if stretch.table is not None:
            return stretch.table
        assert stretch.part is not None
        return self._catalogue.of_part(stretch.part)

    @staticmethod
    def _groups(stretches: Sequence[_Stretch]) -> Iterator[list[_Stretch]]:
        """Stretches by the row group that they are in."""
        group, count = list[_Stretch](), 0
        for stretch in stretches:
            group.append(stretch)
            count += len(stretch.entries)
            if count == GROUP_CHUNKS:
                yield group
                group, count = [], 0
        if group:
            yield group
