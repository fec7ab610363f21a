"""Layers at another place than their store: on another disk, in a bucket, never followed unasked."""

import json
import shutil

import pytest

import taskcodec
from taskcodec.api.decode import decode_to_folder
from taskcodec.engines.encode.decide import EncodeOptions
from taskcodec.engines.encode.execute import encode_job
from taskcodec.errors import CorruptFileError, MismatchError, SourceError, TaskcodecError, UsageError
from taskcodec.evaluation.view.write import write_view
from taskcodec.store import Store, pack_zip
from taskcodec.store.backend import open_blobs
from tests.data.pictures import Eyes
from tests.engines.encode.kills import killed_at
from tests.transforms.originals.files import saved, scene

FILES = {f"{number}.jpg": saved(scene(40 + number, 40), "JPEG") for number in range(7)}


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    root = tmp_path_factory.mktemp("elsewhere")
    for folder, files in (("photos", FILES), ("more", {"x.jpg": FILES["3.jpg"], "y.jpg": FILES["4.jpg"]})):
        (root / folder).mkdir()
        for name, data in files.items():
            (root / folder / name).write_bytes(data)
    return root / "photos"


def options(layers, **more):
    return EncodeOptions(backbone=Eyes(), layers=layers, **({"chunk_rows": 3} | more))


def files(place, elsewhere, tmp_path, name="out"):
    decode_to_folder(place, "original", tmp_path / name, elsewhere=elsewhere)
    return {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()}


@pytest.fixture
def made(photos, tmp_path):
    """A store, and the folder outside it in which its originals lie."""
    encode_job(str(photos), str(tmp_path / "s.tcz"), options(f"picture:500,original@{tmp_path}/disk/o"))
    return tmp_path / "s.tcz", tmp_path / "disk" / "o"


def test_lies_there_and_is_read_where_it_is_named(made, tmp_path):
    place, there = made
    store = Store(place)
    assert store.layers == ("features", "picture", "original")
    assert not (place / "layers" / "original" / "zarr.json").exists()
    assert (there / "zarr.json").exists()
    for number, named in enumerate((str(there), [str(tmp_path / "disk")], f"{tmp_path}/disk/./o/")):
        assert files(place, named, tmp_path, f"out{number}") == FILES
        assert store.verify(named) == []
    info = store.info(str(there))
    assert info.layers["original"].elsewhere == str(there)
    assert info.layers["original"].bytes > sum(path.stat().st_size for path in there.rglob("*") if path.is_file())
    assert store.info().layers["original"].elsewhere == str(there)  # it says so, and looks at nothing
    assert store.info().layers["original"].bytes is None
    pack_zip(place, tmp_path / "s.zip")
    assert Store(tmp_path / "s.zip").verify(str(there)) == []


def test_is_not_followed_unasked(made, tmp_path, monkeypatch):
    place, there = made
    opened = []
    whole = open_blobs
    monkeypatch.setattr("taskcodec.store.file_layers.elsewhere.open_blobs", lambda at: opened.append(at) or whole(at))
    store = Store(place)
    for named in ((), f"{there}2", str(there / "c"), "s3://bucket", str(tmp_path / "dis")):
        with pytest.raises(UsageError, match=f"says that its layer original lies at {there}.*--elsewhere {there}"):
            store.layer("original", named)
        assert [fault for fault in store.verify(named) if "which is read only where you name it" in fault]
    store.info()
    write_view(place, tmp_path / "page.html")
    assert store.features[:].shape[0] == len(store.layer("picture")) == 7
    assert opened == []


@pytest.mark.parametrize(
    "place",
    ["http://169.254.169.254/x", "s3://bucket/x", "file:///etc", "/etc", "simplecache::http://a/b", "/disk/../etc"],
)
def test_a_strangers_store_asks_nobody(made, place, monkeypatch):
    store, there = made
    key = store / "layers" / "original" / "elsewhere.json"
    content = json.loads(key.read_text())
    from taskcodec.store.file_layers.elsewhere import Elsewhere, _crc_of

    crc = _crc_of(Elsewhere("original", place, content["mark"]))
    key.write_text(json.dumps({**content, "place": place, "crc32c": crc}))
    monkeypatch.setattr("taskcodec.store.file_layers.elsewhere.open_blobs", None)  # would be a TypeError
    with pytest.raises((UsageError, CorruptFileError), match="elsewhere"):
        Store(store).layer("original", [str(there), "s3://other", "/disk"])
    assert len(Store(store).verify(str(there))) == 1


def test_what_is_missing_damaged_or_anothers_is_one_line(made, photos, tmp_path):
    place, there = made
    encode_job(str(photos), str(tmp_path / "t.tcz"), options(f"original@{tmp_path}/disk/t"))
    shutil.move(there, tmp_path / "moved")
    says = rf"its layer original should lie at {there}, where none is: mount or restore .*taskcodec drop"
    with pytest.raises(SourceError, match=says):
        files(place, str(there), tmp_path)
    with pytest.raises(SourceError, match=says):
        Store(place).info(str(there))
    assert len(Store(place).verify(str(there))) == 1
    shutil.copytree(tmp_path / "disk" / "t", there)
    with pytest.raises(MismatchError, match="the layer original of another store lies there"):
        files(place, str(there), tmp_path)
    key = place / "layers" / "original" / "elsewhere.json"
    data = bytearray(key.read_bytes())
    for at in range(0, len(data), 3):
        broken = data.copy()
        broken[at] ^= 1
        key.write_bytes(bytes(broken))
        with pytest.raises(TaskcodecError) as told:
            Store(place).layer("original", str(there))
        assert "\n" not in str(told.value)
    taskcodec.drop_layer(place, "original")  # also where nothing of it can be read
    assert Store(place).verify() == []


def test_goes_on_and_is_dropped(made, photos, tmp_path):
    place, there = made
    more = str(photos.parent / "more")
    with pytest.raises(UsageError, match=f"which is read only where you name it: --layers original@{there}"):
        encode_job(more, str(place), EncodeOptions(backbone=Eyes(), append=True))
    with pytest.raises(UsageError, match="name it: --layers original@"):
        encode_job(str(photos), str(place), options("original"))
    encode_job(str(photos), str(place), options(None))  # nothing to do there
    encode_job(more, str(place), options(f"original@{there}", append=True, chunk_rows=1024))
    assert Store(place).verify(str(there)) == []
    assert Store(place).layer("original", str(there))[8] == FILES["4.jpg"]
    found = taskcodec.drop_layer(place, "original")
    assert found.elsewhere == str(there)
    assert (there / "zarr.json").exists()
    assert Store(place).layers == ("features", "picture")
    with pytest.raises(UsageError, match="something lies there; keep the layer original at an empty place"):
        encode_job(str(photos), str(place), options(f"original@{there}"))
    encode_job(str(photos), str(place), options(f"original@{there}2"))
    encode_job(more, str(place), options(f"original@{there}2", append=True, chunk_rows=1024))
    assert Store(place).verify(f"{there}2") == []


@pytest.mark.slow
def test_an_encode_stopped_anywhere_goes_on(photos, tmp_path, monkeypatch):
    moment, taken, source = 0, 0, str(photos.parent / "more")
    while True:
        place, there = tmp_path / f"{moment}.tcz", tmp_path / f"{moment}.o"
        layers = f"original@{there}"
        if not killed_at(moment, monkeypatch, source, str(place), options(layers)):
            break
        taken += (place / "layers" / "original" / "elsewhere.json").exists()
        encode_job(source, str(place), options(layers))
        assert Store(place).verify(str(there)) == []
        assert list(Store(place).layer("original", str(there))) == [FILES["3.jpg"], FILES["4.jpg"]]
        moment += 1
    assert moment > taken > 5


def test_in_a_bucket(photos, s3, tmp_path):
    there = s3.url("originals/of-s")
    encode_job(str(photos), str(tmp_path / "s.tcz"), options(f"original@{there}"))
    assert files(tmp_path / "s.tcz", there.rpartition("/")[0], tmp_path) == FILES
    assert Store(tmp_path / "s.tcz").verify(there) == []


def test_a_place_in_use_is_told_before_anything_is_done(photos, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").write_bytes(b"x")
    with pytest.raises(UsageError, match="something lies there"):
        encode_job(str(photos), str(tmp_path / "s.tcz"), options(f"original@{tmp_path}/full"))
    for inside in ("", "/layers/original", "/o"):
        with pytest.raises(UsageError, match="lies in the store"):
            encode_job(str(photos), str(tmp_path / "s.tcz"), options(f"original@{tmp_path}/s.tcz{inside}"))
    assert not (tmp_path / "s.tcz").exists()
