"""Digits whose place, turn, slant and size do not matter: VC, VIC and BINCE against pixel codecs, in real bytes.

    python benchmarks/augmented_mnist/run.py MNIST_FOLDER --work WORK [--minutes 60] [--seeds 0 1 2] [--out FOLDER]

Trains a codec for each objective, beta and seed on the 60,000 training images (the paper's augmentations), then codes
the training and test images as they are: bits_file is the mean of real blocks of 4096 test images. Predictors (one
small MLP for each task) are trained on what is decoded of the training images. The codecs are made without labels. A
trained codec gives further rates without further training, at coarser steps (CELLS). Where all images are augmented,
test images too, predictors see one view of each training image, or VIEWS of them.

Resumable: --minutes stops at a checkpoint, and the same command goes on; --only lets several cores share the settings
of one WORK. --choose measures on training images that are kept aside, so that what is chosen there has not seen a test
image: give it a WORK and an --out of its own. results.json is rewritten after each setting, and beside it what was
trained (configuration.json) and how it went (logs/).
"""

import argparse
import json
import platform
import time
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path

import torch
from measuring import (
    CONDITIONAL,
    MANY,
    MEAN,
    MOVED,
    STD,
    VIEWS,
    Digits,
    measure,
    pixel_rows,
    read_digits,
    zero_shot_rows,
)

import taskcodec
from taskcodec.data.augmentations.kinds import views
from taskcodec.fitting.gradient.recipe import NetworkChoice, Recipe, Schedule
from taskcodec.fitting.gradient.training import TrainingSet, Work, train

COLUMNS = 32
PREPROCESSING = {"resize": 28, "crop": 28, "interpolation": "bicubic", "mean": [MEAN] * 3, "std": [STD] * 3}


@dataclass(frozen=True)
class Setting:
    """Gradient steps, sizes of the analysis, and how it is trained."""

    steps: int
    widths: tuple = (16, 32, 64)
    blocks: int = 1
    learning_rate: float = 2e-3
    precision: str = "32-true"
    batch: int = 128
    rise: float = 0.0
    """Share of the steps over which the price of a bit rises to beta."""
    positive: str = "view"
    """What BINCE compares a view with."""
    queue: int = 0
    """Earlier candidates of BINCE."""


LARGER = Setting(25_000, (32, 64, 128), blocks=2, learning_rate=3e-3, precision="bf16-mixed")
AGAINST_SAMPLES = Setting(12_000, rise=0.6, positive="sample")
SETTINGS = {
    ("VIC", 0.03): Setting(12_000), ("VC", 0.006): Setting(12_000), ("BINCE", 0.003): Setting(6000),
    ("VIC", 0.06): Setting(12_000), ("VC", 0.012): Setting(24_000), ("VIC", 0.1): Setting(24_000),
    ("VIC", 0.008): LARGER, ("VC", 0.0015): LARGER,
    ("BINCE", 0.03): replace(AGAINST_SAMPLES, steps=5000, queue=2048), ("BINCE", 0.018): AGAINST_SAMPLES,
}  # fmt: skip
"""(objective, beta) -> how; in the order in which they are trained."""
FIRST = 3
"""So many of them are all that a subset is trained on. On one idle core 12,000 steps took 6 to 25 minutes, the larger
networks' 25,000 steps 40."""
KEPT_ASIDE = 6
"""One in so many training images, the last of them, is what --choose measures on, trained on the rest."""
LOGGED_STEPS = 500
"""A line of the log is kept for every so many steps."""


def planned(objective, beta, seed, steps=None):
    """What is trained, and how. steps: instead of the usual number."""
    setting = SETTINGS[objective, beta]
    sizes = {"widths": list(setting.widths), "blocks": setting.blocks, "stem_stride": 2}
    analysis = NetworkChoice("resnet_small", sizes)
    projected = objective == "BINCE" and setting.positive == "view"
    synthesis = None if projected else NetworkChoice("deconv", {"width": 16})
    steps = steps or setting.steps
    schedule = Schedule(
        steps, setting.batch, learning_rate=setting.learning_rate, precision=setting.precision,
        rate_rise=int(setting.rise * steps), checkpoint_every=min(100, steps), accelerator="cpu", seed=seed,
    )  # fmt: skip
    against = {"positive": setting.positive, "queue": setting.queue}
    return Recipe(objective, beta, COLUMNS, analysis, synthesis, **against), schedule


def settings(seeds, subset):
    """{name: (objective, beta, seed)}: each setting with every seed, then the next, so that what is there when it is
    stopped says most."""
    chosen = list(SETTINGS)[: FIRST if subset < 60_000 else None]
    return {f"{name}-beta{beta:g}-seed{seed}": (name, beta, seed) for name, beta in chosen for seed in seeds}


def kept_aside(digits):
    """Digits whose last training images are tested on."""
    first = len(digits.train) - len(digits.train) // KEPT_ASIDE
    tasks = {name: (classes[:first], classes[first:]) for name, (classes, _) in digits.tasks.items()}
    return Digits(digits.train[:first], digits.train[first:], tasks)


def curves(rows):
    """For each beta the (bits, errors in %) at each step or quality, means over seeds, by rate."""
    for beta in dict.fromkeys(row["beta"] for row in rows):
        steps = {}
        for row in rows:
            if row["beta"] == beta:
                key = row.get("step", row.get("quality", row["bits_file"]))
                steps.setdefault(key, []).append((row["bits_file"], 100 * (1 - row["accuracy"])))
        yield sorted(
            tuple(sum(values) / len(values) for values in zip(*seeds, strict=True)) for seeds in steps.values()
        )


def draw(rows, file):
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt
    from matplotlib.ticker import LogFormatter

    from taskcodec.evaluation.report.colours import COLOURS

    figure, panels = plt.subplots(1, 3, figsize=(18, 4.4), layout="constrained")
    titles = {"digit": "test images as they are", MOVED: "all images augmented"}
    titles |= {MANY: f"all images augmented, predictors on {VIEWS} views"}
    rows = [row for row in rows if row["entropy_model"] is not None]
    names = list(dict.fromkeys(row["objective"] for row in rows))
    for axes, (task, title) in zip(panels, titles.items(), strict=True):
        for number, name in enumerate(names):
            for fitted, fill in (("", "full"), (", conditional tables", "none")):
                own = [row for row in rows if (row["objective"], row["task"]) == (name, task)]
                own = [row for row in own if (row["entropy_model"] == CONDITIONAL) == bool(fitted)]
                look = {"color": COLOURS[number % len(COLOURS)], "fillstyle": fill, "label": name + fitted}
                for points in curves(own):
                    axes.plot(*zip(*points, strict=True), "osD^vPX"[number] + "-", **look)
                    look["label"] = None
        axes.axhline(2.5, color="#666666", linestyle="--", linewidth=1)
        axes.axvline(48, color="#666666", linestyle="--", linewidth=1)
        axes.set(xscale="log", yscale="log", xlabel="bits an image, in files", title=title)
        axes.grid(alpha=0.25, which="both")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(LogFormatter(labelOnlyBase=False))
            axis.set_minor_formatter(LogFormatter(labelOnlyBase=False, minor_thresholds=(2, 0.6)))
    panels[0].set_ylabel("errors on the digits, %")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside right center", frameon=False)
    figure.suptitle("Augmented MNIST (loss = distortion + beta * rate_bits); dashed: 48 bits, 97.5 %")
    figure.savefig(file, dpi=110)
    plt.close(figure)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, help="folder of the IDX files")
    parser.add_argument("--work", type=Path, required=True, help="checkpoints, logs and codecs")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    parser.add_argument("--minutes", type=float, default=None)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--subset", type=int, default=60_000, help="fewer training images: a test that it works")
    parser.add_argument("--steps", type=int, default=None, help="instead of the usual number")
    parser.add_argument("--only", nargs="+", default=None, help="train these alone, such as VIC-beta0.03-seed0")
    parser.add_argument("--choose", action="store_true", help="measure on training images kept aside")
    parser.add_argument("--brief", action="store_true", help="measure the digit alone, at two steps, on one view")
    options = parser.parse_args()
    torch.set_num_threads(1)
    end = None if options.minutes is None else time.monotonic() + 60 * options.minutes
    digits, epochs = read_digits(options.data, options.subset), 12 if options.subset == 60_000 else 4
    digits = kept_aside(digits) if options.choose else digits
    options.out.mkdir(parents=True, exist_ok=True)
    options.work.mkdir(parents=True, exist_ok=True)
    versions = {name: version(name) for name in ("torch", "lightning", "kornia", "numpy")}
    versions |= {"taskcodec": taskcodec.__version__, "python": platform.python_version()}
    common = {"command": "python benchmarks/augmented_mnist/run.py MNIST_FOLDER --work WORK", "versions": versions}
    common |= {"samples": len(digits.test), "training_images": len(digits.train)}
    samples = torch.from_numpy(digits.train.copy())[:, None]
    data = TrainingSet(samples, views=views("mnist", samples), preprocessing=PREPROCESSING)
    finished = True
    for name, (objective, beta, seed) in settings(options.seeds, options.subset).items():
        kept = options.work / f"{name}.json"
        if kept.exists():
            continue
        if options.only is not None and name not in options.only:
            finished = False
            continue
        left = None if end is None else end - time.monotonic()
        if left is not None and left <= 0:
            finished = False
            break
        begun = time.monotonic()
        recipe, schedule = planned(objective, beta, seed, options.steps)
        found = train(data, recipe, schedule, Work(options.work / name, resume=True, seconds=left))
        if found.codec is None:
            print(f"{name}: stopped at step {found.step} of {found.steps}; the same command goes on", flush=True)
            finished = False
            break
        found.codec.save(options.work / f"{name}.codec")
        about = {"objective": objective, "beta": beta}
        about |= {"beta_multiplies": "rate_bits", "seed": seed, "steps": schedule.steps}
        about |= {"positive": recipe.positive} if objective == "BINCE" else {}
        about |= {"widths": recipe.analysis.sizes["widths"]}
        rows = measure(found.codec, digits, epochs, {**about, **common}, options.brief)
        kept.write_text(json.dumps(rows))
        print(f"{name}: {rows[0]['bits_file']:.1f} bits, {100 * rows[0]['accuracy']:.2f} % "
              f"({time.monotonic() - begun:.0f} s)", flush=True)  # fmt: skip
        write(options)
    for name, measured in {"pixels": pixel_rows, "zero-shot": zero_shot_rows}.items():
        kept = options.work / f"{name}.json"
        if finished and not kept.exists():
            kept.write_text(json.dumps(list(measured(digits, epochs, {**common, "seed": 0}))))
    write(options)


def write(options):
    """results.json and the plot, of all that is there."""
    rows = [row for file in sorted(options.work.glob("*.json")) for row in json.loads(file.read_text())]
    record(options)
    if rows:
        (options.out / "results.json").write_text(json.dumps(rows, indent=1) + "\n")
        draw(rows, options.out / "errors.png")


def record(options):
    """configuration.json of what has rows, and the logs thinned."""
    content = []
    for objective, beta in SETTINGS:
        if not any(options.work.glob(f"{objective}-beta{beta:g}-seed*.json")):
            continue
        recipe, schedule = planned(objective, beta, 0, options.steps)
        content.append({"recipe": asdict(recipe), "schedule": schedule.described(), "augmentations": "mnist"})
    (options.out / "configuration.json").write_text(json.dumps(content, indent=1) + "\n")
    logs = options.out / "logs"
    logs.mkdir(exist_ok=True)
    for file in sorted(options.work.glob("*/metrics.csv")):
        head, *lines = file.read_text().splitlines()
        column = head.split(",").index("step")  # steps count from 0: the last of every LOGGED_STEPS
        kept = [line for line in lines if (int(line.split(",")[column]) + 1) % LOGGED_STEPS == 0]
        (logs / f"{file.parent.name}.csv").write_text("\n".join([head, *kept]) + "\n")


if __name__ == "__main__":
    main()
