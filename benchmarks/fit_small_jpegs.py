"""Fits the networks that foretell the coefficients of small JPEG files (docs/small-jpegs.md), and writes their file.

    python -m benchmarks.fit_small_jpegs FOLDER [FOLDER ...] -o small_jpegs.bin [--every 2] [--thumbnails FOLDER]

The file is part of the format: another one would be another way of the layer `original`, beside the one that there is.
The one that ships was fitted like this to 800 files of EuroSAT's training half, 84 of Caltech-101, 31 of ants_bees, 34
rooms, 50 photographs of ImageNet (60 blocks a plane of each at most), and 850 thumbnails of 500 such photographs.
"""

import argparse
import io
import random
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from taskcodec.coding.models.integer_network import IntegerNetwork, Linear
from taskcodec.coding.models.tables import freeze_pmf
from taskcodec.coding.packed import pack_numbers
from taskcodec.transforms.originals.blocks import frame, model
from taskcodec.transforms.originals.blocks.coefficients import side_by_side, walk
from taskcodec.transforms.originals.blocks.context import SIGNED
from taskcodec.transforms.originals.blocks.files import taken_apart

WIDTH, STEPS, BATCH, MOST_BLOCKS = 24, 2000, 1024, 60
SHAPES = (
    ((0.48, 0.46, 0.06), (-1.2, -0.1, 1.5)),
    ((0.45, 0.515, 0.035), (-1.1, -0.15, 1.35)),
    ((0.63, 0.355, 0.015), (-0.9, -0.8, 0.75)),
)
"""Of the first diagonal, of those with means, and of the others: the weights of three logistic laws, and log2 of their
scales over the size that a network gives."""
PARTS = 32
"""By which sizes are divided before a network sees them."""


def kind(step):
    return 0 if step.diagonal == 0 else 1 if step.diagonal <= SIGNED else 2


def thumbnails(folder, count, rng):
    """Photographs made small, in the ways and qualities that programs make them."""
    files = sorted(Path(folder).rglob("*.jpg"))
    for path in rng.sample(files, min(count, len(files))):
        side = rng.choice([32, 48, 64, 64, 96, 128, 160])
        image = Image.open(path).convert("RGB").resize((side, max(8, int(side * rng.uniform(0.6, 1.3)))), Image.LANCZOS)
        image, stream = image.convert("L") if rng.random() < 0.15 else image, io.BytesIO()
        quality, sampling = rng.choice([50, 65, 75, 75, 80, 85, 90, 92, 95, 97]), rng.choice([0, 2, 2])
        image.save(stream, "JPEG", quality=quality, subsampling=sampling, optimize=True)
        yield stream.getvalue()


def samples(files, rng):
    """For each step the inputs for sizes and means, the coefficients and their steps of quantization."""
    found = defaultdict(list)
    for data in files:
        if (apart := taken_apart(data)) is None:
            continue
        picture, planes = apart
        flat = side_by_side([planes])
        kept = [set(rng.sample(range(len(each)), min(len(each), MOST_BLOCKS))) for each in flat]

        def note(place, flat=flat, kept=kept, picture=picture):
            own = kept[place.component]
            rows = np.array([row for row, block in enumerate(place.blocks.tolist()) if block in own], int)
            sizes, means = place.step.inputs(place.plane, place.blocks)
            values = flat[place.component][place.blocks, place.columns]
            steps = np.broadcast_to(picture.steps[place.component, place.columns], values.shape)
            parts = (sizes, sizes[:, :0] if means is None else means, values, steps)
            found[place.step].append([part[rows].astype(np.float32) for part in parts])
            return values

        walk([picture], note)
    return {step: [np.concatenate(part) for part in zip(*parts, strict=True)] for step, parts in found.items()}


class Network(torch.nn.Module):
    def __init__(self, sizes, means, columns):
        super().__init__()
        self.hidden, self.output = torch.nn.Linear(sizes, WIDTH), torch.nn.Linear(WIDTH + sizes, columns)
        self.means = torch.nn.Parameter(torch.zeros(columns, means))
        torch.nn.init.zeros_(self.output.weight)
        torch.nn.init.ones_(self.output.bias)

    def forward(self, sizes, means, steps):
        sizes = sizes / PARTS
        size = self.output(torch.cat([torch.relu(self.hidden(sizes)), sizes], 1)) - torch.log2(steps)
        return means @ self.means.T / steps, size


def bits(mean, size, values, shape):
    away, found = (values - mean).abs(), 0
    for weight, wider in zip(*shape, strict=True):
        scale = torch.exp2(size.clamp(-6, 12) + wider)
        found = found + weight * (torch.sigmoid((0.5 - away) / scale) - torch.sigmoid((-0.5 - away) / scale))
    return -torch.log2(found + 2.0**-16)


def started_means(means, values, steps):
    """Least squares, in steps, where rows of large values count less."""
    weight = 1 / (1 + np.abs(means / steps[:, :1]).mean(1, keepdims=True))
    x, y = means / steps[:, :1] * weight, values * steps / steps[:, :1] * weight
    gram = (x.T @ x).astype(np.float64)
    return np.linalg.solve(gram + 1e-3 * np.trace(gram) / len(gram) * np.eye(len(gram)), x.T @ y).T


def fitted(step, data, count):
    sizes, means, values, steps = data
    network = Network(sizes.shape[1], means.shape[1], values.shape[1])
    if means.shape[1]:
        network.means.data = torch.tensor(started_means(means, values, steps), dtype=torch.float32)
    tensors = [torch.from_numpy(np.ascontiguousarray(each)) for each in (sizes, means, steps, values)]
    others = [p for name, p in network.named_parameters() if name != "means"]
    optimizer = torch.optim.Adam([{"params": others, "lr": 4e-3}, {"params": [network.means], "lr": 3e-4}])
    rates = [group["lr"] for group in optimizer.param_groups]
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rates, total_steps=count)
    for _ in range(count):
        rows = torch.randint(len(values), (BATCH,))
        *inputs, wanted = (each[rows] for each in tensors)
        loss = bits(*network(*inputs), wanted, SHAPES[kind(step)]).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return network


def whole(values):
    return np.round(values.detach().double().numpy()).astype(np.int64)


def frozen(network, step):
    """As integers: inner values in 64ths, sizes in 64ths of an octave, means in 64ths."""
    hidden = Linear(whole(network.hidden.weight / PARTS * 2**15), whole(network.hidden.bias * 2**15), 9)
    inner, direct = network.output.weight[:, :WIDTH] * 2**10, network.output.weight[:, WIDTH:] * 64 / PARTS * 2**10
    output = Linear(np.concatenate([whole(inner), whole(direct)], 1), whole(network.output.bias * 64 * 2**10), 10)
    yield IntegerNetwork(hidden.weights.shape[1], 255, 1 << 14, (hidden,), output)
    if step.diagonal <= SIGNED:
        means = Linear(whole(network.means * 64 * 2**10), np.zeros(len(network.means), np.int64), 10)
        yield IntegerNetwork(means.weights.shape[1], 1 << 15, 0, (), means)


def tables():
    firsts, laws, run = [], [], np.arange(-1000, 1002)
    for number, shape in enumerate(SHAPES):
        for level in range(model.LEVELS):
            size = 2 ** (model.LOWEST_OCTAVE + (level + 0.5) / model.PER_OCTAVE)
            for phase in range(model.PHASES if number < 2 else 1):
                away = run - phase / model.PHASES
                law = 2.0**-16 * np.exp(-np.abs(away) / 3) * 0.2
                for weight, wider in zip(*shape, strict=True):
                    edges = (np.array([[0.5], [-0.5]]) + away) / (size * 2**wider)
                    law = law + weight * np.subtract(*(1 / (1 + np.exp(-edges.clip(-60, 60)))))
                kept = np.flatnonzero(law > 2.0**-17)
                firsts.append(run[kept[0]])
                laws.append(law[kept[0] : kept[-1] + 1])
    return freeze_pmf(np.array(firsts), laws, 2.0**-15)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+")
    parser.add_argument("-o", "--output", required=True)
    parser.add_argument("--every", type=int, default=1, help="of the files of a folder")
    parser.add_argument("--thumbnails", help="a folder of photographs")
    parser.add_argument("--steps", type=int, default=STEPS)
    options = parser.parse_args()
    frame.MOST_BLOCKS = 2**14  # photographs tell something, too
    torch.manual_seed(0)
    rng = random.Random(0)
    paths = [path for folder in options.folders for path in sorted(Path(folder).rglob("*.jpg"))[:: options.every]]
    files = [path.read_bytes() for path in paths]
    if options.thumbnails:
        files += thumbnails(options.thumbnails, 850, rng)
    data, numbers = samples(files, rng), []
    for step in (*model.all_steps(False), *model.all_steps(True)):
        network = fitted(step, data[step], options.steps)
        numbers += [each.numbers() for each in frozen(network, step)]
        print(step, len(data[step][0]), file=sys.stderr)
    packed = pack_numbers(np.concatenate(numbers).astype(np.uint64))
    Path(options.output).write_bytes(len(packed).to_bytes(4, "little") + packed + tables().to_bytes())


if __name__ == "__main__":
    main()
