"""What samples are called, from the bytes of a file system to a store, and back where sources are looked up."""

import os
import tarfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

import taskcodec
from taskcodec.data.labels import LabelTable
from taskcodec.names import distinct_names, file_of_name, name_of_file, readable
from tests.cli.commands import contents, refused, run

RAW = os.fsdecode(b"caf\xe9")
ESCAPE = r"caf\udce9"
LITERAL = r"caf\x5cudce9"
"""The ids of files: of one with this byte, and of one with the text of its escape in its name."""


def test_what_is_no_text_is_escaped():
    assert readable(RAW) == ESCAPE == readable(ESCAPE)
    assert readable("café/ü.jpg") == "café/ü.jpg"


@pytest.mark.parametrize(
    "raw", [RAW, ESCAPE, LITERAL, r"\x5cx5cudcff", r"a\\udc80", r"\x5c", r"\udc7f", "\\", "ü\udcfc\\udcfc"]
)
def test_every_file_has_an_id_of_its_own_and_is_found_by_it(raw):
    assert file_of_name(name_of_file(raw)) == raw
    assert readable(name_of_file(raw)) == name_of_file(raw)


def test_labels_of_a_file_with_such_a_text_in_its_name():
    assert LabelTable({f"{ESCAPE}.png": "c"}).of(f"p/{LITERAL}.png") == "c"


def test_a_second_name_is_numbered():
    assert distinct_names(["a", "a", "b", "a#2", "a"]) == ["a", "a#3", "b", "a#2", "a#4"]
    assert distinct_names([]) == []


@pytest.fixture
def photos(tmp_path):
    """A folder with a name that is no text, the name that it is escaped to, and others; its ids and files in order."""
    (tmp_path / "photos").mkdir()
    names = ["a.png", f"{ESCAPE}.png", f"{RAW}.png", "z.png"]
    rng = np.random.default_rng(0)
    for side, name in enumerate(names, 40):
        Image.fromarray(rng.integers(0, 255, (side, side, 3), np.uint8)).save(tmp_path / "photos" / name)
    return tmp_path / "photos", ["a.png", f"{LITERAL}.png", f"{ESCAPE}.png", "z.png"], names


def named(store):
    opened = taskcodec.open(store)
    return opened.ids.tolist(), opened.samples["width"].to_pylist()


def test_a_name_that_is_no_text_and_its_escape_are_two_samples(photos, tmp_path):
    pytest.importorskip("torch")
    (folder, ids, names), store = photos, tmp_path / "s.tcz"
    run("encode", folder, store)
    assert named(store) == (ids, [40, 41, 42, 43])
    assert "nothing was done" in run("encode", folder, store).stderr
    run("encode", folder, tmp_path / "again.tcz")
    assert contents(store) == contents(tmp_path / "again.tcz")
    assert "mean cosine" in run("evaluate", store, "--source", folder).stdout
    (tmp_path / "list.txt").write_bytes(b"\n".join(os.fsencode(folder / name) for name in names))
    run("encode", tmp_path / "list.txt", tmp_path / "l.tcz")
    assert "mean cosine" in run("evaluate", tmp_path / "l.tcz", "--source", tmp_path / "list.txt").stdout
    (folder / names[2]).unlink()
    refused(store, "evaluate", store, "--source", folder, code=1, says=["lacks 1 of the samples", ids[2]])


def test_what_is_appended_later_gets_the_same_names(photos, tmp_path):
    pytest.importorskip("torch")
    (folder, ids, names), store = photos, tmp_path / "s.tcz"
    (tmp_path / "more").mkdir()
    (folder / names[2]).rename(tmp_path / "more" / names[2])
    run("encode", folder, store)
    run("encode", tmp_path / "more", store, "--append")
    assert named(store) == ([*ids[:2], ids[3], ids[2]], [40, 41, 43, 42])


def test_members_of_archives(photos, tmp_path):
    pytest.importorskip("torch")
    folder, ids, names = photos
    with tarfile.open(tmp_path / "p.tar", "w", format=tarfile.GNU_FORMAT, errors="surrogateescape") as archive:
        for name in names:
            archive.add(folder / name, name)
    run("encode", tmp_path / "p.tar", tmp_path / "s.zip")
    assert named(tmp_path / "s.zip") == (ids, [40, 41, 42, 43])
    assert "mean cosine" in run("evaluate", tmp_path / "s.zip", "--source", tmp_path / "p.tar").stdout


def test_tables_of_labels_name_such_files_by_their_bytes_or_as_stores_do(photos, tmp_path):
    pytest.importorskip("torch")
    (folder, _, names), table = photos, tmp_path / "y.csv"
    (folder / names[1]).unlink()
    rows = [os.fsencode(name) + b",c%d\n" % number for number, name in enumerate(names)]
    for middle in (rows[2], ESCAPE.encode() + b".png,c2\n"):
        table.write_bytes(b"".join([b"path,class\n", rows[0], middle, rows[3]]))
        assert run("encode", folder, tmp_path / "s.tcz", "--labels", table, "--overwrite").stderr == ""
        assert taskcodec.open(tmp_path / "s.tcz").labels.tolist() == ["c0", "c2", "c3"]
    table.write_bytes(b"path,class\na.png,caf\xe9\n")
    refused(tmp_path, "encode", folder, tmp_path / "t.tcz", "--labels", table, code=1, says=["y.csv", "utf-8"])


@pytest.mark.parametrize("end", [".npy", ".parquet"])
def test_rows_are_named_by_such_files(tmp_path, end):
    x = np.random.default_rng(0).normal(size=(90, 8)).astype("f4")
    (tmp_path / "parts").mkdir()
    for number, name in enumerate([f"{ESCAPE}{end}", f"{RAW}{end}"]):
        part, path = x[45 * number :][:45], tmp_path / "parts" / name
        if end == ".npy":
            np.save(path, part)
        else:
            pq.write_table(pa.table({"features": pa.array(list(part), pa.list_(pa.float32()))}), str(tmp_path / "p"))
            (tmp_path / "p").rename(path)
    run("encode", tmp_path / "parts", tmp_path / "s.tcz")
    ids = taskcodec.open(tmp_path / "s.tcz").ids
    assert [ids[0], ids[45]] == [f"{ESCAPE}{end}:0", f"{ESCAPE}{end}#2:0"]
    assert "mean cosine" in run("evaluate", tmp_path / "s.tcz", "--source", tmp_path / "parts").stdout


def test_pictures_in_such_files(photos, tmp_path):
    pytest.importorskip("torch")
    pictures = [path.read_bytes() for path in sorted(photos[0].iterdir())]
    (tmp_path / "parts").mkdir()
    for number, name in enumerate([f"{ESCAPE}.parquet", f"{RAW}.parquet"]):
        pq.write_table(pa.table({"image": pictures[2 * number :][:2]}), str(tmp_path / "p"))
        (tmp_path / "p").rename(tmp_path / "parts" / name)
    run("encode", tmp_path / "parts", tmp_path / "s.tcz")
    ids = [f"{ESCAPE}.parquet:0", f"{ESCAPE}.parquet:1", f"{ESCAPE}.parquet#2:0", f"{ESCAPE}.parquet#2:1"]
    assert taskcodec.open(tmp_path / "s.tcz").ids.tolist() == ids
    assert "mean cosine" in run("evaluate", tmp_path / "s.tcz", "--source", tmp_path / "parts").stdout


def test_rows_of_one_name_are_found_again(tmp_path):
    """They are in a store as NAME and NAME#2."""
    x = np.random.default_rng(0).normal(size=(60, 8)).astype("f4")
    names = [*"aab", *map(str, range(57))]
    pq.write_table(
        pa.table({"id": names, "features": pa.array(list(x), pa.list_(pa.float32()))}), tmp_path / "x.parquet"
    )
    run("encode", tmp_path / "x.parquet", tmp_path / "s.tcz")
    assert taskcodec.open(tmp_path / "s.tcz").ids[:3].tolist() == ["a", "a#2", "b"]
    assert "mean cosine" in run("evaluate", tmp_path / "s.tcz", "--source", tmp_path / "x.parquet").stdout


def test_places_may_have_such_names(photos, tmp_path):
    """Of sources, stores and codecs: a name that is no text is printed, and kept, with escapes."""
    pytest.importorskip("torch")
    folder = photos[0].rename(tmp_path / RAW)
    store = tmp_path / f"{RAW}.tcz"
    assert ESCAPE in run("encode", folder, store).stdout
    run("encode", folder, tmp_path / "s.tcz", "--codec", store)
    assert ESCAPE in run("info", store).stdout
    for end in (".npy", ".parquet"):
        run("decode", store, "-o", tmp_path / f"{RAW}{end}")
    assert pq.read_schema(pa.OSFile(os.fsencode(tmp_path / f"{RAW}.parquet"))).names == ["id", "label", "features"]
    assert ESCAPE in run("evaluate", store, "--source", folder).stdout
