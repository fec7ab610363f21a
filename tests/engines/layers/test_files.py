"""A layer as files: byte for byte, and never outside their folder."""

import os

import pytest

from taskcodec.api.decode import decode_to_folder
from taskcodec.engines.encode.decide import EncodeOptions
from taskcodec.engines.encode.execute import encode_job
from taskcodec.engines.layers.files import FileNames
from taskcodec.errors import StorageError, UsageError
from tests.data.pictures import Eyes
from tests.transforms.originals.files import saved, scene

HOSTILE = [
    "../../etc/passwd", "/etc/passwd", "a/../../b", "..", ".", "", "a//b", "a/./b", "a\0b", "a\nb", "x" * 400,
    "ü" * 200,
    "a", "a/b", "a/b/c", "a/b", "a/b#2", "-rf", "~/x", "C:\\x", "photo.jpg", "photo.jpg/evil",
    "e\u0301", "\u202egpj.exe",
]  # fmt: skip


@pytest.mark.parametrize("suffix", ["", ".avif"])
def test_names_stay_in_their_folder_and_apart(suffix, tmp_path):
    names, out = FileNames(), tmp_path / "a" / "out"
    given = [names.give(name, suffix) for name in HOSTILE]
    assert len(set(given)) == len(HOSTILE)
    for path in given:
        assert not path.is_absolute()
        assert ".." not in path.parts
        file = out / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"x")  # none is in another's way
        assert file.resolve().is_relative_to(out.resolve())
    assert sorted(os.listdir(tmp_path)) == ["a"]
    assert sum(len(files) for _, _, files in os.walk(tmp_path)) == len(HOSTILE)


def test_plain_names_are_kept():
    names = FileNames()
    assert [str(names.give(name)) for name in ("a/b.jpg", "c.png", "c.png")] == ["a/b.jpg", "c.png", "c.png#2"]


@pytest.fixture(scope="module")
def store(photos, tmp_path_factory):
    place = tmp_path_factory.mktemp("files") / "s.tcz"
    encode_job(str(photos), str(place), EncodeOptions(backbone=Eyes(), layers="features,picture:800,original"))
    return place


def test_the_originals_are_the_folder_again(store, photos, tmp_path):
    found = decode_to_folder(store, "original", tmp_path / "out")
    before = {path.relative_to(photos).as_posix(): path.read_bytes() for path in photos.rglob("*") if path.is_file()}
    after = {p.relative_to(tmp_path / "out").as_posix(): p.read_bytes() for p in (tmp_path / "out").rglob("*.*")}
    assert after == {name: data for name, data in before.items() if data or name in after}
    assert found.files == len(after)
    assert set(found.without) == before.keys() - after.keys() <= {"nothing/nothing.bin"}  # an empty file gives nothing
    assert found.renamed == ()


def test_names_that_are_no_text_come_back_and_others_are_told(tmp_path):
    """Ids are text: in them stand escapes for such bytes."""
    given = [b"caf\xe9.jpg", b"\xff\xfe/\x80.jpg", "café.jpg".encode(), b"plain.jpg", b"long" * 60 + b".jpg"]
    for number, name in enumerate(given):
        path = os.path.join(os.fsencode(tmp_path / "in"), name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(saved(scene(40 + number, 40), "JPEG"))
    encode_job(str(tmp_path / "in"), str(tmp_path / "s.tcz"), EncodeOptions(backbone=Eyes(), layers="original"))
    found = decode_to_folder(tmp_path / "s.tcz", "original", tmp_path / "out")
    out = os.fsencode(tmp_path / "out")
    back = {os.path.relpath(os.path.join(at, name), out) for at, _, names in os.walk(out) for name in names}
    ((long, instead),) = found.renamed
    assert long == "long" * 60 + ".jpg"
    assert back == {*given[:-1], os.fsencode(instead)}


def test_refuses_a_folder_that_is_not_empty_or_lies_in_a_store(store, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").write_bytes(b"x")
    for folder, says in (
        (tmp_path / "full", "no empty folder"),
        (tmp_path / "full" / "x", "no empty folder"),
        (store / "out", "lies in the store"),
    ):
        with pytest.raises(UsageError, match=says):
            decode_to_folder(store, "picture", folder)
    with pytest.raises(StorageError, match="cannot be written"):
        decode_to_folder(store, "picture", tmp_path / "full" / "x" / "y")


def test_names_the_layers_that_there_are(store, tmp_path):
    with pytest.raises(UsageError, match="no layer 'sound' of files; there are features, picture, original"):
        decode_to_folder(store, "sound", tmp_path / "out")
    assert not (tmp_path / "out").exists()
