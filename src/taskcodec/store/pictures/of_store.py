"""What a store of pictures has in place of features: the part of `Store` that knows of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from taskcodec.errors import UsageError
from taskcodec.store.format.layer_chunks import read_items
from taskcodec.store.values.of_store import WithValues

if TYPE_CHECKING:
    from taskcodec.store.catalogue import Catalogue
    from taskcodec.store.file_layers.layer import StoreLayer
    from taskcodec.store.pictures.layer import PictureLayer
    from taskcodec.store.values.layer import ValueLayer


class WithPictures(WithValues):
    """A store's layers, of which those of its codec may give pictures."""

    @property
    def _catalogue(self) -> Catalogue:
        raise NotImplementedError

    @property
    def layers(self) -> tuple[str, ...]:
        """What there is: "features" or, where there are none, the codec's layers; then "picture" and "original"."""
        if not (self.manifest.of_pictures or self.manifest.of_values):
            return super().layers
        return (*(layer.name for layer in self.manifest.layers), *super().layers[1:])

    def layer(self, name: str, elsewhere: str | Sequence[str] = ()) -> StoreLayer | PictureLayer | ValueLayer:
        """Pictures or originals by row: `store.layer("picture")[7]` is a file, as bytes.

        A layer of a codec of pictures gives (H, W, 3) uint8 arrays, a lossless one its values. One of files may lie at
        another place, which is read only where `elsewhere` names it, or a folder or bucket around it: a store may come
        from anyone.

        Raises UsageError where there is no such layer, or where it lies at a place that is not named, SourceError where
        it is not there.
        """
        if self.manifest.of_pictures and name in (layer.name for layer in self.manifest.layers):
            from taskcodec.store.pictures.layer import PictureLayer

            return PictureLayer(self._blobs, self.manifest, self.codec, name, lambda: self._source_indices)
        if self.manifest.of_values and name in (layer.name for layer in self.manifest.layers):
            return self.values
        return self.file_layer(name, elsewhere)

    def check_features(self) -> None:
        """Raise UsageError where samples are pictures or values."""
        self.check_rows()
        super().check_features()

    def check_rows(self) -> None:
        """Raise UsageError where samples are pictures."""
        if self.manifest.of_pictures:
            names = ", ".join(layer.name for layer in self.manifest.layers)
            raise UsageError(
                f"{self._blobs.name}: holds pictures, which have no features; take store.layer(NAME)[row], or run "
                f"taskcodec decode with --layer NAME: {names}"
            )

    def _check_pictures(self, index: int) -> Any:
        """Read a chunk of every layer, and decode its symbols. Raises CorruptFileError."""
        from taskcodec.store.pictures.layer import check_items

        counted = self._catalogue.counted(index)
        found = [read_items(self._blobs, self.manifest, index, each, counted) for each in self.manifest.layers]
        check_items(self.codec, found, f"{self._blobs.name}: chunk {index}")
