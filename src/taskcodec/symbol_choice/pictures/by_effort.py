"""Searches for the layers of a codec of pictures, by effort."""

from collections.abc import Mapping
from typing import Any

from taskcodec.errors import UsageError, needing_packages
from taskcodec.layer import Layer
from taskcodec.symbol_choice.efforts import check_effort
from taskcodec.symbol_choice.pictures.goals import Goal, goals_of, reasons
from taskcodec.symbol_choice.pictures.seen import Search


def searches_at(
    effort: int, layers: tuple[Layer, ...], provenance: Mapping[str, Any], of_pictures: bool
) -> dict[str, Search]:
    """By name, for each layer that can be searched; none at effort 1. Raises UsageError where no layer can be."""
    check_effort(effort)
    if effort == 1:
        return {}
    if not of_pictures:
        raise UsageError("effort: of pictures alone; of features it is their codec's: taskcodec.fit(..., effort=N)")
    goals = goals_of(layers, provenance)
    if not any(isinstance(goal, Goal) for goal in goals.values()):
        raise UsageError(f"--effort: {'; '.join(reasons(goals))}; leave it out")
    with needing_packages():
        from taskcodec.symbol_choice.pictures.levels import LEVELS
        from taskcodec.symbol_choice.pictures.search import LayerSearch
    named = [(layer, goals[layer.name]) for layer in layers]
    return {layer.name: LayerSearch(layer, goal, LEVELS[effort]) for layer, goal in named if isinstance(goal, Goal)}
