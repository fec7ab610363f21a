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
    torch.manual_seed(tuning.schedule.seed)
    recipe = LayersRecipe((layer,), tuning.beta, crop=tuning.crop)
    compressor, own = LayersCompressor((layer,), recipe, data, Fixed()), task()
    described = described_stage((replace(layer, begin=tuning.start),), recipe, tuning.schedule)
    if own is not None:
        compressor.tasks["picture"] = own
        described["layers"]["picture"]["task"] = own.name  # which no `LayerChoice` takes without its predictor
    identity = {"name": tuning.name, "beta": tuning.beta, "start": tuning.start or "", **data.identity()}
    samples = Samples(len(data.pictures), partial(loader, data, tuning.crop), identity)
    record = {"method": "layers of pictures", "trained": [described], **identity}
    folder = Work(work / f"{tuning.name}.training", resume=True)
    codec = run(compressor, samples, tuning.schedule, folder, record, None).codec
    codec.save(file)
    print(f"{tuning.name}: {codec.provenance['trained_bits']:.0f} bits a picture of training", flush=True)
    return codec
