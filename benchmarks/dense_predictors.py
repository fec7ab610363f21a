"""How far JPEG, WebP and AVIF can go down before a frozen detector or segmenter notices.

    python benchmarks/dense_predictors.py --data DATA --out benchmarks/results/dense_predictors.json

DATA holds the unpacked folders coco256_multitask and camvid12, and frozen_predictors. Writes the rows (with how many
images each was scored on), the limits drawn from them, and a plot beside them. About 15 minutes on one core.
"""

import argparse
import json
from dataclasses import asdict
from pathlib import Path

import matplotlib
import PIL

from taskcodec.cli.output import progress_bar
from taskcodec.evaluation.dense.detection import coco256_task
from taskcodec.evaluation.dense.frozen import load_detector, load_segmenter
from taskcodec.evaluation.dense.run import ORIGINAL, dense_pixel_codecs, limits, run_dense
from taskcodec.evaluation.dense.segmentation import camvid_task
from taskcodec.evaluation.report.colours import COLOURS, MARKERS

matplotlib.use("Agg")
from matplotlib import pyplot

FRAMES = 40


def plot(rows, files):
    """One panel a set: the metric against bits an image, with the interval of its difference."""
    sets = list(dict.fromkeys((row.set, row.metric, row.probe) for row in rows))
    figure, axes = pyplot.subplots(1, len(sets), figsize=(6.4 * len(sets), 4.6), squeeze=False, layout="constrained")
    for panel, key in zip(axes[0], sets, strict=True):
        here = [row for row in rows if (row.set, row.metric, row.probe) == key]
        raw = next(row for row in here if row.codec == ORIGINAL)
        label = f"files as they are ({raw.bits_per_sample:,.0f} bits)"
        panel.axhline(100 * raw.value, color="#444444", linestyle="--", linewidth=1, label=label)
        for index, name in enumerate(dict.fromkeys(row.codec for row in here if row.codec != ORIGINAL)):
            line = sorted((row for row in here if row.codec == name), key=lambda row: row.bits_per_sample)
            panel.errorbar(
                [row.bits_per_sample for row in line],
                [100 * row.value for row in line],
                yerr=[
                    [100 * (row.difference - row.difference_low) for row in line],
                    [100 * (row.difference_high - row.difference) for row in line],
                ],
                fmt=MARKERS[index], color=COLOURS[index], label=name, markersize=4, elinewidth=0.7, capsize=2,
            )  # fmt: skip
        panel.set_xscale("log", base=2)
        panel.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        panel.set_xlabel("bits per image (real bytes)")
        panel.set_ylabel({"map": "AP, %", "miou": "mIoU, %"}[raw.metric])
        panel.set_title(f"{raw.set}, {raw.samples} images\n{raw.probe}", fontsize=9)
        panel.grid(alpha=0.25)
    axes[0][-1].legend(fontsize=8, loc="lower right")
    for file in files:
        figure.savefig(file, dpi=150)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--predictors", type=Path, help="default: DATA/frozen_predictors")
    parser.add_argument("--cache", type=Path, default=Path("dense_cache"))
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    folder = arguments.predictors or arguments.data / "frozen_predictors"
    segmenter = load_segmenter(folder / "deeplab_mobilenet_edgetpu_slim_cityscapes_quant.tflite")
    tasks = [
        coco256_task(arguments.data / "coco256_multitask", load_detector(folder / "yolox_nano_416.onnx")),
        camvid_task(arguments.data / "camvid12", segmenter, limit=FRAMES),
    ]
    rows = []
    for task in tasks:
        with progress_bar(task.task) as report:
            rows += run_dense(task, dense_pixel_codecs(), arguments.cache, report)
    found = limits(rows)
    content = {
        "note": f"all 128 images of coco256 val; {FRAMES} of the 233 test frames of camvid12, spread evenly; "
        "the files as they are, which the codecs are held against, are JPEG files of quality 92 themselves",
        "pillow": PIL.__version__,
        "rows": [asdict(row) for row in rows],
        "limits": [asdict(limit) for limit in found],
    }
    arguments.out.write_text(json.dumps(content, indent=1) + "\n")
    plot(rows, [arguments.out.with_suffix(".png")])
    for limit in found:
        print(limit)


if __name__ == "__main__":
    main()
