"""Layers are dropped whole, whenever that is stopped."""

import itertools
import shutil
from pathlib import Path

import pytest

import taskcodec
from taskcodec.engines.encode.decide import EncodeOptions
from taskcodec.engines.encode.execute import encode_job
from taskcodec.errors import SourceError, StorageError, TaskcodecError, UsageError
from taskcodec.store import pack_zip
from taskcodec.store.backend import open_blobs, writer_lock
from tests.data.pictures import Eyes
from tests.engines.encode.kills import Killed
from tests.transforms.originals.files import saved, scene


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    root = tmp_path_factory.mktemp("drop")
    (root / "photos").mkdir()
    for number in range(7):
        (root / "photos" / f"{number}.jpg").write_bytes(saved(scene(40 + number, 40), "JPEG"))
    options = EncodeOptions(backbone=Eyes(), layers="picture:500,original", chunk_rows=3)
    encode_job(str(root / "photos"), str(root / "s.tcz"), options)
    for number in range(3):  # of a layer of many chunks
        shutil.copy(root / "s.tcz/layers/original/c/0", root / f"s.tcz/layers/original/c/{number + 1}")
    return root / "s.tcz"


def dropped_until(moment, monkeypatch, place):
    """Whether a drop came to its `moment`-th removal, and was stopped just before it."""
    count, unlink = itertools.count(), Path.unlink

    def stop(self, missing_ok=False):
        if self.name != ".lock" and next(count) == moment:
            raise Killed
        unlink(self, missing_ok)

    with monkeypatch.context() as patch:
        patch.setattr("pathlib.Path.unlink", stop)
        try:
            taskcodec.drop_layer(place, "original")
        except Killed:
            return True
    return False


def test_a_drop_stopped_anywhere_goes_on_or_is_undone_by_encoding(whole, tmp_path, monkeypatch):
    moment = 0
    while True:
        place = tmp_path / f"{moment}.tcz"
        shutil.copytree(whole, place)
        if not dropped_until(moment, monkeypatch, place):
            break
        store = taskcodec.open(place)
        assert len(store.layer("picture")[3]) > 100
        if moment:  # its metadata are gone: there is no such layer any more
            assert store.layers == ("features", "picture")
            assert all("belongs to no sample" in fault for fault in store.verify())
            again = tmp_path / f"{moment}-again.tcz"
            shutil.copytree(place, again)
            encode_job(
                str(whole.parent / "photos"),
                str(again),
                EncodeOptions(backbone=Eyes(), layers="original", chunk_rows=3),
            )
            assert taskcodec.open(again).verify() == []
        taskcodec.drop_layer(place, "original")
        assert taskcodec.open(place).verify() == []
        assert not [path for path in (place / "layers" / "original").rglob("*") if path.is_file()]
        moment += 1
    assert moment > 3
    with pytest.raises(UsageError, match="no layer 'original' of files; there are picture"):
        taskcodec.drop_layer(place, "original")


def test_a_zip_file_loses_its_layer_as_a_folder_does(whole, tmp_path):
    shutil.copytree(whole, tmp_path / "s.tcz")
    pack_zip(tmp_path / "s.tcz", tmp_path / "s.zip")
    of_zip = taskcodec.drop_layer(f"file://{tmp_path}/s.zip", "original")
    assert of_zip == taskcodec.drop_layer(tmp_path / "s.tcz", "original")
    assert taskcodec.open(tmp_path / "s.zip").layers == ("features", "picture")
    assert taskcodec.open(tmp_path / "s.zip").verify() == []
    pack_zip(tmp_path / "s.tcz", tmp_path / "again.zip")
    assert (tmp_path / "s.zip").read_bytes() == (tmp_path / "again.zip").read_bytes()
    before = (tmp_path / "s.zip").read_bytes()
    with pytest.raises(UsageError, match="no layer 'original' of files"):
        taskcodec.drop_layer(tmp_path / "s.zip", "original")
    (tmp_path / "s.zip").write_bytes(before[:100] + b"\0" * 40 + before[140:])
    with pytest.raises(TaskcodecError, match="damaged"):
        taskcodec.drop_layer(tmp_path / "s.zip", "picture")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["again.zip", "s.tcz", "s.zip"]


def test_refuses_while_others_write(whole, tmp_path):
    with writer_lock(open_blobs(whole)), pytest.raises(StorageError, match="another process is writing"):
        taskcodec.drop_layer(whole, "original")
    with pytest.raises(SourceError, match="no such file"):
        taskcodec.drop_layer(tmp_path / "none", "original")
    assert taskcodec.open(whole).layers == ("features", "picture", "original")
