"""Which layers are written in step with the samples, and which are added once these are there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from taskcodec.data.sources import ImageSource, Source
from taskcodec.engines.layers.make import maker_of
from taskcodec.engines.layers.run import layers_there, new_writer
from taskcodec.engines.layers.wanted import Wanted, layer_of
from taskcodec.errors import UsageError
from taskcodec.store.backend import Blobs, open_blobs
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
        return
    there = _there(found, open_blobs(found.place))
    lacking = _missing(there, wanted, found)
    others = whole and "appended" in found.manifest.source  # which of them this source is, is not looked up
    start = found.source_samples if others else first_index
    behind = [layer_of(layer) for layer in there if layer.items < start]
    if behind or (lacking and (others or first_index)):
        raise UsageError(
            f"{found.place}: holds several sources, and a layer is added to one that holds the one it is of; "
            f"encode all of them anew for {', '.join(each.name for each in (*lacking, *behind))}"
        )


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


def plan_going_on(found: Store, blobs: Blobs, wanted: Sequence[Wanted], next_index: int | None) -> LayerPlan:
    """Of a store that goes on with the sample `next_index`, in step; None where all layers are added later.

    Layers that are there go on with it; where they stopped earlier, or are not there, they are added later.
    """
    there = _there(found, blobs)
    steps = [layer for layer in there if next_index is not None and layer.items >= next_index]
    later = [layer_of(layer) for layer in there if layer not in steps]
    in_step = {layer_of(layer): ItemWriter(blobs, layer, next_index) for layer in steps}
    return LayerPlan(in_step, (*later, *_missing(there, wanted, found)))


def _there(found: Store, blobs: Blobs) -> list[Any]:
    return layers_there(blobs, [layer.name for layer in found.manifest.layers])


def _missing(there: Sequence[Any], wanted: Sequence[Wanted], found: Store) -> list[Wanted]:
    """Those wanted that are not there. Raises UsageError where one is there, but made in another way."""
    known = {layer.name: layer_of(layer) for layer in there}
    for each in wanted:
        if (other := known.get(each.name, each)) != each:
            raise UsageError(
                f"{found.place}: has {other.words}, not {each.words}; remove its folder layers/{each.name} first, or "
                "replace the store (--overwrite)"
            )
    return [each for each in wanted if each.name not in known]
