"""Where a layer begins with what another training has learned.

A layer for a task is learned in a tenth of the steps where its networks know pictures already; a sweep of prices, where
each begins with its neighbour.
"""

from pathlib import Path

from taskcodec.errors import UsageError
from taskcodec.fitting.gradient.checkpoints import read_weights
from taskcodec.fitting.gradient.pictures.layers import TrainedLayer
from taskcodec.fitting.gradient.recipe import LAST

_LAYERS = "compressor.layers."
TOLD = "told."
"""Before the names of the weights by which an analysis sees a predictor's answers."""
NEEDED, WHERE_THEY_FIT = ("g_a", "entropy"), ("g_s", "g_p")
"""Parts of a layer. What answers a task itself has as many channels as that has answers, and a preview not all have."""


def begin_layer(layer: TrainedLayer, place: str) -> None:
    """Give a layer the weights of the layer of its name, or of the only one there is, of a training's checkpoint.

    Analysis and entropy model must fit; synthesis and preview take what fits, else they stay as they are.

    Args:
        layer: gets them.
        place: the checkpoint, or the folder where it is the last one.

    Raises:
        UsageError: there is no such layer, or it is of other sizes.
        CorruptFileError: it cannot be read.
    """
    file = checkpoint_of(place)
    weights = {
        name.removeprefix(_LAYERS): value for name, value in read_weights(file).items() if name.startswith(_LAYERS)
    }
    names = sorted({name.partition(".")[0] for name in weights})
    if layer.choice.name not in names and len(names) != 1:
        raise UsageError(f"{file}: no layer {layer.choice.name}; there are: {', '.join(names) or 'none'}")
    of = layer.choice.name if layer.choice.name in names else names[0]
    for part in (*NEEDED, *WHERE_THEY_FIT):
        module = getattr(layer, part)
        before = f"{of}.{part}."
        found = {name.removeprefix(before): value for name, value in weights.items() if name.startswith(before)}
        own = {} if module is None else module.state_dict()
        # An analysis that sees answers may begin as one that does not.
        found |= {name: value for name, value in own.items() if name.startswith(TOLD) and name not in found}
        if {name: value.shape for name, value in own.items()} == {name: value.shape for name, value in found.items()}:
            if module is not None:
                module.load_state_dict(found)
        elif part in NEEDED:
            what = "analysis" if part == "g_a" else "entropy model"
            raise UsageError(f"{file}: the {what} of layer {of} has other sizes than that of {layer.choice.name}")


def checkpoint_of(place: str) -> Path:
    """The file of a checkpoint that may be named by its folder."""
    return Path(place) / LAST if Path(place).is_dir() else Path(place)
