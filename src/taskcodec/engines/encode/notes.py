"""What a command says of samples that were coded all the same, and of files that were left out."""

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc

from taskcodec.data.left_behind import told
from taskcodec.data.sources import Source
from taskcodec.fitting.closed_form.outliers import FAR, far_rows
from taskcodec.store import Store
from taskcodec.words import counted, few


def left_out(source: Source) -> str | None:
    """A line on the files of a source that are hidden or left by other programs; None where there is none."""
    words = told(source.skipped)
    return f"{source.name}: skipped {words}" if words else None


def noted(name: str, samples: Iterable[tuple[str, str | None]], total: int) -> str | None:
    """A line on those samples of a source, by name and note, that have a note; None where none has one.

    `total` is how many samples there are.
    """
    counts, first = Counter[str](), dict[str, str]()
    for sample, note in samples:
        if note is not None:
            counts[note] += 1
            first.setdefault(note, sample)
    if not counts:
        return None
    parts = [f"{count:,} with {note} (such as {first[note]})" for note, count in counts.most_common()]
    were = "was" if counts.total() == 1 else "were"
    noted = f"{counts.total():,} of {counted(total, 'sample')} {were} read with a note"
    return f"warning: {name}: {noted}: {', '.join(parts)}"


def far_off(name: str, ids: Sequence[str], features: npt.NDArray[np.float32]) -> str | None:
    """A line on those samples, of the (n, d) that a codec is fitted to, that its fit leaves out; None without any."""
    far = [ids[row] for row in far_rows(features)] if len(features) else []
    if not far:
        return None
    return (
        f"warning: {name}: {counted(len(far), 'sample lies', 'samples lie')} over {FAR:g} times as far from "
        f"the middle as half of all do ({few(far)}): the codec is not fitted to them, and keeps little of them; look "
        "at what made them"
    )


def noted_in(store: Store, name: str, first_index: int) -> str | None:
    """The same of the samples in a store that are of a source: those from `first_index` on."""
    total, found = 0, list[tuple[str, str]]()
    for table in store.tables("id", "source_index", "note"):
        own = table.filter(pc.greater_equal(table["source_index"], first_index))
        with_note = own.filter(pc.is_valid(own["note"]))
        found += zip(with_note["id"].to_pylist(), with_note["note"].to_pylist(), strict=True)
        total += len(own)
    return noted(name, found, total)
