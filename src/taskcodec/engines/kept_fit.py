"""What an encode that is stopped while it fits has computed: records and features of batches, kept beside the store.

    .photos.tcz.fit/NUMBER-KEY.npz      the batch of this number; the key is of all that its features follow from

Each file gets its name when it is whole. They save time and nothing else: what cannot be written or read is not kept,
and what was computed from something else has another key.
"""

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from taskcodec.store import OK, SampleRecord
from taskcodec.store.backend import is_url

Features = npt.NDArray[np.float32]
_OF_THE_SOURCE = ("id", "source_index", "label")
"""What a record has of its source, which says it anew."""


class KeptFit:
    """The batches of a source that earlier runs into a place computed, and those that this one adds.

    Args:
        place: of the store; None, and what is no folder or file of this machine, keeps nothing.
        of: everything that features and records follow from, as plain JSON.
    """

    def __init__(self, place: Any, of: dict[str, Any]) -> None:
        local = isinstance(place, str) and not is_url(place)
        self._folder = Path(place).parent / f".{Path(place).name}.fit" if local else None
        self._key = hashlib.sha256(json.dumps(of, sort_keys=True).encode()).hexdigest()[:16]

    def batches(self) -> Iterator[tuple[int, list[dict[str, Any]], Features]]:
        """The number of each batch, what is known of its samples beside their names and labels, and their features."""
        for path in [] if self._folder is None else sorted(self._folder.glob(f"*-{self._key}.npz")):
            with suppress(OSError, ValueError, KeyError, EOFError, BadZipFile), np.load(path) as file:
                samples, features = json.loads(file["samples"].item()), file["features"]
                if len(samples) == len(features):
                    yield int(path.name.partition("-")[0]), samples, features

    def add(self, number: int, records: Sequence[SampleRecord], features: Features) -> None:
        """Keep a batch; not one with a sample that could not be read, which is tried again."""
        if self._folder is None or any(record.status != OK for record in records):
            return
        path = self._folder / f"{number}-{self._key}.npz"
        samples = [{k: v for k, v in asdict(record).items() if k not in _OF_THE_SOURCE} for record in records]
        with suppress(OSError):  # a full disk or none to write to: whatever has to be written will tell
            if not path.exists():
                self._folder.mkdir(exist_ok=True)
                with open(temporary := path.with_suffix(".npz.partial"), "wb") as file:
                    np.savez(file, samples=json.dumps(samples), features=features)
                os.replace(temporary, path)

    def discard(self) -> None:
        """Remove all that is kept for this place: its store is whole, or there is none to be had."""
        if self._folder is not None and self._folder.is_dir():
            with suppress(OSError):
                for path in self._folder.glob("*-*.npz*"):
                    path.unlink()
                self._folder.rmdir()
