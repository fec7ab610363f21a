"""Digits whose place, turn, slant and size do not matter: VC, VIC and BINCE against pixel codecs, in real bytes.

    python benchmarks/augmented_mnist/run.py MNIST_FOLDER --work WORK [--minutes 60] [--seeds 0 1 2] [--out FOLDER]

Trains a codec for each objective, beta and seed on the 60,000 training images (the paper's augmentations), then codes
the training and test images as they are: bits_file is the mean of real blocks of 4096 test images. Predictors (one
small MLP for each task) are trained on what is decoded of the training images. The codecs are made without labels. A
trained codec gives further rates without further training, at coarser steps (CELLS).

Resumable: --minutes stops at a checkpoint, and the same command goes on; --only lets several cores share the settings
of one WORK. results.json is rewritten after each setting, and beside it what was trained (configuration.json) and how
it went (logs/).
"""

import argparse
import io
import json
import platform
import time
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from PIL import Image

import taskcodec
from taskcodec.coding import encode_block
from taskcodec.data.augmentations import views
from taskcodec.data.idx import read_idx_folder
from taskcodec.fitting import adapt
from taskcodec.fitting.conditional import with_conditional_tables
from taskcodec.fitting.recipe import NetworkChoice, Recipe, Schedule
from taskcodec.fitting.training import TrainingSet, seeded, train
from taskcodec.transforms.networks import unpack

BLOCK = 4096
COLUMNS = 32
MEAN, STD = 0.1307, 0.3081
PREPROCESSING = {"resize": 28, "crop": 28, "interpolation": "bicubic", "mean": [MEAN] * 3, "std": [STD] * 3}
SMALL, WIDE = (16, 32, 64), (32, 64, 128)
SETTINGS = {
    ("VIC", 0.03): (12_000, SMALL), ("VC", 0.006): (12_000, SMALL), ("BINCE", 0.003): (6000, SMALL),
    ("VIC", 0.06): (12_000, SMALL), ("VC", 0.012): (24_000, SMALL), ("VIC", 0.1): (24_000, SMALL),
    ("VIC", 0.02): (40_000, WIDE),
}  # fmt: skip
"""(objective, beta) -> gradient steps, and the widths of the analysis; in the order in which they are trained."""
FIRST = 3
"""So many of them are all that a subset is trained on."""
BATCH = 128
"""On one idle core 12,000 steps take about 25 minutes at the small widths, an hour at the wide ones."""
CELLS = (1.0, 1.5, 2.0, 3.0)
"""Quantization steps, in units of the step that a codec was trained at."""
ALL_TASKS = 2
"""At so many of them all tasks are measured, at the rest the digit."""
CONDITIONAL_STEPS = 800
LOGGED_STEPS = 500
"""A line of the log is kept for every so many steps."""
PIXEL_SETTINGS = (("PNG", None), ("JPEG", 1), ("JPEG", 10), ("JPEG", 40), ("WEBP", 0), ("WEBP", 20), ("WEBP", 60))
ZERO_SHOT_BITS = (32, 64, 128, 256, 512, 850)
LOOPS = (0, 6, 8, 9)


@dataclass(frozen=True, eq=False)
class Digits:
    """Training and test images (n, 28, 28), and for each task its classes, (training, test)."""

    train: np.ndarray
    test: np.ndarray
    tasks: dict


def thickness(images):
    """Area of the strokes by half their outline: about their mean thickness in pixels."""
    ink = images > 127
    padded = np.pad(ink, ((0, 0), (1, 1), (1, 1)))
    inner = ink & padded[:, :-2, 1:-1] & padded[:, 2:, 1:-1] & padded[:, 1:-1, :-2] & padded[:, 1:-1, 2:]
    outline = (ink & ~inner).sum(axis=(1, 2))
    return 2 * ink.sum(axis=(1, 2)) / np.maximum(outline, 1)


def read_digits(folder, subset):
    (images, labels), (test, test_labels) = (read_idx_folder(folder, part) for part in ("train", "t10k"))
    images, labels = images[:subset], labels[:subset].astype(np.int64)
    test, test_labels = test[: subset // 6], test_labels[: subset // 6].astype(np.int64)
    thick, middle = thickness(images), np.median(thickness(images))
    pair = (labels, test_labels)
    tasks = {
        "digit": pair,
        "parity": tuple(part % 2 for part in pair),
        "has a loop": tuple(np.isin(part, LOOPS).astype(np.int64) for part in pair),
        "thick strokes (changed by the augmentations: negative control)": tuple(
            (values > middle).astype(np.int64) for values in (thick, thickness(test))
        ),
    }
    return Digits(images, test, tasks)


def accuracy(known, found, classes, truth, epochs):
    """Share of right answers on `found` (m, d) of a small MLP trained on `known` (n, d)."""
    x, test = (torch.from_numpy(np.ascontiguousarray(part, dtype=np.float32)) for part in (known, found))
    mean, std = x.mean(0), x.std(0).clamp(min=0.3)  # a column that hardly ever leaves 0 must not be blown up
    x, test, y = (x - mean) / std, (test - mean) / std, torch.from_numpy(classes)
    with seeded(0, 0, 0):
        net = torch.nn.Sequential(
            torch.nn.Linear(x.shape[1], 256), torch.nn.ReLU(), torch.nn.Linear(256, 256), torch.nn.ReLU(),
            torch.nn.Linear(256, int(classes.max()) + 1),
        )  # fmt: skip
        optimizer = torch.optim.Adam(net.parameters(), 1e-3, weight_decay=1e-5)
        rate = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
        for _ in range(epochs):
            for rows in torch.randperm(len(x)).split(256):
                loss = torch.nn.functional.cross_entropy(net(x[rows]), y[rows])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            rate.step()
        with torch.no_grad():
            return float((net(test).argmax(1).numpy() == truth).mean())


def latents(codec, images):
    """(n, 28, 28) bytes -> (n, k) features, as `encode` computes them, in larger batches."""
    network = unpack(codec.g_a)
    x = torch.from_numpy(images.copy())[:, None]
    with torch.no_grad():
        return torch.cat([network((part.float() / 255 - MEAN) / STD) for part in x.split(1000)]).numpy()


def block_bits(tables, symbols):
    size = sum(len(encode_block(symbols[i : i + BLOCK], tables)) for i in range(0, len(symbols), BLOCK))
    return 8 * size / len(symbols)


def augmented(images, seed):
    """(n, 28, 28) bytes -> a fresh view of each, likewise."""
    x = torch.from_numpy(images.copy())[:, None]
    with seeded(seed, 0, 0):
        return np.concatenate(
            [(views("mnist", part)(part.float() / 255)[:, 0] * 255).round().byte().numpy() for part in x.split(1000)]
        )


def coded(codec, cells, train, test):
    """Features of training and test images at a coarser step, as they come back, and the bits a test image took."""
    own = adapt(replace(codec, step=cells * codec.step), train[:16_384])
    symbols = own.encode(test)
    rates = {
        "step": cells, "bits_file": block_bits(own.tables, symbols),
        "bits_model": float(own.tables.code_length(symbols).mean()), "bits_trained": codec.provenance["trained_bits"],
    }  # fmt: skip
    return own.decode(own.encode(train)), own.decode(symbols), rates


def measure(codec, digits, epochs, common):
    """Rows of a codec at each step: tasks on the images as they are, and the digit where all of them are augmented."""
    plain = [latents(codec, images) for images in (digits.train, digits.test)]
    moved = [latents(codec, augmented(images, 1 + n)) for n, images in enumerate((digits.train, digits.test))]
    rows = []
    for number, cells in enumerate(CELLS):
        tasks = list(digits.tasks.items())[: None if number < ALL_TASKS else 1]
        known, found, rates = coded(codec, cells, *plain)
        rows += [
            {**common, **rates, "task": task, "accuracy": accuracy(known, found, classes, truth, epochs)}
            for task, (classes, truth) in tasks
        ]
        known, found, rates = coded(codec, cells, *moved)
        share = accuracy(known, found, *digits.tasks["digit"], epochs)
        rows.append({**common, **rates, "task": "digit, all images augmented", "accuracy": share})
    return rows


def conditional_rows(codec, digits, rows):
    """Rows of a codec again: the same symbols, so the same accuracies, under tables that follow from other columns."""
    sources = {"digit": (digits.train, digits.test)}
    sources["digit, all images augmented"] = [augmented(images, 1 + n) for n, images in enumerate(sources["digit"])]
    for task, images in sources.items():
        train, test = (latents(codec, part) for part in images)
        steps = min(CONDITIONAL_STEPS, codec.provenance["schedule"]["steps"])
        for cells in CELLS if task == "digit" else CELLS[1:2]:
            own = with_conditional_tables(replace(codec, step=cells * codec.step), train, steps=steps)
            symbols = own.encode(test)
            rates = {
                "entropy_model": "autoregressive, fitted after training", "bits_file": block_bits(own.tables, symbols),
                "bits_model": float(own.tables.code_length(symbols).mean()),
            }  # fmt: skip
            same = (row for row in rows if row["step"] == cells and ("augmented" in row["task"]) == (task != "digit"))
            yield from ({**row, **rates} for row in same)


def pixel_rows(digits, epochs, common):
    """PNG, JPEG and WebP, a file for each image."""
    for name, quality in PIXEL_SETTINGS:
        decoded, sizes = [], []
        for images in (digits.train, digits.test):
            found = np.empty(images.shape, np.uint8)
            for i, image in enumerate(images):
                stream = io.BytesIO()
                options = {} if quality is None else {"quality": quality}
                Image.fromarray(image).save(stream, name, **({"optimize": True} if name != "WEBP" else {}), **options)
                sizes.append(stream.tell())
                found[i] = np.asarray(Image.open(stream).convert("L"))
            decoded.append(found.reshape(len(images), -1))
        bits = 8 * float(np.mean(sizes[len(digits.train) :]))
        for task, (classes, truth) in list(digits.tasks.items())[:1]:
            share = accuracy(decoded[0], decoded[1], classes, truth, epochs)
            yield {
                **common, "objective": name, "entropy_model": "its own", "beta": None, "quality": quality,
                "bits_file": bits, "bits_model": None, "task": task, "accuracy": share,
            }  # fmt: skip


def planned(objective, beta, seed, steps=None):
    """What is trained, and how. steps: instead of the usual number."""
    usual, widths = SETTINGS[objective, beta]
    analysis = NetworkChoice("resnet_small", {"widths": list(widths), "stem_stride": 2})
    synthesis = None if objective == "BINCE" else NetworkChoice("deconv", {"width": 16})
    steps = steps or usual
    schedule = Schedule(
        steps, BATCH, learning_rate=2e-3, checkpoint_every=min(100, steps), accelerator="cpu", seed=seed
    )  # fmt: skip
    return Recipe(objective, beta, COLUMNS, analysis, synthesis), schedule


def zero_shot_rows(digits, epochs, common):
    """The bundled codec, which never saw a digit; on as many training as test images, since its backbone takes time."""
    codec = taskcodec.load_codec("lite0")
    count, features = len(digits.test), []
    for images in (digits.train[:count], digits.test):
        batches = np.array_split(np.repeat(images[..., None], 3, axis=3), max(1, len(images) // 64))
        features.append(np.concatenate([codec.analyse(list(batch)) for batch in batches]))
    classes, truth = digits.tasks["digit"]
    about = {"objective": "lite0, zero-shot", "entropy_model": "bundled", "beta": None, "training_images": count}
    for bits in ZERO_SHOT_BITS:
        own = adapt(codec, features[0], bits)
        symbols = [own.encode(part) for part in features]
        share = accuracy(*(own.decode(part) for part in symbols), classes[:count], truth, 4 * epochs)
        yield {
            **common, **about, "bits_file": block_bits(own.tables, symbols[1]),
            "bits_model": float(own.tables.code_length(symbols[1]).mean()), "task": "digit", "accuracy": share,
        }  # fmt: skip
    share = accuracy(*features, classes[:count], truth, 4 * epochs)
    raw = {"objective": "lite0, raw features", "entropy_model": None, "bits_file": 32.0 * codec.dimension}
    yield {**common, **about, **raw, "bits_model": None, "task": "digit", "accuracy": share}


def settings(seeds, subset):
    """{name: (objective, beta, seed)}: each setting with every seed, then the next, so that what is there when it is
    stopped says most."""
    chosen = list(SETTINGS)[: FIRST if subset < 60_000 else None]
    return {f"{name}-beta{beta:g}-seed{seed}": (name, beta, seed) for name, beta in chosen for seed in seeds}


def draw(rows, file):
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt
    from matplotlib.ticker import LogFormatter

    from taskcodec.evaluation.plot import COLOURS

    figure, panels = plt.subplots(1, 2, figsize=(13, 4.4), layout="constrained")
    titles = {"digit": "test images as they are", "digit, all images augmented": "all images augmented"}
    names = list(dict.fromkeys(row["objective"] for row in rows if "raw" not in row["objective"]))
    for axes, (task, title) in zip(panels, titles.items(), strict=True):
        for number, name in enumerate(names):
            own = [row for row in rows if row["objective"] == name and row["task"] == task]
            for fitted, fill in (("", "full"), (", conditional tables", "none")):
                points = [(row["bits_file"], 100 * (1 - row["accuracy"])) for row in own
                          if ("after" in (row["entropy_model"] or "")) == bool(fitted)]  # fmt: skip
                if points:
                    axes.plot(*zip(*sorted(points), strict=True), "osD^vPX"[number], label=name + fitted,
                              color=COLOURS[number % len(COLOURS)], fillstyle=fill)  # fmt: skip
        axes.set(xscale="log", yscale="log", xlabel="bits an image, in files", title=title)
        axes.grid(alpha=0.25, which="both")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(LogFormatter(labelOnlyBase=False))
            axis.set_minor_formatter(LogFormatter(labelOnlyBase=False, minor_thresholds=(2, 0.6)))
    panels[0].axhline(2.5, color="#666666", linestyle="--", linewidth=1)
    panels[0].axvline(48, color="#666666", linestyle="--", linewidth=1)
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
    options = parser.parse_args()
    torch.set_num_threads(1)
    end = None if options.minutes is None else time.monotonic() + 60 * options.minutes
    digits, epochs = read_digits(options.data, options.subset), 12 if options.subset == 60_000 else 4
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
        found = train(data, recipe, schedule, folder=options.work / name, resume=True, seconds=left)
        if found.codec is None:
            print(f"{name}: stopped at step {found.step} of {found.steps}; the same command goes on", flush=True)
            finished = False
            break
        found.codec.save(options.work / f"{name}.codec")
        about = {"objective": objective, "entropy_model": recipe.entropy_model, "beta": beta}
        about |= {"beta_multiplies": "rate_bits", "seed": seed, "steps": schedule.steps}
        about |= {"widths": recipe.analysis.sizes["widths"]}
        rows = measure(found.codec, digits, epochs, {**about, **common})
        kept.write_text(json.dumps(rows))
        print(f"{name}: {rows[0]['bits_file']:.1f} bits, {100 * rows[0]['accuracy']:.2f} % "
              f"({time.monotonic() - begun:.0f} s)", flush=True)  # fmt: skip
        write(options)
    for file in sorted(options.work.glob("*.codec")) if finished else ():
        kept = file.with_suffix(".conditional.json")
        if not kept.exists():
            rows = json.loads(file.with_suffix(".json").read_text())
            kept.write_text(json.dumps(list(conditional_rows(taskcodec.load_codec(file), digits, rows))))
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
        content.append({"recipe": asdict(recipe), "schedule": asdict(schedule), "augmentations": "mnist"})
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
