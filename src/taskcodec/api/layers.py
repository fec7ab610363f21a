"""`taskcodec.drop_layer`: a store without one of its layers of files."""

from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from taskcodec.api.stores import there
from taskcodec.engines.encode.places import finished_store
from taskcodec.errors import CorruptFileError, FutureVersionError, UsageError
from taskcodec.store.backend import ZipBlobs, open_blobs, repack_zip, writer_lock
from taskcodec.store.file_layers.elsewhere import read_elsewhere
from taskcodec.store.file_layers.layout import FEATURES, FOLDER
from taskcodec.store.file_layers.writer import remove_layer


@dataclass(frozen=True)
class Dropped:
    """What was dropped.

    Attributes:
        layer: its name.
        bytes: that went with it.
        elsewhere: where its files lie still, None where they lay in the store.
    """

    layer: str
    bytes: int
    elsewhere: str | None


def drop_layer(place: Any, name: str) -> Dropped:
    """Drop the pictures or originals of a store; nothing else in it changes. A drop that was stopped goes on.

    What lies outside the store, where a layer is kept elsewhere, is left there: the store only forgets it. A zip file
    is written anew, beside the old one until it is whole.

    Raises:
        UsageError: there is no such layer, or it is one of the codec's, of which the store is made.
        StorageError: another process writes to the store, or it cannot be written.
        Further what `taskcodec.decode` raises.
    """
    store = finished_store(there(place))
    own = [layer.name for layer in store.manifest.layers]
    if name == FEATURES or name in own:
        raise UsageError(f"{place}: {name} is what the store is made of, and stays; there are {_others(store.layers)}")
    blobs = open_blobs(place)
    with writer_lock(blobs):
        sizes = blobs.sizes(f"{FOLDER}/{name}") if name and "/" not in name and name != ".." else {}
        if not sizes:
            raise UsageError(f"{place}: no layer {name!r} of files; there are {_others(store.layers)}")
        place_of = None
        with suppress(CorruptFileError, FutureVersionError):  # what cannot be read can be dropped all the same
            elsewhere = read_elsewhere(blobs, name)
            place_of = None if elsewhere is None else elsewhere.place
        if isinstance(blobs, ZipBlobs):
            repack_zip(place, dict.fromkeys(sizes))
        else:
            remove_layer(blobs, name)
    return Dropped(name, sum(sizes.values()), place_of)


def _others(names: tuple[str, ...]) -> str:
    return ", ".join(name for name in names if name != FEATURES) or "none beside the features"
