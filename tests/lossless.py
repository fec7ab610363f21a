"""Small pictures to code losslessly: strokes on black, of one size, in files of several kinds."""

import struct

import numpy as np
from PIL import Image


def strokes(count, height=7, width=6, channels=0, seed=0, dtype=np.uint8):
    """(count, height, width[, channels]) pictures, mostly black."""
    rng = np.random.default_rng(seed)
    shape = (count, height, width, channels) if channels else (count, height, width)
    values = rng.integers(0, np.iinfo(dtype).max, shape, endpoint=True, dtype=dtype)
    lit = rng.random((count, 1, width) + (1,) * bool(channels)) < 0.4
    return np.where(lit & (rng.random(shape) < 0.7), values, 0).astype(dtype)


def write_folder(folder, pictures):
    """PNG files 000.png, 001.png, ..."""
    folder.mkdir()
    for number, picture in enumerate(pictures):
        Image.fromarray(picture).save(folder / f"{number:03d}.png")
    return folder


def write_idx(folder, pictures):
    """An IDX folder of one part, with labels."""
    folder.mkdir()
    count, height, width = pictures.shape
    head = struct.pack(">IIII", 0x803, count, height, width)
    (folder / "t10k-images-idx3-ubyte").write_bytes(head + pictures.tobytes())
    labels = (np.arange(count) % 3).astype(np.uint8)
    (folder / "t10k-labels-idx1-ubyte").write_bytes(struct.pack(">II", 0x801, count) + labels.tobytes())
    return folder
