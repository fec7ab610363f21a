"""Sources for the tests of encoding."""

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_sample_image

import taskcodec
from tests.engines.encode.vectors import low_rank

D = 12


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """a.npy, b.npy: alike features; wide.npy: of another dimension; *.codec."""
    folder = tmp_path_factory.mktemp("encode")
    rng = np.random.default_rng(0)
    x = (rng.normal(size=(6000, 4)) @ rng.normal(size=(4, D)) + 0.2 * rng.normal(size=(6000, D))).astype("f4")
    np.save(folder / "a.npy", x[:4000])
    np.save(folder / "b.npy", x[4000:4700])
    np.save(folder / "c.npy", x[4700:4900])
    np.save(folder / "wide.npy", np.hstack([x, x])[:300])
    taskcodec.fit(x[:2000], bits=40).save(folder / "own.codec")
    taskcodec.fit(x[2000:4000], bits=40).save(folder / "other.codec")
    return folder


@pytest.fixture(scope="module")
def collection(tmp_path_factory):
    """Photographs, and vN.npy of N vectors."""
    root = tmp_path_factory.mktemp("fitted")
    for n in (1, 2, 3, 10):
        np.save(root / f"v{n}.npy", low_rank(n))
    (root / "photos").mkdir()
    for number in range(40):
        photo = Image.fromarray(load_sample_image(("china.jpg", "flower.jpg")[number % 2]))
        left, top = 20 * number % 480, 70 * number % 260
        photo.crop((left, top, left + 160, top + 160)).save(root / "photos" / f"{number:02}.jpg", quality=90)
    return root
