"""What a store has beside its features: the part of `Store` that knows of such layers."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from taskcodec.errors import TaskcodecError, UsageError, listed
from taskcodec.store.file_layers.layout import FEATURES, FOLDER, names_beside
from taskcodec.words import counted

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from taskcodec.store.backend import Blobs
    from taskcodec.store.file_layers.layer import StoreLayer
    from taskcodec.store.format.manifest import Manifest


class WithLayers:
    """A store's layers beside those of its codec. Their names and bytes come from what lies there."""

    _blobs: Blobs
    manifest: Manifest
    tables: Any

    @property
    def layers(self) -> tuple[str, ...]:
        """What there is: "features", then "picture" and "original" where they were kept."""
        return (FEATURES, *self._names_beside(self._blobs.sizes(FOLDER)))

    def file_layer(self, name: str, elsewhere: str | Sequence[str] = ()) -> StoreLayer:
        """A layer of files beside those of the codec; raises what `layer` does."""
        from taskcodec.store.file_layers.elsewhere import layer_at, missing_at
        from taskcodec.store.file_layers.layer import StoreLayer  # which needs zarr

        if name not in self._names_beside(self._blobs.sizes(FOLDER)):
            raise UsageError(f"{self._blobs.name}: no layer {name!r} of files; there are {', '.join(self.layers)}")
        blobs, found, place = layer_at(self._blobs, name, listed(elsewhere))
        if found is None and place is not None:
            raise missing_at(self._blobs, place)
        if found is None:
            raise UsageError(f"{self._blobs.name}: its layer {name} was removed just now")
        return StoreLayer(blobs, found, lambda: self._source_indices)

    @property
    def source_samples(self) -> int:
        """Samples of the sources, with those that could not be coded."""
        return self.manifest.samples + self.manifest.failures

    @cached_property
    def _source_indices(self) -> npt.NDArray[np.int64]:
        """(n,) the `source_index` of each row."""
        import numpy as np

        if self.source_samples == self.manifest.samples:
            return np.arange(self.manifest.samples)
        found = [own.to_numpy() for (own,) in self.tables("source_index")]
        return np.concatenate([np.empty(0, np.int64), *found])

    def _names_beside(self, sizes: dict[str, int]) -> list[str]:
        return names_beside(sizes, [layer.name for layer in self.manifest.layers])

    def _layer_faults(self, elsewhere: str | Sequence[str]) -> list[str]:
        """Read every byte of the layers beside the codec's; one line for each fault."""
        faults = list[str]()
        for name in self._names_beside(self._blobs.sizes(FOLDER)):
            try:
                layer = self.file_layer(name, elsewhere)
                faults += layer.verify()
            except TaskcodecError as error:
                faults.append(str(error))
                continue
            if layer.items != self.source_samples:
                faults.append(
                    f"{self._blobs.name}: its layer {name} has {layer.items} of "
                    f"{counted(self.source_samples, 'sample')}; run encode with --layers {name} again to complete it"
                )
        return faults
