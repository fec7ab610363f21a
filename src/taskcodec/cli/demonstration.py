"""The demonstration: real handwritten digits, from pixels to a store to a predictor, offline."""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from taskcodec.data.sources import ImageSource, Item
from taskcodec.engines.encode.execute import encode_job
from taskcodec.engines.encode.local import Progress, write_features
from taskcodec.engines.encode.sources import backbone_for
from taskcodec.evaluation.predictors.probing import probe_accuracy
from taskcodec.evaluation.scores.intervals import wilson

Array = npt.NDArray[Any]
DIGITS = 1000
TRAIN = 600


@dataclass(frozen=True)
class DemoResult:
    """What the demonstration measured. Accuracies are shares, with 95 % Wilson intervals (low, high)."""

    samples: int
    source_bytes: int
    code_bytes: int
    store_bytes: int
    feature_bytes: int
    bits_per_sample: float
    raw_accuracy: float
    raw_interval: tuple[float, float]
    decoded_accuracy: float
    decoded_interval: tuple[float, float]
    store: str
    plot: str


def run_demo(folder: Path, progress: Progress | None = None) -> DemoResult:
    """Encode DIGITS digits as `taskcodec encode` does into `folder`, train a probe on raw and on decoded features."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    images, labels = digits.images[:DIGITS], digits.target[:DIGITS]
    files = [_png(image) for image in images]
    items = [
        Item(f"{label}/digit-{i:04d}.png", len(data), str(label), lambda data=data: data)  # type: ignore[misc]
        for i, (data, label) in enumerate(zip(files, labels.tolist(), strict=True))
    ]
    source = ImageSource("handwritten digits", items)
    store = encode_job(source, folder / "digits.tcz", progress=progress).store
    write_features(source, folder / "digits.npy", backbone_for(source, None), progress)
    raw, decoded = np.load(folder / "digits.npy"), store.to_numpy()
    results = []
    for features in (raw, decoded):
        probe = probe_accuracy(features[:TRAIN], labels[:TRAIN], features[TRAIN:], labels[TRAIN:])
        interval = wilson(int(probe.correct.sum()), len(probe.correct))
        results.append((probe, (interval.low, interval.high)))
    plot = folder / "digits.png"
    _draw(images[TRAIN:], labels[TRAIN:], results[1][0].predictions, raw, decoded, plot)
    info = store.info()
    return DemoResult(
        samples=info.samples,
        source_bytes=info.source_bytes,
        code_bytes=info.code_bytes,
        store_bytes=info.store_bytes,
        feature_bytes=raw.nbytes,
        bits_per_sample=info.bits_per_sample,
        raw_accuracy=results[0][0].value,
        raw_interval=results[0][1],
        decoded_accuracy=results[1][0].value,
        decoded_interval=results[1][1],
        store=str(folder / "digits.tcz"),
        plot=str(plot),
    )


def _png(image: npt.NDArray[np.float64]) -> bytes:
    sink = io.BytesIO()
    Image.fromarray((image * 255 / 16).astype(np.uint8)).save(sink, format="PNG")
    return sink.getvalue()


def _draw(images: Array, labels: Array, predictions: Array, raw: Array, decoded: Array, path: Path) -> None:
    """A row of test digits with what the predictor said, and one feature vector before and after."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4.2), layout="constrained")
    halves: Any = figure.subfigures(2, 1, height_ratios=[1, 1.6])
    top, bottom = halves
    for axis, image, label, said in zip(np.ravel(top.subplots(1, 14)), images, labels, predictions, strict=False):
        axis.imshow(image, cmap="gray_r")
        axis.set_axis_off()
        axis.set_title(str(said), color="black" if said == label else "red")
    axis = bottom.subplots()
    axis.plot(raw[0, :160], lw=1, color="0.5", label="raw features")
    axis.plot(decoded[0, :160], lw=1, color="tab:blue", label="decoded features")
    axis.set(xlabel="feature", ylabel="value", title="The first digit: 160 of its features")
    axis.legend(frameon=False)
    figure.savefig(path, dpi=120)
