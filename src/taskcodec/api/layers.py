"""`taskcodec.drop_layer` and `taskcodec.relocate_layer`: layers of files that a store loses, or that were moved."""

from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from taskcodec.api.stores import there
from taskcodec.engines.encode.places import finished_store
from taskcodec.errors import CorruptFileError, FutureVersionError, SourceError, UsageError, as_name
from taskcodec.store import Store
from taskcodec.store.backend import change, open_blobs, writer_lock
from taskcodec.store.file_layers.elsewhere import (
    checked_place,
    is_within,
    layer_copied,
    read_elsewhere,
    said,
)
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
    store = _store_beside(place, name)
    blobs = open_blobs(place)
    with writer_lock(blobs):
        sizes = blobs.sizes(f"{FOLDER}/{name}") if name and "/" not in name and name != ".." else {}
        if not sizes:
            raise UsageError(f"{place}: no layer {name!r} of files; there are {_others(store.layers)}")
        place_of = None
        with suppress(CorruptFileError, FutureVersionError):  # what cannot be read can be dropped all the same
            elsewhere = read_elsewhere(blobs, name)
            place_of = None if elsewhere is None else elsewhere.place
        remove_layer(blobs, name)
    return Dropped(name, sum(sizes.values()), place_of)


@dataclass(frozen=True)
class Relocated:
    """A layer that lies at another place than before.

    Attributes:
        layer: its name.
        before: where the store said that it lies.
        elsewhere: where it says so now.
    """

    layer: str
    before: str
    elsewhere: str


def relocate_layer(place: Any, name: str, elsewhere: str) -> Relocated:
    """Have a store know that a layer, kept outside it, was moved: to a folder or URL where it lies already.

    The place is read, since it is named here, and must have this store's layer, in files as long as they were: those
    that are missing, empty or, on a disk, cut short are told, but their bytes are not read. Nothing there changes.

    Raises:
        UsageError: no such layer, or one that lies in the store; a place that is none, or lies in the store.
        SourceError, NetworkError: no layer lies there, or it cannot be read.
        MismatchError: another store's layer lies there.
        CorruptFileError: what lies there is not all of the layer.
        StorageError: another process writes to the store, or it cannot be written.
        Further what `taskcodec.decode` raises.
    """
    store, to = _store_beside(place, name), checked_place(as_name("where the layer lies", elsewhere, "a folder or URL"))
    blobs = open_blobs(place)
    with writer_lock(blobs):
        if name not in store.layers:
            raise UsageError(f"{place}: no layer {name!r} of files; there are {_others(store.layers)}")
        found = read_elsewhere(blobs, name)
        if found is None:
            raise UsageError(f"{place}: its layer {name} lies in the store, and moves with it")
        if is_within(to, [str(place)]):
            raise UsageError(f"{elsewhere}: lies in the store {place}; name another place")
        now = replace(found, place=to)
        if layer_copied(blobs, now) is None:
            raise SourceError(f"{to}: no layer {name} lies there; {place} still says that it lies at {found.place}")
        change(blobs, {now.key: said(now)})
    return Relocated(name, found.place, to)


def _store_beside(place: Any, name: str) -> Store:
    """A finished store. Raises UsageError where the layer is one of its codec's."""
    store = finished_store(there(place))
    if name == FEATURES or name in [layer.name for layer in store.manifest.layers]:
        raise UsageError(f"{place}: {name} is what the store is made of, and stays; there are {_others(store.layers)}")
    return store


def _others(names: tuple[str, ...]) -> str:
    return ", ".join(name for name in names if name != FEATURES) or "none beside the features"
