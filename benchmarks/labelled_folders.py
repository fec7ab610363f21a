"""Sets that come as arrays, written as labelled folders of PNG files, for `taskcodec benchmark`.

    python benchmarks/labelled_folders.py OUT [--fashion-mnist FOLDER]

OUT/digits: the 1,797 digits of scikit-learn, 8 x 8 pixels. OUT/fashion_mnist: the first 2,500 images of Fashion-MNIST's
test part, from its idx files (Debian package dataset-fashion-mnist). Each holds CLASS/NUMBER.png.
"""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

from taskcodec.data.idx import read_idx

FASHION_IMAGES = 2500


def write(folder, images, labels):
    for number, (image, label) in enumerate(zip(images, labels, strict=True)):
        path = folder / str(label) / f"{number:05d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)
    print(folder, len(images))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--fashion-mnist", type=Path, default=Path("/usr/share/datasets/fashion-mnist"))
    arguments = parser.parse_args()
    digits = load_digits()
    write(arguments.out / "digits", (digits.images * 255 / 16).astype(np.uint8), digits.target)
    parts = [sorted(arguments.fashion_mnist.glob(f"t10k-{what}*")) for what in ("images", "labels")]
    if all(parts):
        images, labels = (read_idx(found[0])[:FASHION_IMAGES] for found in parts)
        write(arguments.out / "fashion_mnist", images, labels)


if __name__ == "__main__":
    main()
