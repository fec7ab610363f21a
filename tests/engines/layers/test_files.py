"""A layer as files: byte for byte, and never outside their folder."""

import os
import shutil

import pytest

from taskcodec.api.decode import decode_to_folder
from taskcodec.engines.encode.decide import EncodeOptions
from taskcodec.engines.encode.execute import encode_job
from taskcodec.engines.layers.files import FileNames
from taskcodec.errors import StorageError, UsageError
from taskcodec.store import Store
from taskcodec.store.backend import open_blobs
from taskcodec.store.file_layers.layout import BesideLayer, read_layer
from taskcodec.store.file_layers.writer import ItemWriter, remove_layer
from tests.data.pictures import Eyes
from tests.transforms.originals.files import saved, scene

HOSTILE = [
    "../../etc/passwd", "/etc/passwd", "a/../../b", "..", ".", "", "a//b", "a/./b", "a\0b", "a\nb", "x" * 400,
    "ü" * 200, "x" * 400 + ".jpg", "x" * 251 + ".jpg", "x" * 251 + ".jpg", "x" * 300 + "/" + "y" * 300 + ".jpg",
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


@pytest.mark.parametrize("suffix", ["", ".avif"])
def test_names_are_shortened_before_their_suffixes(suffix):
    names = FileNames()
    longest = "x" * (251 - len(suffix)) + ".jpg"
    assert str(names.give(longest, suffix)) == longest + suffix
    for name in (longest, "x" + longest, "y" * 400 + ".jpg", "ü" * 300 + ".jpg", "\udce9" * 300 + ".jpg"):
        given = os.fsencode(names.give(name, suffix))
        assert len(given) <= 255
        assert given.removesuffix(suffix.encode()).removesuffix(b"#2").endswith(b".jpg")
    assert str(names.give("z." + "no suffix" * 40, suffix)).startswith("z.no suffixno suffix")


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


def test_names_that_are_no_text_or_long_come_back(tmp_path):
    """Ids are text: in them stand escapes for such bytes."""
    given = [b"caf\xe9.jpg", b"\xff\xfe/\x80.jpg", "café.jpg".encode(), b"plain.jpg", b"l" * 251 + b".jpg"]
    given += [rb"caf\udce9.jpg", rb"caf\x5cudce9.jpg"]  # the texts of an escape, and of what an id has for that
    for number, name in enumerate(given):
        path = os.path.join(os.fsencode(tmp_path / "in"), name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(saved(scene(40 + number, 40), "JPEG"))
    encode_job(str(tmp_path / "in"), str(tmp_path / "s.tcz"), EncodeOptions(backbone=Eyes(), layers="original"))
    found = decode_to_folder(tmp_path / "s.tcz", "original", tmp_path / "out")
    out = os.fsencode(tmp_path / "out")
    back = {os.path.relpath(os.path.join(at, name), out) for at, _, names in os.walk(out) for name in names}
    assert found.renamed == ()
    assert back == set(given)


def files_in(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("layer", ["picture", "original"])
def test_what_is_damaged_is_told_and_the_rest_written(store, layer, tmp_path):
    place, rows = tmp_path / "s.tcz", 4
    shutil.copytree(store, place)
    decode_to_folder(place, layer, tmp_path / "whole")
    whole, blobs = files_in(tmp_path / "whole"), open_blobs(place)
    found = read_layer(blobs, layer)
    (contents,) = (Store(place).file_layer(layer)._items.contents(n) for n in range(found.chunks))
    remove_layer(blobs, layer)
    writer = ItemWriter(blobs, BesideLayer(layer, layer, 0, rows, found.options))
    writer.append(contents)
    writer.commit()
    ids = Store(place).tables("id", failures=True)
    ids = [name for (column,) in ids for name in column.to_pylist()]
    has = [number for number, content in enumerate(contents) if content]
    missing, hurt = has[0] // rows, next(number for number in has if number // rows > has[0] // rows)
    (place / "layers" / layer / "c" / str(missing)).unlink()
    path = place / "layers" / layer / "c" / str(hurt // rows)
    data = bytearray(path.read_bytes())
    data[data.index(contents[hurt]) + len(contents[hurt]) // 2] ^= 1
    path.write_bytes(data)

    told = decode_to_folder(place, layer, tmp_path / "out")
    reasons = dict(told.damaged)
    suffix = ".avif" if layer == "picture" else ""
    assert reasons.keys() == {*ids[missing * rows : (missing + 1) * rows], ids[hurt]}
    assert f"c/{hurt // rows}: the item of sample {hurt} is damaged" in reasons.pop(ids[hurt])
    assert all(reason.endswith(f"layers/{layer}/c/{missing}: missing") for reason in reasons.values())
    lost = {name + suffix for name, _ in told.damaged}
    assert files_in(tmp_path / "out") == {name: content for name, content in whole.items() if name not in lost}
    assert told.files == len(files_in(tmp_path / "out")) > 0


def test_what_does_not_open_is_told_of_each(store, tmp_path):
    """Sealed as it should be, but no packed file."""
    place, blobs = tmp_path / "s.tcz", open_blobs(tmp_path / "s.tcz")
    shutil.copytree(store, place)
    found = read_layer(blobs, "original")
    contents = Store(place).file_layer("original")._items.contents(0)
    hurt = [number for number, content in enumerate(contents) if content][1:6:2]
    remove_layer(blobs, "original")
    writer = ItemWriter(blobs, BesideLayer("original", "original", 0, found.chunk_rows, found.options))
    writer.append([b"\2 nothing" if number in hurt else content for number, content in enumerate(contents)])
    writer.commit()
    told = decode_to_folder(place, "original", tmp_path / "out")
    assert [f"sample {number}:" in fault for number, (_, fault) in zip(hurt, told.damaged, strict=True)] == [True] * 3
    assert told.files == sum(map(bool, contents)) - 3
    assert len(Store(place).verify()) == 3


def test_a_disk_that_takes_no_more_stops_at_once(store, tmp_path, monkeypatch):
    asked = []

    def full(path, content):
        asked.append(path)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_bytes", full)
    with pytest.raises(StorageError, match="No space left on device"):
        decode_to_folder(store, "original", tmp_path / "out")
    assert len(asked) == 1


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
