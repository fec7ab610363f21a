"""Folders of files of every kind."""

import pytest

from tests.transforms.originals.files import OTHERS, SMALLER, saved, scene

KINDS = {f"{name.split(' ')[0]}/{name.replace(' ', '_')}.bin": data for name, data in {**SMALLER, **OTHERS}.items()}
PHOTOS = {f"photo{n:02}.jpg": saved(scene(96 + n, 64), "JPEG", quality=80 + n % 15) for n in range(16)}


@pytest.fixture(scope="session")
def photos(tmp_path_factory):
    """Every kind of file, pictures or not, and 16 photographs; a folder beside it, `more`, with 3 of them."""
    root = tmp_path_factory.mktemp("layers")
    for folder, files in (("photos", {**KINDS, **PHOTOS}), ("more", dict(list(PHOTOS.items())[:3]))):
        for name, data in files.items():
            path = root / folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
    return root / "photos"
