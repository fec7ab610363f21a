"""What a configuration of layers names, read into memory: pictures with what is known of them, predictors, a codec."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from PIL import Image
from torch import nn

from taskcodec.codec import Codec
from taskcodec.data.dense.cityscapes import read_cityscapes
from taskcodec.data.dense.coco import read_coco
from taskcodec.data.dense.folder import read_folder
from taskcodec.data.dense.picture import DensePicture, DensePictures
from taskcodec.data.dense.scenes import Scenes
from taskcodec.data.items import ImageSource
from taskcodec.data.sources import open_source
from taskcodec.engines.train.keys import said_of
from taskcodec.engines.train.left_out import LeftOut
from taskcodec.engines.train.pictures.config import SCENES, LayersConfig, PicturesChoice
from taskcodec.engines.train.pictures.overfitted import OverfittedConfig
from taskcodec.engines.train.pictures.realism import RealismConfig
from taskcodec.errors import SourceError, TaskcodecError, UsageError
from taskcodec.fitting.gradient.pictures.compressor import Fixed
from taskcodec.fitting.gradient.pictures.data import KnownPicture, PictureSet
from taskcodec.loading import load_codec
from taskcodec.transforms.pictures.images import open_image
from taskcodec.transforms.predictors.load import load_predictor

Faults = list[tuple[str, str]]
"""Name and reason of each picture that cannot be trained on."""
_READ: dict[str, Callable[[str], DensePictures]] = {
    "coco": read_coco,
    "cityscapes": lambda root: read_cityscapes(root, "train"),
    "folder": read_folder,
}


def picture_set(config: LayersConfig | RealismConfig | OverfittedConfig) -> tuple[PictureSet, LeftOut | None]:
    """The pictures of a configuration, and what was left out. Errors name the configuration's file and the key."""
    choice, faults = config.data, Faults()
    try:
        if choice.kind == "images":
            found = _of_images(choice, faults)
        else:
            scenes = Scenes(choice.samples, choice.side, choice.side, choice.seed)
            found = _of_dense(scenes if choice.kind == SCENES else _READ[choice.kind](choice.place), choice, faults)
        if len(found.pictures) < 2:
            raise SourceError(f"training needs at least 2 pictures that can be read, found {len(found.pictures)}")
    except TaskcodecError as error:
        raise type(error)(f"{config.name}: data.source: {error}") from error
    return found, LeftOut(len(faults), *faults[0]) if faults else None


def fixed_of(config: LayersConfig) -> Fixed:
    """The codec that lies below, and the predictors that layers name. Errors name the configuration's file."""
    below: Codec | None = None
    try:
        if config.below is not None:
            below = _codec_of_pictures(config.below)
        predictors = dict[str, nn.Module]()
        for layer in config.recipes[0].layers:
            for key, name in (("predictor", layer.predictor), ("informed_by", layer.informed_by)):
                if name is not None and name not in predictors:
                    with said_of(f"layers.{layer.name}.{key}: "):
                        predictors[name] = load_predictor(name)
        return Fixed(below, predictors)
    except TaskcodecError as error:
        raise type(error)(f"{config.name}: {error}") from error


def finished_of(config: RealismConfig) -> Codec:
    """The codec that gets a second synthesis. Errors name the configuration's file."""
    try:
        return _codec_of_pictures(config.codec)
    except TaskcodecError as error:
        raise type(error)(f"{config.name}: {error}") from error


def _codec_of_pictures(place: str) -> Codec:
    codec = load_codec(place)
    if not codec.of_pictures:
        raise UsageError(f"{place}: a codec of {codec.domain}, not of pictures")
    return codec


def known(picture: DensePicture) -> KnownPicture:
    """A picture as training takes it; boxes of crowds are left out."""
    boxes = picture.boxes
    alone = None if boxes is None else ~boxes.crowd  # a box around a crowd is no object to be found
    corners, labels = (None, None) if boxes is None else (boxes.corners[alone], boxes.labels[alone])
    return KnownPicture(picture.pixels, picture.labels, picture.depth, corners, labels, picture.whole)


def _spread(count: int, limit: int) -> Sequence[int]:
    """At most `limit` of so many numbers, spread evenly."""
    taken = min(count, limit)
    return [place * count // max(1, taken) for place in range(taken)]


def _of_dense(source: DensePictures, choice: PicturesChoice, faults: Faults) -> PictureSet:
    pictures, whole = [], 0
    for number in _spread(len(source), choice.samples):
        try:
            found = known(source[number])
        except (SourceError, OSError) as error:
            faults.append((f"{source.name}, number {number}", str(error)))
            continue
        pictures.append(found)
        whole = max(whole, 1 + (-1 if found.whole is None else found.whole))
    return PictureSet(pictures, {"segmentation": len(source.label_classes), "classification": whole})


def _of_images(choice: PicturesChoice, faults: Faults) -> PictureSet:
    source = open_source(choice.place)
    if not isinstance(source, ImageSource):
        raise SourceError(f"{choice.place}: vectors, where layers of pictures need images")
    pixels, names = list[Any](), list[str | None]()
    for number in _spread(len(source), choice.samples):
        item = source.items[number]
        try:
            if item.fault is not None:
                raise SourceError(item.fault)
            pixels.append(_scaled(open_image(item.read(), choice.side, keep_truncated=True), choice.side))
            names.append(item.label)
        except (SourceError, OSError) as error:
            faults.append((item.id, str(error)))
    classes = sorted({name for name in names if name is not None})
    if None in names or len(classes) < 2:
        return PictureSet([KnownPicture(each) for each in pixels], {})
    numbers = {name: number for number, name in enumerate(classes)}
    pictures = [KnownPicture(x, whole=numbers[str(name)]) for x, name in zip(pixels, names, strict=True)]
    return PictureSet(pictures, {"classification": len(classes)})


def _scaled(image: Image.Image, side: int) -> Any:
    """(H, W, 3) uint8, the shorter side at most so long."""
    factor = side / min(image.size)
    if factor < 1:
        width, height = (max(1, round(each * factor)) for each in image.size)
        image = image.resize((width, height), Image.Resampling.BICUBIC)
    return np.asarray(image.convert("RGB"))
