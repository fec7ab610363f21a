"""What codecs of digits keep: prototypes across augmentations, traversals, nearest neighbours, bits a column.

    python benchmarks/augmented_mnist/pictures.py MNIST_FOLDER VIC.codec BINCE.codec --out FOLDER

The codecs are those that run.py leaves in its work folder. Digits shown are the first of each class of the test part;
neighbours are looked for among 10,000 training images.
"""

import argparse
from pathlib import Path

import matplotlib
import numpy as np
import torch

matplotlib.use("Agg")
from matplotlib import pyplot as plt
from measuring import MEAN, STD

import taskcodec
from taskcodec.coding.models.tables import TABLE_BITS
from taskcodec.data.augmentations.kinds import views
from taskcodec.data.idx import read_idx_folder
from taskcodec.evaluation.report.colours import COLOURS
from taskcodec.fitting.gradient.training import seeded
from taskcodec.transforms.networks.build import unpack

VIEWS = 3
NEIGHBOURS = 8
GALLERY = 10_000
TRAVERSED = 5
STEPS = np.arange(-4, 5)


def decoded(codec, images):
    """(n, 28, 28) in [0, 1] -> (n, k): what comes back of their codes."""
    x = torch.from_numpy(np.ascontiguousarray(images, dtype=np.float32))[:, None]
    with torch.no_grad():
        return codec.decode(codec.encode_features(unpack(codec.g_a)((x - MEAN) / STD).numpy()))


def pictures(codec, features):
    """(n, k) -> (n, 28, 28)."""
    return codec.synthesise(features)[:, 0]


def grid(rows, names, file, title):
    """A row of pictures for each name; NaN is left white."""
    count = max(len(row) for row in rows)
    figure, axes = plt.subplots(len(rows), count, figsize=(0.62 * count + 1.6, 0.66 * len(rows) + 0.5), squeeze=False)
    for line, row, name in zip(axes, rows, names, strict=True):
        for axis in line:
            axis.set(xticks=[], yticks=[])
            axis.spines[:].set_visible(False)
        for axis, picture in zip(line, row, strict=False):
            axis.imshow(picture, cmap="gray_r", vmin=0, vmax=1)
        line[0].set_ylabel(name, rotation=0, ha="right", va="center", fontsize=9)
    figure.suptitle(title, fontsize=10)
    figure.tight_layout(pad=0.3)
    figure.savefig(file, dpi=110)
    plt.close(figure)


def prototypes(codec, digits, moved, file):
    rows, names = [digits, pictures(codec, decoded(codec, digits))], ["digit", "from its code"]
    for number, seen in enumerate(moved, 1):
        rows += [seen, pictures(codec, decoded(codec, seen))]
        names += [f"view {number}", "from its code"]
    grid(rows, names, file, "VIC decodes every view of a digit to about the same picture")


def traversals(codec, digits, file):
    """The columns with the most bits, moved alone by whole steps from the code of one digit."""
    start = codec.encode_features(unpacked(codec, digits[:1]))
    busiest = np.argsort(-column_bits(codec))[:TRAVERSED]
    rows = []
    for column in busiest:
        moved = np.repeat(start, len(STEPS), axis=0)
        moved[:, column] += STEPS
        rows.append(pictures(codec, codec.decode(moved)))
    names = [f"column {column}" for column in busiest]
    grid(rows, names, file, f"VIC: one column at a time, from {STEPS[0]} to +{STEPS[-1]} steps")


def unpacked(codec, images):
    x = torch.from_numpy(np.ascontiguousarray(images, dtype=np.float32))[:, None]
    with torch.no_grad():
        return unpack(codec.g_a)((x - MEAN) / STD).numpy()


def neighbours(codec, digits, gallery, file):
    known = decoded(codec, gallery)
    rows = []
    for digit, found in zip(digits, decoded(codec, digits), strict=True):
        nearest = np.argsort(((known - found) ** 2).sum(axis=1), kind="stable")[:NEIGHBOURS]
        rows.append([digit, np.full((28, 28), np.nan), *gallery[nearest]])
    grid(rows, [""] * len(rows), file, "BINCE: a digit, and the training digits whose codes lie nearest")


def column_bits(codec):
    """(k,) mean bits of each column under its own table."""
    return np.array(
        [np.sum(p * (TABLE_BITS - np.log2(p * 2**TABLE_BITS))) for p in (
            codec.base.model.plain.column(j) / 2**TABLE_BITS for j in range(codec.columns)
        )]
    )  # fmt: skip


def bits_picture(codecs, file):
    figure, axes = plt.subplots(figsize=(6, 3), layout="constrained")
    for number, (name, codec) in enumerate(codecs.items()):
        bits = np.sort(column_bits(codec))[::-1]
        axes.plot(np.arange(1, len(bits) + 1), bits, "os"[number], color=COLOURS[number], markersize=4, label=name)
    axes.set(xlabel="columns, by their bits", ylabel="bits a digit", title="Columns not worth their bits fall to none")
    axes.grid(alpha=0.25)
    axes.legend(frameon=False)
    figure.savefig(file, dpi=110)
    plt.close(figure)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("vic", type=Path)
    parser.add_argument("bince", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    (images, _), (test, labels) = (read_idx_folder(options.data, part) for part in ("train", "t10k"))
    digits = np.stack([test[np.flatnonzero(labels == label)[0]] for label in range(10)]) / np.float32(255)
    gallery = images[:GALLERY] / np.float32(255)
    vic, bince = (taskcodec.load_codec(str(path)) for path in (options.vic, options.bince))
    batch = torch.from_numpy(digits)[:, None]
    with seeded(0, 0, 0):
        moved = [views("mnist", batch)(batch)[:, 0].numpy() for _ in range(VIEWS)]
    prototypes(vic, digits, moved, options.out / "mnist-prototypes.png")
    traversals(vic, digits[3:], options.out / "mnist-traversals.png")
    neighbours(bince, digits, gallery, options.out / "mnist-neighbours.png")
    bits_picture({"VIC": vic, "BINCE": bince}, options.out / "mnist-columns.png")


if __name__ == "__main__":
    main()
