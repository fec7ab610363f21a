"""Zip and tar shards: which label is whose, and that nothing in them is lost unseen."""

import io
import tarfile
import zipfile

import pytest

from taskcodec.data import open_source
from tests.data.pictures import as_bytes, noise, statuses

PICTURE = as_bytes(noise())


def tar(path, members, mode="w"):
    """A tar file of (name, bytes)."""
    with tarfile.open(path, mode) as archive:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))


def zipped(path, members):
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members:
            archive.writestr(name, data)


def labels(path):
    return [(item.id, item.label) for item in open_source(path).items if item.fault is None]


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("write", [tar, zipped])
@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ("a.png a.cls=1 a.png a.cls=2", {"a.png": "1", "a.png#2": "2"}),
        ("a.cls=1 a.png b.cls=5 b.png a.cls=2 a.png", {"a.png": "1", "b.png": "5", "a.png#2": "2"}),
        ("a.png a.json={'label':'x'} a.png", {"a.png": "x", "a.png#2": None}),
        ("a.png b.png a.cls=1 b.cls=2", {"a.png": "1", "b.png": "2"}),
        ("a.png a.cls=1 a.png a.cls=1 a.png a.cls=3", {"a.png": "1", "a.png#2": "1", "a.png#3": "3"}),
        ("a.l.png a.r.png a.cls=1 a.l.png a.cls=2", {"a.l.png": "1", "a.r.png": "1", "a.l.png#2": "2"}),
        # Two labels that may be of either image are of none; where they are the same there is no question.
        ("a.png a.png a.cls=1 a.cls=2", {"a.png": None, "a.png#2": None}),
        ("a.png a.cls=1 a.cls=1", {"a.png": "1"}),
        ("a.png a.cls=1 a.cls=2", {"a.png": None}),
    ],
)  # fmt: skip
def test_a_key_that_comes_again_is_another_sample(tmp_path, write, members, expected):
    made = []
    for member in members.split():
        name, _, text = member.partition("=")
        made.append((name, text.replace("'", '"').encode() if text else PICTURE))
    place = tmp_path / ("s.tar" if write is tar else "s.zip")
    write(place, made)
    assert dict(labels(place)) == expected


def test_a_label_that_is_no_images_own_is_told(tmp_path):
    tar(tmp_path / "s.tar", [("a.png", PICTURE), ("a.cls", b"1"), ("a.cls", b"2")])
    assert statuses(open_source(tmp_path / "s.tar")) == {
        "a.png": "ok", "a.cls": "beside an image of its name that has such a file already",
    }  # fmt: skip
