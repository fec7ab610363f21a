"""Sets that come as arrays, written as labelled folders of PNG files, for `taskcodec benchmark`.

    python benchmarks/labelled_folders.py OUT [--fashion-mnist FOLDER] [--mnist FOLDER]

OUT/digits: the 1,797 digits of scikit-learn, 8 x 8 pixels. OUT/fashion_mnist: the first 2,500 images of Fashion-MNIST's
test part, from its idx files (Debian package dataset-fashion-mnist); OUT/mnist_test: the first 3,000 of MNIST's. Each
holds CLASS/NUMBER.png.
"""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

from taskcodec.data.idx import read_idx

FASHION_IMAGES, MNIST_IMAGES = 2500, 3000


def write(folder, images, labels):
    for number, (image, label) in enumerate(zip(images, labels, strict=True)):
        path = folder / str(label) / f"{number:05d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)
    print(folder, len(images))


def write_test_part(out, idx, count):
    """The first images of the test part in a folder of idx files, where they are there."""
    parts = [sorted(idx.glob(f"t10k-{what}*")) for what in ("images", "labels")]
    if all(parts):
        write(out, *(read_idx(found[0])[:count] for found in parts))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--fashion-mnist", type=Path, default=Path("/usr/share/datasets/fashion-mnist"))
    parser.add_argument("--mnist", type=Path)
    arguments = parser.parse_args()
    digits = load_digits()
    write(arguments.out / "digits", (digits.images * 255 / 16).astype(np.uint8), digits.target)
    write_test_part(arguments.out / "fashion_mnist", arguments.fashion_mnist, FASHION_IMAGES)
    if arguments.mnist is not None:
        write_test_part(arguments.out / "mnist_test", arguments.mnist, MNIST_IMAGES)


if __name__ == "__main__":
    main()
