"""Zip and tar shards: which label is whose, and that nothing in them is lost unseen."""

import bz2
import gzip
import io
import lzma
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


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize("padding", [0, 512, 30_000, 3_000_000])
def test_tar_files_written_one_behind_the_other_are_all_read(tmp_path, pack, padding):
    for name in "abc":
        tar(tmp_path / f"{name}.tar", [(f"{name}.png", PICTURE), (f"{name}.cls", name.encode())])
    parts = [(tmp_path / f"{name}.tar").read_bytes() for name in "abc"]
    place = tmp_path / ("s.tar" if pack is bytes else "s.tar.gz")
    place.write_bytes(b"".join(pack(part) for part in (parts[0] + bytes(padding), *parts[1:])))
    source = open_source(place)
    assert {item.id: item.label for item in source.items} == {"a.png": "a", "b.png": "b", "c.png": "c"}
    assert set(statuses(source).values()) == {"ok"}


@pytest.mark.parametrize("rest", [b"x" * 700, bytes(5000) + b"noise" * 200, bytes(512 * 3 + 7) + b"ustar"])
def test_what_lies_behind_a_tar_files_end_is_told(tmp_path, rest):
    tar(tmp_path / "s.tar", [("a.png", PICTURE)])
    (tmp_path / "s.tar").write_bytes((tmp_path / "s.tar").read_bytes() + rest)
    found = statuses(open_source(tmp_path / "s.tar"))
    assert found["a.png"] == "ok"
    assert found["s.tar"].startswith("damaged or not an archive after 1 file (what lies behind its end, from byte ")


def test_a_second_tar_file_that_is_cut_off_is_told(tmp_path):
    tar(tmp_path / "a.tar", [("a.png", PICTURE)])
    tar(tmp_path / "b.tar", [("b.png", PICTURE), ("c.png", PICTURE)])
    whole = (tmp_path / "a.tar").read_bytes() + (tmp_path / "b.tar").read_bytes()[: 512 + len(PICTURE)]
    (tmp_path / "s.tar").write_bytes(whole)
    found = statuses(open_source(tmp_path / "s.tar"))
    assert (found["a.png"], found["b.png"]) == ("ok", "ok")
    assert "cut off" in found["s.tar"] or "unexpected end of data" in found["s.tar"]


def test_a_zip_file_before_a_zip_file_is_told(tmp_path):
    for name in "ab":
        zipped(tmp_path / f"{name}.zip", [(f"{name}.png", PICTURE)])
    (tmp_path / "s.zip").write_bytes((tmp_path / "a.zip").read_bytes() + (tmp_path / "b.zip").read_bytes())
    found = statuses(open_source(tmp_path / "s.zip"))
    assert found["b.png"] == "ok"
    assert "bytes are another zip file" in found["s.zip"]
    (tmp_path / "own.zip").write_bytes(b"#!/bin/sh\nexit\n" + (tmp_path / "a.zip").read_bytes())  # that unpacks itself
    assert statuses(open_source(tmp_path / "own.zip")) == {"a.png": "ok"}


@pytest.mark.parametrize("pack", [bytes, gzip.compress, bz2.compress, lzma.compress], ids=["", "gzip", "bzip2", "xz"])
@pytest.mark.parametrize("name", ["s.tar", "s.tar.gz", "s.tgz", "s.tar.bz2", "s.tbz2", "s.tar.xz", "s.txz"])
def test_how_a_tar_file_is_packed_is_told_by_its_content(tmp_path, pack, name):
    tar(tmp_path / "plain", [("a.png", PICTURE), ("a.cls", b"1"), ("b.png", PICTURE)])
    (tmp_path / name).write_bytes(pack((tmp_path / "plain").read_bytes()))
    source = open_source(tmp_path / name)
    assert [(item.id, item.label) for item in source.items] == [("a.png", "1"), ("b.png", None)]
    assert statuses(source) == {"a.png": "ok", "b.png": "ok"}


@pytest.mark.parametrize("pack", [bz2.compress, lzma.compress])
def test_a_packed_shard_that_is_cut_gives_what_lies_before(tmp_path, pack):
    tar(tmp_path / "plain", [(f"{i}.png", as_bytes(noise(i))) for i in range(400)])
    data = pack((tmp_path / "plain").read_bytes())
    (tmp_path / "s.tar").write_bytes(data[: len(data) * 9 // 10])
    found = statuses(open_source(tmp_path / "s.tar"))
    assert found["s.tar"].startswith("damaged or not an archive after")
    assert sum(status == "ok" for status in found.values()) > 100


def test_a_zip_file_by_a_tar_files_name_is_read_all_the_same(tmp_path):
    zipped(tmp_path / "s.tar", [("cat/a.png", PICTURE)])
    assert statuses(open_source(tmp_path / "s.tar")) == {"cat/a.png": "ok"}


@pytest.mark.parametrize("system", [0, 3])
def test_backslashes_in_a_zip_file_made_on_windows_are_folders(tmp_path, system):
    with zipfile.ZipFile(tmp_path / "s.zip", "w") as archive:
        for name in ("p\\", "p\\cat\\", "p\\cat\\1.png", "p\\dog\\2.png", "p\\dog\\Thumbs.db"):
            info = zipfile.ZipInfo("x")
            info.filename, info.create_system = name, system
            archive.writestr(info, PICTURE if name.endswith("g") else b"")
    source = open_source(tmp_path / "s.zip")
    assert {item.id: item.label for item in source.items} == {"p/cat/1.png": "cat", "p/dog/2.png": "dog"}
    assert set(statuses(source).values()) == {"ok"}


def test_a_backslash_in_a_name_that_unix_wrote_stays(tmp_path):
    zipped(tmp_path / "s.zip", [("cat/1\\2.png", PICTURE), ("dog/3.png", PICTURE)])
    assert {item.id: item.label for item in open_source(tmp_path / "s.zip").items} == {
        "cat/1\\2.png": "cat", "dog/3.png": "dog",
    }  # fmt: skip
