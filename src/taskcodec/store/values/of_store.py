"""What a store of values has in place of features: the part of `Store` that knows of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from taskcodec.errors import UsageError
from taskcodec.store.file_layers.of_store import WithLayers

if TYPE_CHECKING:
    from taskcodec.codec import Codec
    from taskcodec.store.rows import Rows
    from taskcodec.store.values.layer import ValueLayer


class WithValues(WithLayers):
    """A store's layers, and the values of one that is lossless."""

    @property
    def codec(self) -> Codec:
        """The codec the samples were coded with."""
        raise NotImplementedError

    @property
    def symbols(self) -> Rows:
        """(n, k) int32, decoded when indexed."""
        raise NotImplementedError

    @property
    def values(self) -> ValueLayer:
        """The very values that were encoded, decoded when indexed. Raises UsageError where the codec is another."""
        from taskcodec.store.values.layer import ValueLayer

        if not self.manifest.of_values:
            raise UsageError(f"{self._blobs.name}: its codec is not lossless: take its features or layers")
        return ValueLayer(self.symbols, self.codec, self.manifest.chunk_rows, lambda: self._source_indices)

    def check_features(self) -> None:
        """Raise UsageError where samples are values."""
        if self.manifest.of_values:
            raise UsageError(
                f"{self._blobs.name}: holds values, which come back as they were, and no features; take "
                "store.values[rows], or run taskcodec decode"
            )
