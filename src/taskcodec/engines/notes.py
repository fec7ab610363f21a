"""What a command says of samples that were coded all the same, and of files that were left out."""

from collections import Counter

import pyarrow.compute as pc

from taskcodec.data.left_behind import told
from taskcodec.data.sources import Source
from taskcodec.store import Store


def left_out(source: Source) -> str | None:
    """A line on the files of a source that are hidden or left by other programs; None where there is none."""
    words = told(source.skipped)
    return f"{source.name}: skipped {words}" if words else None


def noted(store: Store, name: str, first_index: int) -> str | None:
    """A line on the samples of a source (those from `first_index` on) that have a note; None where none has one."""
    samples = store.samples
    rows = samples.filter(pc.and_(pc.is_valid(samples["note"]), pc.greater_equal(samples["source_index"], first_index)))
    if not len(rows):
        return None
    notes, ids = rows["note"].to_pylist(), rows["id"].to_pylist()
    counts = Counter(notes)
    parts = [f"{count:,} with {note} (such as {ids[notes.index(note)]})" for note, count in counts.most_common()]
    total = int(pc.sum(pc.greater_equal(samples["source_index"], first_index)).as_py())
    return f"warning: {name}: {len(rows):,} of {total:,} samples were coded with a note: {', '.join(parts)}"
