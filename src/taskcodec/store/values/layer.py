"""`ValueLayer`: the values that a lossless codec gives back, by row."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from taskcodec.store.file_layers.as_png import AsPng

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from taskcodec.codec import Codec
    from taskcodec.store.rows import Rows


class ValueLayer(AsPng):
    """The values of a store's samples, as they were; `store.values[7]` is sample 7, `store.values[:]` are all of them.

    A chunk is decoded whole, and the last few of them are kept.

    Attributes:
        kind: "values".
    """

    kind = "values"

    def __init__(
        self, symbols: Rows, codec: Codec, chunk_rows: int, places: Callable[[], npt.NDArray[np.int64]]
    ) -> None:
        self._symbols, self._codec, self._chunk_rows, self._places = symbols, codec, chunk_rows, places

    def __repr__(self) -> str:
        return f"<{len(self)} {self._codec.values.transform.words}, decoded when indexed>"

    def __len__(self) -> int:
        return len(self._symbols)

    def __getitem__(self, rows: Any) -> Any:
        """The values of a row, or of the rows that a slice, an array or a mask picks. Raises as `Rows` does."""
        found = self._symbols[rows]
        values = self._codec.values.decode(found.reshape(-1, found.shape[-1]))
        return self._codec.values.transform.one(values) if found.ndim == 1 else values

    def batches(self) -> Iterator[Any]:
        """All of them, chunk by chunk, in constant memory."""
        for start in range(0, len(self), self._chunk_rows):
            yield self[start : start + self._chunk_rows]
