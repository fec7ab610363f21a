"""A batch of features as symbols, and what is odd about them: the same wherever it is computed."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from taskcodec.codec import Codec
from taskcodec.quantization.uniform import MAX_SYMBOL
from taskcodec.store import OK, SampleRecord

OTHER_NORM = 0.05
"""A norm this far from 1 is another: what codes features of norm 1 would not give it back."""


@dataclass(frozen=True, eq=False)
class Coded:
    """What a batch comes to, but for what an earlier run committed.

    Attributes:
        records: of its samples, in the order of the source.
        symbols: (m, columns) of those that are ok; of pictures (m, layers) items.
        clipped: which rows of them have symbols at their limit.
        stretched: how many lose their length.
    """

    records: list[SampleRecord]
    symbols: npt.NDArray[Any]
    clipped: list[int]
    stretched: int


def code(records: Sequence[SampleRecord], features: npt.NDArray[Any], codec: Codec, next_index: int) -> Coded:
    """Code a batch: its records, and (m, d) features of those that are ok; of samples from `next_index` on.

    Of pictures these are the items that their coder made, of values their symbols.
    """
    wanted = np.array([record.source_index >= next_index for record in records if record.status == OK], bool)
    kept = [record for record in records if record.source_index >= next_index]
    if codec.of_pictures:
        return Coded(kept, features[wanted] if len(features) else np.empty((0, len(codec.layers)), object), [], 0)
    if not len(features):
        return Coded(kept, np.empty((0, codec.columns), np.int32), [], 0)
    if codec.lossless:
        return Coded(kept, features[wanted], [], 0)
    symbols = codec.encode_features(features)[wanted]
    stretched = 0
    if codec.base.transform.affine.unit_norm:
        norms = np.linalg.norm(features, axis=1)[wanted]
        stretched = int((np.abs(norms - 1) > OTHER_NORM).sum())
    clipped = list[int]()
    if max(symbols.max(initial=0), -symbols.min(initial=0)) >= MAX_SYMBOL:
        clipped = np.flatnonzero((abs(symbols) >= MAX_SYMBOL).any(axis=1)).tolist()
    return Coded(kept, symbols, clipped, stretched)


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """One thread for the products of a batch: how many there are changes the last bits of what they give.

    Symbols then do not depend on the number of cores. More threads would also wait for the next batch, at the cost of
    what computes it.
    """
    with threadpool_limits(1, user_api="blas"):
        yield
