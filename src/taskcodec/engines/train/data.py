"""What a configuration names, read into memory: toy sources, IDX files, images, vectors, features of a backbone."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import torch

from taskcodec.data.arrays import FeatureSource
from taskcodec.data.augmentations.kinds import TARGETS, jittered, views
from taskcodec.data.idx import is_idx_folder, read_idx_folder
from taskcodec.data.items import ImageSource
from taskcodec.data.sources import open_source
from taskcodec.data.toy import banana_source
from taskcodec.engines.encode.local import Batches
from taskcodec.engines.train.config import TOY, DataChoice, TrainConfig
from taskcodec.engines.train.left_out import LeftOut
from taskcodec.errors import SourceError, TaskcodecError, UsageError
from taskcodec.fitting.gradient.compressor import TrainingSet
from taskcodec.store.format.records import OK
from taskcodec.transforms.pictures.images import Pixels, Preprocessing, open_image
from taskcodec.transforms.spec import BackboneSpec

READ_ROWS = 65_536
"""Vectors are read in blocks of so many."""
Faults = list[tuple[str, str]]
"""Name and reason of each sample that cannot be trained on."""


def training_set(config: TrainConfig) -> tuple[TrainingSet, LeftOut | None]:
    """The samples of a configuration, with its views, and what was left out.

    Errors name the configuration's file and the key.
    """
    faults: Faults = []
    try:
        found = _samples(config.data, faults)
    except TaskcodecError as error:
        raise type(error)(f"{config.name}: data.source: {error}") from error
    try:
        made = views(config.augmentations, found.samples)
    except UsageError as error:
        raise UsageError(f"{config.name}: augmentations: {error}") from error
    if config.jitter and found.is_images:
        raise UsageError(f"{config.name}: jitter: is for vectors, the data are images; leave it out")
    if config.jitter:
        made = jittered(made, config.jitter)
    data = replace(found, views=made, target=TARGETS[config.data.target])
    return data, LeftOut(len(faults), *faults[0]) if faults else None


def _samples(choice: DataChoice, faults: Faults) -> TrainingSet:
    if choice.source == TOY:
        drawn = banana_source().sample(choice.samples, choice.seed).astype(np.float32)
        return TrainingSet(torch.from_numpy(drawn))
    if is_idx_folder(choice.source):
        images, classes = read_idx_folder(choice.source)
        rows = _spread(len(images), choice.samples)
        images, classes = images[rows], classes[rows]
        return _of_images(images[..., None], torch.from_numpy(classes.astype(np.int64)), images.shape[1])
    source = open_source(choice.source)
    if isinstance(source, FeatureSource):
        return _vectors(source, choice.samples, faults)
    source = ImageSource(source.name, [source.items[row] for row in _spread(len(source), choice.samples)])
    if choice.backbone is not None:
        return _features(source, choice.backbone, faults)
    return _images(source, choice, faults)


def _spread(count: int, limit: int) -> npt.NDArray[np.intp]:
    """At most `limit` rows of so many, spread evenly: the first ones of a sorted folder would be of one class."""
    taken = min(count, limit)
    return np.arange(taken) * count // max(1, taken)


def _vectors(source: FeatureSource, limit: int, faults: Faults) -> TrainingSet:
    rows, parts, kept = _spread(len(source), limit), [], []
    for start in range(0, len(source), READ_ROWS):
        wanted = rows[np.searchsorted(rows, start) : np.searchsorted(rows, start + READ_ROWS)]
        if not len(wanted):
            continue
        block = source.block(start, min(len(source), start + READ_ROWS))[wanted - start]
        finite = np.isfinite(block).all(axis=1)
        for row in wanted[~finite].tolist():
            faults.append((source.id_of(row), source.fault(row) or "not all of its numbers are finite"))
        parts.append(block[finite])
        kept += wanted[finite].tolist()
    names = [] if source.labels is None else [source.labels[row] for row in kept]
    return _of_vectors(np.concatenate(parts), names, source.name)


def _of_vectors(
    vectors: np.ndarray, names: Sequence[str | None], source: str, spec: BackboneSpec | None = None
) -> TrainingSet:
    if len(vectors) < 2:
        raise SourceError(f"{source}: training needs at least 2 samples that can be read, found {len(vectors)}")
    samples = torch.from_numpy(np.ascontiguousarray(vectors, dtype=np.float32))
    return TrainingSet(samples, labels=_class_numbers(names), backbone=spec)


def _class_numbers(names: Sequence[str | None]) -> torch.Tensor | None:
    """(n,) int64, in the order of the classes' names; None where a sample has none."""
    if not names or any(name is None for name in names):
        return None
    return torch.from_numpy(np.unique(np.array(names), return_inverse=True)[1].astype(np.int64))


def _of_images(images: Pixels, labels: torch.Tensor | None, side: int) -> TrainingSet:
    """(n, H, W, C) bytes. Mean and spread of all pixels are recorded, one of each, to three digits."""
    part = images[:: max(1, len(images) // 2000)].astype(np.float64) / 255
    mean, std = round(float(part.mean()), 3), max(round(float(part.std()), 3), 0.001)
    described = Preprocessing(side, side, "bicubic", (mean,) * 3, (std,) * 3).to_json()
    # A copy: what was read from a file is not writable, which torch takes only with a warning.
    samples = torch.from_numpy(np.array(images.transpose(0, 3, 1, 2), order="C"))
    return TrainingSet(samples, labels=labels, preprocessing=described)


def _images(source: ImageSource, choice: DataChoice, faults: Faults) -> TrainingSet:
    prepare = Preprocessing(choice.side, choice.side, "bicubic", (0.0,) * 3, (1.0,) * 3)
    squares, names = [], []
    for item in source.items:
        if item.fault is not None:
            faults.append((item.id, item.fault))
            continue
        try:
            squares.append(prepare(open_image(item.read(), choice.side, keep_truncated=True)))
            names.append(item.label)
        except (SourceError, OSError) as error:  # as when encoding: what cannot be read does not stop the rest
            faults.append((item.id, str(error)))
    if len(squares) < 2:
        raise SourceError(f"{source.name}: training needs at least 2 images that can be read, found {len(squares)}")
    images = np.stack(squares)
    if choice.grey:
        images = images.mean(axis=-1, keepdims=True).round().astype(np.uint8)
    return _of_images(images, _class_numbers(names), choice.side)


def _features(source: ImageSource, name: str, faults: Faults) -> TrainingSet:
    from taskcodec.transforms.backbones import load_backbone

    backbone = load_backbone(name)
    records, features = Batches(source, backbone).whole()
    faults += [(str(record.id), record.status) for record in records if record.status != OK]
    names = [record.label for record in records if record.status == OK]
    return _of_vectors(features, names, source.name, backbone.spec)
