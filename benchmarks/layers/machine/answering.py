"""Codecs that answer a task themselves, informed by the predictor in whose place they answer.

The analysis sees what the predictor says of the picture, and the synthesis says it again: no picture comes back, and so
few bits are needed. Each price of a bit begins with the training before it.
"""

from collections.abc import Callable
from dataclasses import dataclass

import taskcodec
from taskcodec.engines.train.pictures.data import known
from taskcodec.fitting.gradient.pictures.compressor import Fixed
from taskcodec.fitting.gradient.pictures.data import PictureSet
from taskcodec.fitting.gradient.pictures.recipe import LayerChoice, LayersRecipe
from taskcodec.fitting.gradient.pictures.training import train_layers
from taskcodec.fitting.gradient.recipe import NetworkChoice, Schedule
from taskcodec.fitting.gradient.training import Work

ENTROPY = {"side": 8, "hyper": 24, "context": 24}
BATCH = 3


@dataclass(frozen=True)
class Answering:
    """The trainings for one task.

    Attributes:
        task: its name.
        pictures: data -> `DensePictures` that are trained on.
        reader: (data, work) -> the predictor.
        widths, latent: of the analysis.
        back: widths of the synthesis.
        crop: side of what is cut from pictures: they are seen whole, since a network of such reach learns where a
            crop's edge is, and finds it nowhere in a larger picture.
        prices: in the order of their making: beta, steps, rate of learning, and the place of the one it begins with.
    """

    task: str
    pictures: Callable
    reader: Callable
    widths: tuple
    latent: int
    back: tuple
    crop: int
    prices: tuple


def answering(name, of, place, data, work, times):
    """The codec of a price, from the work folder or trained; a training that was stopped goes on."""
    file = work / f"{name}-b{place}.codec"
    if file.exists():
        return taskcodec.load_codec(file)
    beta, steps, rate, before = of.prices[place]
    sources = of.pictures(data)
    pictures = [known(source[number]) for source in sources for number in range(len(source))]
    layer = LayerChoice(
        "base",
        NetworkChoice("light", {"widths": list(of.widths), "latent": of.latent, "blocks": 1}),
        NetworkChoice("light_synthesis", {"widths": list(of.back)}),
        task=of.task,
        entropy=ENTROPY,
        informed_by="reader",
        begin=None if before is None else str(work / f"{name}-b{before}.training"),
    )
    codec = train_layers(
        PictureSet(pictures, {of.task: len(sources[0].label_classes)}),
        LayersRecipe((layer,), beta, crop=of.crop),
        Schedule(max(2, round(times * steps)), BATCH, rate, warmup=25, checkpoint_every=100),
        Work(work / f"{name}-b{place}.training", resume=True),
        Fixed(None, {"reader": of.reader(data, work)}),
    ).codec
    codec.save(file)
    print(f"{name}-b{place}: {codec.provenance['trained_bits']:.0f} bits a picture of training", flush=True)
    return codec
