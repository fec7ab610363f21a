"""How far pixel codecs can go down before a frozen detector or segmenter notices.

    image file --codec at a setting--> decoded image --frozen predictor--> boxes, classes of pixels --> AP, mIoU
    image file ------------------------------------> the same predictor -------------------------> uncompressed figure

Nothing is trained: the predictor is as its authors made it, so its loss is the codec's doing. For the intervals images
are drawn, the same for a codec and for the uncompressed images (Efron and Tibshirani 1993, chapter 8). What is averaged
over classes is biased in a draw, where rare classes are missing or doubled; intervals are therefore the draws' spread
about their own mean, set at the measured value.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import PIL
from PIL import Image

from taskcodec.engines.encode.local import Progress
from taskcodec.errors import SourceError
from taskcodec.evaluation.npz import read_arrays, write_arrays
from taskcodec.evaluation.peers.pixels import Format, PillowCodec, PixelCodec, available
from taskcodec.evaluation.rates.curves import Row, figures
from taskcodec.evaluation.rates.matched import front
from taskcodec.evaluation.scores.intervals import Interval
from taskcodec.transforms.pictures.images import read_image

Floats = npt.NDArray[np.float64]

ORIGINAL = "original files"
DRAWS = 1000


class DenseScores(Protocol):
    """A metric over images."""

    @property
    def value(self) -> float: ...
    def values(self, weights: npt.NDArray[Any]) -> Floats:
        """(b,) the metric for each row of weights (b, n), how often each image was drawn."""


class DenseTask(Protocol):
    """Images, a frozen predictor, and a metric: PictureTask, DetectionTask or SegmentationTask."""

    @property
    def set(self) -> str: ...
    @property
    def task(self) -> str: ...
    @property
    def metric(self) -> str: ...
    @property
    def predictor(self) -> str: ...
    @property
    def files(self) -> tuple[Path, ...]: ...
    def examine(self, index: int, image: Image.Image) -> npt.NDArray[Any]:
        """What the predictor makes of image `index` as decoded: all that the metric needs of it."""

    def score(self, found: Sequence[npt.NDArray[Any]]) -> DenseScores: ...


@dataclass(frozen=True)
class Limit:
    """How far one codec can go down on one task, along its settings that no cheaper one equals.

    Attributes:
        noticed_bits: rate of the first setting, from the top, whose interval of the loss excludes zero; None: none has.
        unnoticed_bits: rate of the setting before it; None: the predictor notices the best setting already.
        loss_bits: rate at which the loss is `loss`, interpolated in log rate; None: not within the settings.
    """

    codec: str
    set: str
    metric: str
    unnoticed_bits: float | None
    noticed_bits: float | None
    loss: float
    loss_bits: float | None


def dense_pixel_codecs(formats: Sequence[Format] = ("jpeg", "webp", "avif")) -> list[PillowCodec]:
    """A sweep for predictors that see some 300 to 500 pixels: quality at full size, and less size where that pays."""
    full, smaller = (5, 15, 30, 50, 75, 90), ((60, 224), (60, 144), (40, 96))
    settings = [*((quality, None) for quality in full), *smaller]
    return [PillowCodec(name, *setting) for name in formats if available(name) for setting in settings]


def run_dense(
    task: DenseTask,
    codecs: Sequence[PixelCodec],
    cache_folder: Path | None = None,
    progress: Progress | None = None,
    seed: int = 0,
) -> list[Row]:
    """Score a frozen predictor on what each codec leaves of the images, against the images as they are.

    Args:
        task: a `PictureTask`, or from `coco256_task`, `coco_task` or `camvid_task`.
        codecs: for instance `dense_pixel_codecs()`.
        cache_folder: keeps what the predictor found, by codec and setting, so that a run that was stopped goes on.
        progress: called with (images done, images in all).

    Returns:
        One row for the files as they are (codec "original files"), then one a codec, in the order given.

    Raises:
        SourceError: an image is damaged; the line names it.
    """
    total = (len(codecs) + 1) * len(task.files)
    rows: list[Row] = []
    raw: tuple[float, Floats] | None = None
    for place, codec in enumerate([None, *codecs]):
        found, bits = _found(task, codec, cache_folder, place * len(task.files), total, progress)
        scores = task.score(found)
        value, draws = scores.value, scores.values(_times_drawn(len(found), seed))
        raw = raw or (value, draws)
        interval, difference = _interval(value, draws), _interval(value - raw[0], draws - raw[1])
        rows.append(
            Row(
                "frozen", codec.name if codec else ORIGINAL, codec.setting if codec else "as they are",
                task.set, task.task, task.metric, task.predictor, "all images", len(found), float(bits.mean()),
                **figures(interval, raw[0], difference),
            )
        )  # fmt: skip
    return rows


def limits(rows: Sequence[Row], loss: float = 0.01) -> list[Limit]:
    """How far each codec can go down on each set and metric. loss: in the metric's unit; 0.01 is one point."""
    result = []
    keys = dict.fromkeys((row.codec, row.set, row.metric, row.probe) for row in rows if row.codec != ORIGINAL)
    for codec, name, metric, probe in keys:
        mine = [row for row in rows if (row.codec, row.set, row.metric, row.probe) == (codec, name, metric, probe)]
        line = front(mine, lambda row: (row.bits_per_sample, row.value))[::-1]
        noticed = next((i for i, row in enumerate(line) if row.difference_high < 0), None)
        last_good = line[-1 if noticed is None else noticed - 1] if noticed != 0 else None
        result.append(
            Limit(
                codec, name, metric,
                None if last_good is None else last_good.bits_per_sample,
                None if noticed is None else line[noticed].bits_per_sample,
                loss, _rate_at(line, -loss),
            )
        )  # fmt: skip
    return result


def _rate_at(line: Sequence[Row], difference: float) -> float | None:
    """Where a line by falling rate crosses a difference."""
    for above, below in pairwise(line):
        if above.difference >= difference >= below.difference:
            share = (above.difference - difference) / max(above.difference - below.difference, 1e-12)
            return math.exp((1 - share) * math.log(above.bits_per_sample) + share * math.log(below.bits_per_sample))
    return None


def _found(
    task: DenseTask, codec: PixelCodec | None, folder: Path | None, before: int, total: int, progress: Progress | None
) -> tuple[list[npt.NDArray[Any]], Floats]:
    """What the predictor found in each image, and the bits of each file."""
    count = len(task.files)
    file = None if folder is None else Path(folder) / f"dense-{_key(task, codec)}.npz"
    if file is not None:
        kept = read_arrays(file) or {}
        if kept.keys() >= {"bits", *(f"found{i}" for i in range(count))}:  # else made anew
            if progress is not None:
                progress(before + count, total)
            return [kept[f"found{i}"] for i in range(count)], kept["bits"].astype(np.float64)
    found, bits = [], np.zeros(count)
    for index, path in enumerate(task.files):
        try:
            image, size = read_image(str(path))[0], path.stat().st_size
        except (SourceError, OSError) as error:
            raise SourceError(f"{path}: {getattr(error, 'strerror', None) or error}") from error
        if codec is not None:
            image, size = codec.encode_decode(image)
        found.append(task.examine(index, image))
        bits[index] = 8 * size
        if progress is not None:
            progress(before + index + 1, total)
    if file is not None:
        write_arrays(file, {"bits": bits} | {f"found{i}": rows for i, rows in enumerate(found)})
    return found, bits


def _key(task: DenseTask, codec: PixelCodec | None) -> str:
    files = [(str(path), path.stat().st_size if path.is_file() else 0) for path in task.files]
    name, setting = (codec.name, codec.setting) if codec else (ORIGINAL, "")
    content = [task.set, task.task, task.metric, task.predictor, name, setting, files, PIL.__version__]
    return hashlib.sha256(json.dumps(content).encode("utf-8", "surrogateescape")).hexdigest()[:32]


def _times_drawn(images: int, seed: int) -> npt.NDArray[np.int64]:
    """(DRAWS, images) how often each image is drawn."""
    return np.random.default_rng(seed).multinomial(images, np.full(images, 1 / images), size=DRAWS)


def _interval(value: float, draws: Floats) -> Interval:
    """95 %: the spread of the draws about their mean, set at the value."""
    low, high = np.quantile(draws, [0.025, 0.975]) - draws.mean() + value
    return Interval(value, float(min(low, value)), float(max(high, value)))
