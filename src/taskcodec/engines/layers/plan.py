"""Which layers are written in step with the samples, and which are added once these are there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow.compute as pc

from taskcodec.data.sources import ImageSource, Source
from taskcodec.engines.layers.make import maker_of
from taskcodec.engines.layers.run import There, layer_there, new_writer
from taskcodec.engines.layers.wanted import Wanted
from taskcodec.errors import UsageError
from taskcodec.store.backend import Blobs, open_blobs
from taskcodec.store.file_layers.elsewhere import check_empty, is_elsewhere, is_within
from taskcodec.store.file_layers.layout import FOLDER, names_beside
from taskcodec.store.file_layers.writer import ItemWriter, remove_layer

if TYPE_CHECKING:
    from taskcodec.store import Store


@dataclass(frozen=True, eq=False)
class LayerPlan:
    """What becomes of layers.

    Attributes:
        in_step: the writers of those that go with the samples.
        later: those that are added to the whole store.
    """

    in_step: dict[Wanted, ItemWriter]
    later: tuple[Wanted, ...]


def check_layers(
    found: Store | None, source: Source, wanted: Sequence[Wanted], first_index: int, whole: bool = False
) -> None:
    """Raise UsageError where layers cannot be had, before anything is done.

    Args:
        found: the store that goes on, None for a new one.
        source: what is encoded.
        wanted: beside the features.
        first_index: `source_index` of the source's first sample.
        whole: whether the store has all of the source already.
    """
    if wanted and not isinstance(source, ImageSource):
        names = ", ".join(each.name for each in wanted)
        raise UsageError(f"--layers {names}: {source.name} holds vectors; pictures and originals are kept of images")
    if found is None:
        for each in wanted:
            maker_of(each, keep_truncated=True)
            _check_place(each)
        return
    blobs = open_blobs(found.place)
    there = _there(found, blobs, wanted, whole)
    asked, missing = {each.name for each in wanted}, _missing(there, wanted, found)
    for each in missing:
        if not is_elsewhere(blobs, each.name):  # where it was begun already, it goes on
            _check_place(each)
    lacking = [each.name for each in missing if first_index]
    behind = [each.layer.name for each in there if each.layer.items < first_index]
    if short := [name for name in (*lacking, *behind) if name in asked or not whole]:
        least = 0 if lacking else min(each.layer.items for each in there if each.layer.name in short)
        raise UsageError(
            f"{found.place}: layers are added source by source, in the order of the sources, and samples before these "
            f"have none: encode the source first that {_id_of(found, least)} is of, with --layers {','.join(short)}"
        )


def check_places(store: Any, wanted: Sequence[Wanted]) -> None:
    """Raise UsageError where a layer is to be kept elsewhere, but in the store's own place."""
    for each in wanted:
        if each.place is not None and isinstance(store, str) and is_within(each.place, [store]):
            raise UsageError(f"--layers {each.words}: lies in the store {store}; name another place, or none")


def _check_place(wanted: Wanted) -> None:
    if wanted.place is not None:
        check_empty(wanted.name, wanted.place)


def plan_new(
    blobs: Blobs, codec_layers: list[str], source: Source, wanted: Sequence[Wanted], in_step: bool
) -> LayerPlan:
    """Of a store that was just created; what a run that was stopped at once left of layers is removed."""
    if not isinstance(source, ImageSource):
        return LayerPlan({}, ())
    for name in names_beside(blobs.sizes(FOLDER), codec_layers):
        remove_layer(blobs, name)
    if not in_step:
        return LayerPlan({}, tuple(wanted))
    return LayerPlan({each: new_writer(blobs, each, source) for each in wanted}, ())


def plan_going_on(
    found: Store, blobs: Blobs, wanted: Sequence[Wanted], next_index: int | None, first_index: int
) -> LayerPlan:
    """Of a store that goes on with the sample `next_index`, in step; None where all layers are added later.

    Layers that are there go on with it; where they stopped earlier, or are not there, they are added later. What lacks
    samples before `first_index`, the source's first, was not asked for, and stays as it is.
    """
    there = _there(found, blobs, wanted, whole=next_index is None)
    steps = [each for each in there if next_index is not None and each.layer.items >= next_index]
    later = [each.wanted for each in there if each not in steps and each.layer.items >= first_index]
    in_step = {each.wanted: ItemWriter(each.blobs, each.layer, next_index) for each in steps}
    return LayerPlan(in_step, (*later, *_missing(there, wanted, found)))


def _there(found: Store, blobs: Blobs, wanted: Sequence[Wanted], whole: bool) -> list[There]:
    """The layers that go on; those at places that are not named are none of them where nothing else goes on."""
    named = {each.name: each.place for each in wanted}
    beside = names_beside(blobs.sizes(FOLDER), [layer.name for layer in found.manifest.layers])
    used = [name for name in beside if name in named or not whole or not is_elsewhere(blobs, name)]
    layers = [layer_there(blobs, name, named.get(name)) for name in used]
    return [each for each in layers if each is not None]


def _missing(there: Sequence[There], wanted: Sequence[Wanted], found: Store) -> list[Wanted]:
    """Those wanted that are not there. Raises UsageError where one is there, but made in another way."""
    known = {each.wanted.name: each.wanted for each in there}
    for each in wanted:
        if (other := known.get(each.name, each)) != each:
            raise UsageError(
                f"{found.place}: has {other.words}, not {each.words}; drop that layer first (taskcodec drop "
                f"{found.place} --layer {each.name}), or replace the store (--overwrite)"
            )
    return [each for each in wanted if each.name not in known]


def _id_of(found: Store, index: int) -> str:
    """The id of a sample of the sources, by its `source_index`."""
    for indices, names in (
        (own["source_index"], own["id"]) for own in found.tables("source_index", "id", failures=True)
    ):
        place = pc.index(indices, index).as_py()
        if place >= 0:
            return str(names[place].as_py())
    return str(index)
