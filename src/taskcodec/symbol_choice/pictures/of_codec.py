"""Searches for the layers of a codec of pictures, by effort."""

from collections.abc import Mapping
from typing import Any

from taskcodec.errors import UsageError
from taskcodec.layer import Layer
from taskcodec.symbol_choice.pictures.goals import Goal, goals_of, reasons
from taskcodec.symbol_choice.pictures.levels import LEVELS
from taskcodec.symbol_choice.pictures.search import LayerSearch
from taskcodec.symbol_choice.pictures.seen import Search


def searches_of(layers: tuple[Layer, ...], provenance: Mapping[str, Any], effort: int) -> dict[str, Search]:
    """By name, for each layer that is searched at an effort of 2 or more. Raises UsageError where none is."""
    goals, schedule = goals_of(layers, provenance), LEVELS[effort]
    found: dict[str, Search] = {
        layer.name: LayerSearch(layer, goal, schedule)
        for layer in layers
        if isinstance(goal := goals[layer.name], Goal)
    }
    if not found:
        raise UsageError(f"--effort: {'; '.join(reasons(goals))}; leave it out")
    return found
