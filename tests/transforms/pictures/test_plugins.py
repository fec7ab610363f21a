"""Formats that need another package: read where it is installed, named where it is not, imported when needed."""

import io
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from taskcodec.transforms.pictures.images import read_image

PIXELS = np.kron(np.array([[0, 90, 255], [200, 30, 120]], np.uint8), np.ones((32, 32), np.uint8))
HEIC = b"\x00\x00\x00\x1cftypheic\x00\x00\x00\x00mif1heicmiaf" + bytes(100)
JXL = b"\x00\x00\x00\x0cJXL \r\n\x87\n" + bytes(100)


def script(text, *blocked):
    """Run a script in which some packages cannot be imported; what it prints."""
    lines = [f"sys.modules[{name!r}] = None" for name in blocked]
    code = "\n".join(["import sys", *lines, "from taskcodec.transforms.pictures.images import read_image", text])
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("head", "says"),
    [
        (HEIC, "HEIC: run pip install pillow-heif"),
        (HEIC.replace(b"ftypheic", b"ftypmif1"), "HEIC: run pip install pillow-heif"),
        (JXL, "JPEG XL: run pip install pillow-jxl-plugin"),
        (b"\xff\x0a" + bytes(100), "JPEG XL: run pip install pillow-jxl-plugin"),
        (b"\x00\x00\x00\x1cftypmp42" + bytes(100), "not an image that can be read"),
    ],
)
def test_the_package_that_is_missing_is_named(head, says):
    text = f"""
try:
    read_image({head!r})
except Exception as error:
    print(error)
"""
    assert script(text, "pillow_heif", "pillow_jxl").strip() == says


def written(kind, module):
    pytest.importorskip(module)
    if module == "pillow_heif":
        import pillow_heif

        sink = io.BytesIO()
        pillow_heif.from_pillow(Image.fromarray(PIXELS).convert("RGB")).save(sink, quality=90)
        return sink.getvalue()
    sink = io.BytesIO()
    Image.fromarray(PIXELS).convert("RGB").save(sink, kind)
    return sink.getvalue()


@pytest.mark.parametrize(("kind", "module"), [("HEIF", "pillow_heif"), ("JXL", "pillow_jxl")])
def test_files_are_read_once_the_package_is_there(tmp_path, kind, module):
    data = written(kind, module)
    found = np.asarray(read_image(data).image).astype(int)
    assert np.abs(found - PIXELS[..., None]).mean() < 6
    (tmp_path / "x").write_bytes(data)
    text = f"""
assert {module!r} not in sys.modules  # not before the first such file
print(read_image({str(tmp_path / "x")!r}).size, {module!r} in sys.modules)
"""
    assert script(text).split("\n")[0] == "(96, 64) True"
