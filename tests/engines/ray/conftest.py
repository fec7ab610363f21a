"""A cluster of this machine for the tests of a module, and pictures."""

import shutil
import tempfile

import pytest
from PIL import Image
from sklearn.datasets import load_sample_image

STORE_BYTES = 150_000_000


@pytest.fixture(scope="package")
def two_workers():
    """Ray, started as a user may have started it: room for two workers of one processor each."""
    ray = pytest.importorskip("ray")
    folder = tempfile.mkdtemp(prefix="ray-", dir="/tmp")  # names of sockets are to be short
    ray.init(
        address="local",
        num_cpus=2,
        include_dashboard=False,
        object_store_memory=STORE_BYTES,
        _temp_dir=folder,
        log_to_driver=False,
    )
    yield ray
    ray.shutdown()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="package")
def photos(tmp_path_factory):
    """60 photographs in two classes, and four files that are none."""
    root = tmp_path_factory.mktemp("pictures") / "photos"
    for number in range(60):
        photo = Image.fromarray(load_sample_image(("china.jpg", "flower.jpg")[number % 2]))
        left, top = 20 * number % 480, 70 * number % 260
        folder = root / ("flowers" if number % 2 else "places")
        folder.mkdir(parents=True, exist_ok=True)
        photo.crop((left, top, left + 160, top + 160)).save(folder / f"{number:02}.jpg", quality=90)
    for name in ("flowers/00.jpg", "flowers/33x.jpg", "places/57x.png"):
        (root / name).write_bytes(b"\xff\xd8\xff")
    (root / "zz.jpg").write_bytes(b"")
    return root
