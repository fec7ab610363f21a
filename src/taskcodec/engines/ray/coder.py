"""What a worker does: it opens the source and loads the backbone once, and then codes stretches of the source.

    numbers of batches --read, backbone--> features --codec--> a block: summary | symbols | features

A block stays where it was made. The command reads its summary: records and counts. Symbols go from block to store
(`chunks.py`); of the features a few are looked at, for shift.
"""

import pickle
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from taskcodec.codec import Codec
from taskcodec.data.sources import ImageSource
from taskcodec.engines.coded import Coded, code, one_blas_thread
from taskcodec.engines.encode.local import Batches
from taskcodec.engines.ray.opening import Looking, Opening
from taskcodec.errors import TaskcodecError

SUMMARY, SYMBOLS, FEATURES, NUMBERS = "summary", "symbols", "features", "numbers"


@dataclass(frozen=True, eq=False)
class Job:
    """What all workers are told.

    Attributes:
        opening: of the source.
        looking: for the backbone, None where there is none.
        cpus: of a worker: so many samples are read at once.
        first_index: `source_index` of the source's first sample.
        codec: None where features are wanted, not symbols.
        next_index: `source_index` of the first sample that is not in the store yet.
        ready: references of batches that were computed before, for the fit, by their numbers.
    """

    opening: Opening
    looking: Looking | None
    cpus: int
    first_index: int
    codec: Codec | None = None
    next_index: int = 0
    ready: Mapping[int, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Told:
    """A batch in the summary of a block.

    Attributes:
        number: of the batch.
        coded: what it came to; its symbols are in the block.
        rows: how many of them.
        seen: how many features of it are in the block.
    """

    number: int
    coded: Coded
    rows: int
    seen: int


class Coder:
    """An actor of Ray Data's pool. A fault that is the user's affair is told in the summary, and not retried."""

    def __init__(self, held: list[Any]) -> None:
        self.held = held

    def __call__(self, stretch: pa.Table) -> pa.Table:
        """The block of the batches whose numbers are in the table's only row."""
        (numbers,) = stretch[NUMBERS].to_pylist()
        try:
            return self._block(numbers)
        except TaskcodecError as error:
            return _table(error, np.empty((0, 0), np.int32), np.empty((0, 0), np.float32))

    @cached_property
    def _job(self) -> Job:
        import ray

        job: Job = ray.get(self.held[0])
        return job

    @cached_property
    def _batches(self) -> Batches:
        job = self._job
        source = job.opening()
        if isinstance(source, ImageSource):
            import torch

            torch.set_num_threads(job.cpus)
        backbone = None if job.looking is None else job.looking()
        return Batches(source, backbone, readers=job.cpus, first_index=job.first_index)

    def _block(self, numbers: list[int]) -> pa.Table:
        import ray

        job, told, symbols, features = self._job, list[Told](), list[Any](), list[Any]()
        for number in job.ready.keys() & set(numbers):
            self._batches.keep(ray.get(job.ready[number]))
        with one_blas_thread():
            for batch in self._batches.run(numbers):
                records, own = batch.records, batch.features
                empty = np.empty((0, 0), np.int32)
                coded = Coded(records, empty, [], 0)
                if job.codec is not None:
                    coded = code(records, own, job.codec, job.next_index)
                symbols += [coded.symbols] * bool(len(coded.symbols))
                features += [own] * bool(len(own))
                told.append(Told(batch.number, replace(coded, symbols=empty), len(coded.symbols), len(own)))
        return _table(told, _joined(symbols, np.int32), _joined(features, np.float32))


def summary_of(block: pa.Table) -> list[Told] | TaskcodecError:
    """The batches of a block, or why there are none."""
    found: list[Told] | TaskcodecError = pickle.loads(block[SUMMARY][0].as_buffer())
    return found


def rows_of(block: pa.Table, column: str, rows: slice) -> npt.NDArray[Any]:
    """Some rows of a block's SYMBOLS (m, columns) or FEATURES (n, d)."""
    values = np.frombuffer(block[column][0].as_buffer(), np.int32 if column == SYMBOLS else np.float32)
    return np.array(values.reshape(block[f"{column}_shape"][0].as_py())[rows])


def _joined(parts: list[npt.NDArray[Any]], kind: Any) -> npt.NDArray[Any]:
    return np.concatenate(parts) if parts else np.empty((0, 0), kind)


def _table(told: list[Told] | TaskcodecError, symbols: npt.NDArray[Any], features: npt.NDArray[Any]) -> pa.Table:
    columns: dict[str, Any] = {SUMMARY: pa.array([pickle.dumps(told)], pa.large_binary())}
    for name, values in ((SYMBOLS, symbols), (FEATURES, features)):
        columns[name] = pa.array([np.ascontiguousarray(values).tobytes()], pa.large_binary())
        columns[f"{name}_shape"] = pa.array([list(values.shape)], pa.list_(pa.int64()))
    return pa.table(columns)
