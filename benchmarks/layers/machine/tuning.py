"""One codec of pictures, trained for one task, that may begin where another training ended.

A codec for a task is learned in a tenth of the steps where its networks already know photographs.
"""

from dataclasses import dataclass, replace
from functools import partial

import torch

import taskcodec
from taskcodec.fitting.gradient.pictures.compressor import Fixed, LayersCompressor
from taskcodec.fitting.gradient.pictures.data import loader
from taskcodec.fitting.gradient.pictures.recipe import LayerChoice, LayersRecipe
from taskcodec.fitting.gradient.pictures.training import described_stage
from taskcodec.fitting.gradient.recipe import NetworkChoice, Schedule
from taskcodec.fitting.gradient.training import Samples, Work, run

ANALYSIS = NetworkChoice("elic", {"widths": [32, 48, 96], "latent": 96, "blocks": 1, "attention": False})
SYNTHESIS = NetworkChoice("elic_synthesis")
ENTROPY = {"side": 24, "hyper": 48, "context": 48}


@dataclass(frozen=True)
class Tuning:
    """One training.

    Attributes:
        name: of its codec and its folder in the work folder.
        beta: what a bit a pixel costs, in units of the task's loss.
        schedule: how.
        crop: side of what is cut from pictures.
        start: the training whose last weights it begins with; None: fresh ones.
    """

    name: str
    beta: float
    schedule: Schedule
    crop: int = 128
    start: str | None = None


def tuned(tuning, pictures, task, work):
    """The codec of a training, from the work folder or trained on these pictures; a training that was stopped goes on.

    pictures, task: calls that give them, since a codec that is there needs none; the task may be None: squared error.
    """
    file = work / f"{tuning.name}.codec"
    if file.exists():
        return taskcodec.load_codec(file)
    data = pictures()
    begin = None if tuning.start is None else str(work / f"{tuning.start}.training")
    layer = LayerChoice("picture", ANALYSIS, SYNTHESIS, entropy=ENTROPY, begin=begin)
    recipe = LayersRecipe((layer,), tuning.beta, crop=tuning.crop)
    identity = {"name": tuning.name, "beta": tuning.beta, "start": tuning.start or "", **data.identity()}
    codec = trained_for(task(), recipe, tuning.schedule, data, work / f"{tuning.name}.training", identity)
    codec.save(file)
    print(f"{tuning.name}: {codec.provenance['trained_bits']:.0f} bits a picture of training", flush=True)
    return codec


def trained_for(task, recipe, schedule, data, folder, identity, fixed=None):
    """The codec of a recipe's only layer, trained for a task that no recipe can name; None: for the one it names.

    identity: what tells this training from others, recorded in the codec.
    """
    (layer,) = recipe.layers
    torch.manual_seed(schedule.seed)
    compressor = LayersCompressor((layer,), recipe, data, fixed or Fixed())
    described = described_stage((replace(layer, begin=identity["start"] or None),), recipe, schedule)
    if task is not None:
        compressor.tasks[layer.name] = task
        described["layers"][layer.name]["task"] = task.name  # which no `LayerChoice` takes without its predictor
    samples = Samples(len(data.pictures), partial(loader, data, recipe.crop), identity)
    record = {"method": "layers of pictures", "trained": [described], **identity}
    return run(compressor, samples, schedule, Work(folder, resume=True), record, None).codec
