"""Features of the benchmark's image sets through `lite0`, cached as one .npz file a set.

    python benchmarks/extract_features.py DATA CACHE [--fashion-mnist FOLDER]

DATA holds the extracted sets as sub-folders (imagenet_sample_1000/images, ants_bees, caltech101_25x30,
eurosat_rgb_2400, houses_price_room; each labelled set with its labels.csv); the digits come with scikit-learn and
Fashion-MNIST from its idx files (Debian package dataset-fashion-mnist). Each file holds `features` (n, 1280), `labels`
and, for the houses, `price` and `house`. `imagenet_sample_1000` also holds `views` (3, 1000, 1280).
"""

import argparse
import csv
import io
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

from taskcodec.data.augmentations.draws import augment
from taskcodec.data.idx import read_idx
from taskcodec.data.sources import ImageSource, Item, open_source
from taskcodec.engines.encode.local import Batches
from taskcodec.transforms.backbones import load_backbone
from taskcodec.transforms.pictures.images import open_image

VIEWS = 3
FOLDERS = ("ants_bees", "caltech101_25x30", "houses_price_room", "eurosat_rgb_2400")


def features_of(source, backbone):
    """(features, ids, labels) of the images that can be read."""
    records, features = Batches(source, backbone).whole()
    kept = [record for record in records if record.status == "ok"]
    return features, [record.id for record in kept], np.array([record.label for record in kept])


def view_features(source, backbone):
    views = []
    for view in range(VIEWS):
        pixels = [
            augment(open_image(item.read(), 448), np.random.default_rng([view, i]), 224)
            for i, item in enumerate(source.items)
        ]
        views.append(np.concatenate([backbone(np.stack(pixels[i : i + 32])) for i in range(0, len(pixels), 32)]))
    return np.stack(views)


def memory_source(name, images, labels):
    items = []
    for i, (image, label) in enumerate(zip(images, labels, strict=True)):
        sink = io.BytesIO()
        Image.fromarray(image).save(sink, format="PNG")
        data = sink.getvalue()
        items.append(Item(f"{i:05d}", len(data), str(label), lambda data=data: data))
    return ImageSource(name, items)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("cache", type=Path)
    parser.add_argument("--fashion-mnist", type=Path, default=Path("/usr/share/datasets/fashion-mnist"))
    arguments = parser.parse_args()
    arguments.cache.mkdir(parents=True, exist_ok=True)
    backbone = load_backbone("lite0")

    def save(name, source, **extra):
        path = arguments.cache / f"{name}.npz"
        if path.exists():
            return
        features, ids, labels = features_of(source, backbone)
        more = {key: make(ids) for key, make in extra.items()}
        np.savez(path, features=features, labels=labels, **more)
        print(name, features.shape, flush=True)

    fit_source = open_source(arguments.data / "imagenet_sample_1000/images")
    save("imagenet_sample_1000", fit_source, views=lambda ids: view_features(fit_source, backbone))
    for name in FOLDERS:
        with open(arguments.data / name / "labels.csv", newline="") as file:
            rows = {row["path"]: row for row in csv.DictReader(file)}
        items = [item for item in open_source(arguments.data / name).items if item.id in rows]
        source = ImageSource(name, items).with_labels(
            {path: row.get("class") or row["room"] for path, row in rows.items()}
        )
        extra = {}
        if name.startswith("houses"):
            extra["price"] = lambda ids, rows=rows: np.array([float(rows[i]["price_usd"]) for i in ids])
            extra["house"] = lambda ids, rows=rows: np.array([rows[i]["house_id"] for i in ids])
        save(name, source, **extra)
    digits = load_digits()
    save("digits", memory_source("digits", (digits.images * 255 / 16).astype(np.uint8), digits.target))
    images = sorted(arguments.fashion_mnist.glob("t10k-images*"))
    if images:
        labels = sorted(arguments.fashion_mnist.glob("t10k-labels*"))
        save("fashion_mnist", memory_source("fashion", read_idx(images[0])[:2500], read_idx(labels[0])[:2500]))


if __name__ == "__main__":
    main()
