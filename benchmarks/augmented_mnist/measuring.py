"""What a codec of digits keeps and what it takes: rows of rate and accuracy, for trained, pixel and bundled codecs."""

import io
from dataclasses import dataclass, replace

import numpy as np
import torch
from PIL import Image

import taskcodec
from taskcodec.coding import encode_block
from taskcodec.data.augmentations.kinds import views
from taskcodec.data.idx import read_idx_folder
from taskcodec.fitting import adapt
from taskcodec.fitting.gradient.conditional import with_conditional_tables
from taskcodec.fitting.gradient.training import seeded
from taskcodec.transforms.networks.build import unpack

BLOCK = 4096
MEAN, STD = 0.1307, 0.3081
CELLS = (1.0, 1.5, 2.0, 3.0)
"""Quantization steps, in units of the step that a codec was trained at."""
ALL_TASKS = 2
"""At so many of them all tasks are measured, at the rest the digit."""
VIEWS = 6
"""Views of each training image, where all images are augmented, for the predictors that see several."""
MOVED = "digit, all images augmented"
MANY = f"{MOVED}, predictors on {VIEWS} views"
CONDITIONAL = "autoregressive, fitted after training"
CONDITIONAL_STEPS, MANY_STEPS = 800, 2500
"""Gradient steps of conditional tables on one view of each image, and on many."""
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
    """(n, 28, 28) bytes -> (n, k) features, as `encode` computes them, in batches that a processor's caches hold."""
    network = unpack(codec.g_a).to(memory_format=torch.channels_last)
    x = torch.from_numpy(images.copy())[:, None]
    with torch.no_grad():
        return torch.cat([network((part.float() / 255 - MEAN) / STD) for part in x.split(250)]).numpy()


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


def coded(codec, cells, train, test, steps):
    """Features of training and test images at a coarser step, as they come back, and what a test image took: under
    tables for each column, and under conditional ones, trained for so many steps. Without a step: the features."""
    if cells is None:
        raw = {"entropy_model": None, "bits_file": 32.0 * codec.columns, "bits_model": None, "step": None}
        return train, test, [raw]
    quantizer = replace(codec.base.quantizer, step=cells * codec.base.quantizer.step)
    coarser = codec.with_base(replace(codec.base, quantizer=quantizer))
    own, conditional = adapt(coarser, train), with_conditional_tables(coarser, train, steps=steps)
    symbols = own.encode_features(test)
    np.testing.assert_array_equal(conditional.encode_features(test), symbols)
    rates = [
        {
            "step": cells, "entropy_model": name, "bits_file": block_bits(tables, symbols),
            "bits_model": float(tables.code_length(symbols).mean()), "bits_trained": codec.provenance["trained_bits"],
        }
        for name, tables in (("factorized", own.base.model), (CONDITIONAL, conditional.base.model))
    ]  # fmt: skip
    return own.decode(own.encode_features(train)), own.decode(symbols), rates


def seen(codec, digits, count):
    """Latents where all images are augmented: so many views of each training image, and one of each test image."""
    train = [latents(codec, augmented(digits.train, seed)) for seed in (1, *range(3, 2 + count))]
    return np.concatenate(train), latents(codec, augmented(digits.test, 2))


def measure(codec, digits, epochs, common, brief=False):
    """Rows of a codec at each step, and of its latents as they are: tasks on the images as they are, and the digit
    where all of them are augmented. brief: the digit alone, at two steps, predictors on one view."""
    plain = [latents(codec, images) for images in (digits.train, digits.test)]
    moved = seen(codec, digits, 1 if brief else VIEWS)
    steps = codec.provenance["schedule"]["steps"]
    classes, truth = digits.tasks["digit"]
    rows = []
    for number, cells in enumerate(CELLS[:2] if brief else (*CELLS, None)):
        known, found, rates = coded(codec, cells, *plain, min(CONDITIONAL_STEPS, steps))
        tasks = list(digits.tasks.items())[: None if number < ALL_TASKS and not brief else 1]
        for task, pair in tasks:
            share = accuracy(known, found, *pair, epochs)
            rows += [{**common, **rate, "task": task, "accuracy": share} for rate in rates]
        known, found, rates = coded(codec, cells, *moved, min(CONDITIONAL_STEPS if brief else MANY_STEPS, steps))
        for task, count in ((MOVED, 1), (MANY, VIEWS))[: 1 if brief else 2]:
            shown, answers = known[: count * len(classes)], np.tile(classes, count)
            share = accuracy(shown, found, answers, truth, epochs if count == 1 else max(1, epochs // 2))
            rows += [{**common, **rate, "task": task, "accuracy": share} for rate in rates]
    return rows


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
        symbols = [own.encode_features(part) for part in features]
        share = accuracy(*(own.decode(part) for part in symbols), classes[:count], truth, 4 * epochs)
        yield {
            **common, **about, "bits_file": block_bits(own.base.model, symbols[1]),
            "bits_model": float(own.code_length(symbols[1]).mean()), "task": "digit", "accuracy": share,
        }  # fmt: skip
    share = accuracy(*features, classes[:count], truth, 4 * epochs)
    raw = {"objective": "lite0, raw features", "entropy_model": None, "bits_file": 32.0 * codec.dimension}
    yield {**common, **about, **raw, "bits_model": None, "task": "digit", "accuracy": share}
