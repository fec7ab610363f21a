"""Searches for the layers of a codec of pictures, by effort."""

from collections.abc import Mapping
from typing import Any

from taskcodec.errors import UsageError, needing_packages
from taskcodec.layer import Layer
from taskcodec.symbol_choice.efforts import check_effort
from taskcodec.symbol_choice.pictures.goals import Goal, goals_of, reasons
from taskcodec.symbol_choice.pictures.seen import Search
from taskcodec.transforms.overfitted.transform import OverfittedTransform


def searches_at(
    effort: int, layers: tuple[Layer, ...], provenance: Mapping[str, Any], of_pictures: bool
) -> dict[str, Search]:
    """By name, for each layer that can be searched; at effort 1 for those alone that are overfitted.

    Raises UsageError where no layer can be, or where one that is overfitted cannot.
    """
    check_effort(effort)
    overfitted = [layer for layer in layers if isinstance(layer.transform, OverfittedTransform)]
    if effort == 1 and not overfitted:
        return {}
    if not of_pictures:
        raise UsageError("effort: of pictures alone; of features it is their codec's: taskcodec.fit(..., effort=N)")
    goals = goals_of(layers, provenance)
    lost = {layer.name: goals[layer.name] for layer in overfitted if not isinstance(goals[layer.name], Goal)}
    if lost:
        raise UsageError("; ".join(reasons(lost)))
    if not any(isinstance(goal, Goal) for goal in goals.values()):
        raise UsageError(f"--effort: {'; '.join(reasons(goals))}; leave it out")
    with needing_packages():
        from taskcodec.symbol_choice.pictures.levels import LEVELS
        from taskcodec.symbol_choice.pictures.overfitted.levels import STEPS
        from taskcodec.symbol_choice.pictures.overfitted.search import OverfittedSearch
        from taskcodec.symbol_choice.pictures.search import LayerSearch
    found = dict[str, Search]()
    for layer in layers:
        goal = goals[layer.name]
        if isinstance(goal, Goal) and layer in overfitted:
            found[layer.name] = OverfittedSearch(layer, goal, STEPS[effort])
        elif isinstance(goal, Goal) and effort > 1:
            found[layer.name] = LayerSearch(layer, goal, LEVELS[effort])
    return found
