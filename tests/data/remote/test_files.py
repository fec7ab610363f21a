"""Sources under URLs are what they are in a folder, and what goes wrong on the way is no fault of theirs."""

import gzip
import io
import tarfile
import threading
import zipfile
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from taskcodec.data import open_source, read_labels
from taskcodec.engines.encode.execute import encode_job
from taskcodec.errors import NetworkError, SourceError
from taskcodec.store.backend import open_blobs
from tests.data.test_idx import idx
from tests.s3 import Faults

PICTURES = {
    "cat/a.jpg": b"a",
    "cat/ü 日本.jpg": b"bb",
    "dog/c#1?x=2%20.png": b"ccc",
    "dog/empty.jpg": b"",
    "dog/.DS_Store": b"left",
    "dog/notes.txt": b"no picture",
    ".git/config": b"hidden",
    "old.tcz/zarr.json": b"a store",
    "old.tcz/codes/c/0/0": b"of ours",
}
ROWS = np.random.default_rng(0).normal(size=(3000, 8)).astype("f4")


@pytest.fixture(params=["s3", "memory"])
def bucket(request, tmp_path):
    """Where to put files, and the URL they have then."""
    if request.param == "memory":
        root = f"memory://{tmp_path.name}"
        return open_blobs(root).put, root
    server = request.getfixturevalue("s3")
    return server.put, server.url()


def both(files, tmp_path, bucket):
    """The same files in a folder and under a URL."""
    put, url = bucket
    for name, data in files.items():
        put(f"in/{name}", data)
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / name).write_bytes(data)
    return tmp_path / "in", f"{url}/in"


def content(item):
    found = item.read()
    return found if isinstance(found, bytes) else open(found, "rb").read()


def shown(source):
    return [(item.id, item.size, item.label, item.fault, content(item)) for item in source.items]


def test_a_folder_of_pictures(tmp_path, bucket):
    here, there = both(PICTURES, tmp_path, bucket)
    local, remote = open_source(here), open_source(there)
    assert shown(remote) == shown(local)
    assert remote.skipped == {"dog/.DS_Store": 1, ".git/": 1} == local.skipped
    assert {item.label for item in remote.items} == {"cat", "dog"}
    assert open_source(f"{there}/").descriptor() == remote.descriptor()


def test_a_url_of_this_machine_is_its_path(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"a")
    source = open_source(f"file://{tmp_path}")
    assert source.descriptor() == open_source(tmp_path).descriptor()
    assert source.name == str(tmp_path)


def test_names_that_only_buckets_have(s3):
    for name in ("in/", "in/a/", "in/a//b.jpg", "in/a/c.jpg"):
        s3.put(name, b"")
    s3.put("in/full/", b"a picture?")
    s3.put("in-another/x.jpg", b"x")
    found = open_source(s3.url("in"))
    assert {item.id: item.fault is None for item in found.items} == {"a//b.jpg": True, "a/c.jpg": True, "full/": False}


@pytest.mark.slow
def test_a_listing_is_all_that_is_asked_of_thousands(s3):
    client = s3.client()
    for number in range(1100):
        client.put_object(Bucket=s3.bucket, Key=f"in/{number % 3}/{number:04d}.jpg", Body=b"x")
    with s3.counting() as seen:
        found = open_source(s3.url("in"))
        before = found.descriptor()
    assert dict(seen) == {"list": 2}
    assert len(found) == 1100
    s3.put("in/0/0000.jpg", b"y")  # of the same size
    assert open_source(s3.url("in")).descriptor() != before


def npy(rows):
    file = io.BytesIO()
    np.save(file, rows)
    return file.getvalue()


def parquet(rows, **options):
    file = io.BytesIO()
    lists = pa.FixedSizeListArray.from_arrays(pa.array(rows.ravel()), rows.shape[1])
    table = pa.table({"id": [f"r{i}" for i in range(len(rows))], "vec": lists})
    pq.write_table(table, file, **options)
    return file.getvalue()


@pytest.mark.parametrize(
    ("name", "files", "column"),
    [
        ("x.npy", {"x.npy": npy(ROWS)}, ""),
        ("x.npy", {"x.npy": npy(ROWS.astype(">f8"))}, ""),
        ("x.parquet", {"x.parquet": parquet(ROWS, row_group_size=700)}, ":vec"),
        ("", {"a.npy": npy(ROWS[:1000]), "b.npy": npy(ROWS[1000:])}, ""),
        ("", {"a/x.parquet": parquet(ROWS[:1000]), "b/x.parquet": parquet(ROWS[1000:])}, ""),
        ("*.npy", {"a.npy": npy(ROWS[:1000]), "b.npy": npy(ROWS[1000:])}, ""),
        ("all.txt", {"a.npy": npy(ROWS[:1000]), "b.npy": npy(ROWS[1000:]), "all.txt": b"a.npy\nb.npy\n"}, ""),
    ],
)
def test_vectors(tmp_path, bucket, name, files, column):
    here, there = both(files, tmp_path, bucket)
    local, remote = open_source(f"{here}/{name}{column}"), open_source(f"{there}/{name}{column}")
    assert len(remote) == len(local) == 3000
    assert np.array_equal(remote.block(990, 1010), local.block(990, 1010))
    assert np.array_equal(remote.block(0, 3000), ROWS)
    assert [remote.id_of(row) for row in (0, 1000, 2999)] == [local.id_of(row) for row in (0, 1000, 2999)]


def test_rows_are_read_in_pieces(s3):
    s3.put("x.npy", npy(ROWS))
    source = open_source(s3.url("x.npy"))
    with s3.counting() as seen:
        source.block(1024, 2048)
        source.descriptor()
    assert dict(seen) == {"range": 1}


def zipped(files):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return file.getvalue()


def tarred(files, mode="w"):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode=mode) as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return file.getvalue()


SHARD = {
    f"{i:03d}.{end}": data for i in range(20) for end, data in (("jpg", bytes([i]) * 5000), ("cls", b"%d" % (i % 3)))
}


@pytest.mark.parametrize(
    ("name", "files"),
    [
        ("x.zip", {"x.zip": zipped(SHARD)}),
        ("x.tar", {"x.tar": tarred(SHARD)}),
        ("x.tar.gz", {"x.tar.gz": tarred(SHARD, "w:gz")}),
        ("*.tar", {"a.tar": tarred(SHARD), "b.tar": tarred(SHARD)}),
        ("", {"a.tar": tarred(SHARD), "b.tar": tarred(SHARD)}),
        ("all.txt", {"a.tar": tarred(SHARD), "b.zip": zipped(SHARD), "all.txt": b"a.tar\nb.zip\n"}),
    ],
)
def test_shards(tmp_path, bucket, name, files):
    here, there = both(files, tmp_path, bucket)
    local, remote = open_source(f"{here}/{name}"), open_source(f"{there}/{name}")
    assert shown(remote) == shown(local)
    assert {item.label for item in remote.items} == {"0", "1", "2"}
    assert remote.descriptor() == open_source(f"{there}/{name}").descriptor()


def test_a_list_may_name_files_elsewhere(tmp_path, s3):
    s3.put("cat/a.jpg", b"a")
    (tmp_path / "dog").mkdir()
    (tmp_path / "dog" / "b.jpg").write_bytes(b"b")
    (tmp_path / "all.txt").write_text(f"{s3.url('cat/a.jpg')}\ndog/b.jpg\n{s3.url('none.jpg')}\n")
    found = open_source(tmp_path / "all.txt")
    assert [content(item) for item in found.items[:2]] == [b"a", b"b"]
    with pytest.raises(FileNotFoundError, match="no such file"):
        found.items[2].read()


def test_labels_of_a_table_under_a_url(bucket):
    put, url = bucket
    put("labels.csv", "path,class,mood\na.jpg,cat,ü\nb.jpg,dog,bad\n".encode())
    assert read_labels(f"{url}/labels.csv") == {"a.jpg": "cat", "b.jpg": "dog"}
    assert read_labels(f"{url}/labels.csv:mood") == {"a.jpg": "ü", "b.jpg": "bad"}
    with pytest.raises(SourceError, match=r"none.csv: cannot be read .*no such file"):
        read_labels(f"{url}/none.csv")


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("none", "no such file or folder: nothing lies under this name"),
        ("none.npy", "no such file or folder: nothing lies under this name"),
        ("bad.npy", "bad.npy: not a .npy file of features"),
        ("columns.npy", "written column by column: save it in C order"),
        ("short.npy", "cut short"),
        ("bad.parquet", "bad.parquet: not a Parquet file that can be read"),
        ("bad.zip", "bad.zip: damaged or not an archive"),
        ("store", "a store already, not a folder of images"),
        ("digits", "train-images-idx3-ubyte.gz: not an IDX file of unsigned bytes"),
    ],
)
def test_what_is_no_source_is_told(bucket, name, says):
    put, url = bucket
    for bad in ("bad.npy", "bad.parquet", "bad.zip", "store/zarr.json", "digits/train-images-idx3-ubyte.gz"):
        put(bad, b"no such thing")
    put("columns.npy", npy(np.asfortranarray(ROWS)))
    put("short.npy", npy(ROWS)[:-5])
    with pytest.raises(SourceError, match=says):
        open_source(f"{url}/{name}")


def test_a_bucket_that_is_not_there_is_told(s3):
    with pytest.raises(SourceError, match="no such bucket or folder"):
        open_source("s3://there-is-no-such-bucket/photos")


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@contextmanager
def web_server(folder):
    """The address of a server of a folder's files."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_one_file_of_the_web(tmp_path):
    files = {"x.npy": npy(ROWS), "x.zip": zipped(SHARD), "x.parquet": parquet(ROWS)}
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    with web_server(tmp_path) as url:
        assert np.array_equal(open_source(f"{url}/x.npy?signed=1").block(5, 10), ROWS[5:10])  # it knows of no ranges
        assert np.array_equal(open_source(f"{url}/x.parquet").block(0, 3000), ROWS)
        assert shown(open_source(f"{url}/x.zip")) == shown(open_source(tmp_path / "x.zip"))
        with pytest.raises(SourceError, match="folders cannot be listed"):
            open_source(f"{url}/photos")


def mnist(count=6):
    rng = np.random.default_rng(count)
    images, labels = rng.integers(0, 256, (count, 9, 7), np.uint8), np.arange(count, dtype=np.uint8)
    return idx(images), idx(labels)


def idx_files():
    """Of both parts, one of them packed."""
    names = ("images-idx3-ubyte", "labels-idx1-ubyte")
    train, test = zip(names, mnist(6), strict=True), zip(names, mnist(4), strict=True)
    return {f"train-{n}": data for n, data in train} | {f"t10k-{n}.gz": gzip.compress(data) for n, data in test}


def test_idx_files(tmp_path, bucket):
    files = {**idx_files(), "README": b"digits", ".git/config": b"hidden", "more/x.png": b"", "more/y.png": b""}
    here, there = both(files, tmp_path, bucket)
    local, remote = open_source(here), open_source(there)
    assert shown(remote) == shown(local) == shown(open_source(f"file://{here}"))
    assert [item.id for item in remote.items[5:]] == [
        "train/00005",
        *(f"test/0000{i}" for i in range(4)),
        "README",
        "more",
    ]
    assert remote.descriptor() == local.descriptor() == open_source(f"{there}/").descriptor()
    put, _ = bucket
    put("in/t10k-labels-idx1-ubyte.gz", b"cut")
    with pytest.raises(SourceError, match=r"in/t10k-labels-idx1-ubyte.gz: not an IDX file"):
        open_source(there)


def test_idx_files_of_the_web(tmp_path):
    """In a folder that cannot be listed, by names that are known; whether the server has a page in its place or not."""
    for name, data in idx_files().items():
        (tmp_path / "mnist").mkdir(exist_ok=True)
        (tmp_path / "mnist" / name).write_bytes(data)
    with web_server(tmp_path) as url:
        found = open_source(f"{url}/mnist")
        assert shown(found) == shown(open_source(f"{url}/mnist/")) == shown(open_source(tmp_path / "mnist"))
        assert len(found) == 10
        (tmp_path / "mnist" / "t10k-labels-idx1-ubyte.gz").unlink()
        with pytest.raises(SourceError, match=r"/mnist: no file t10k-labels-idx1-ubyte\[.gz\] in it"):
            open_source(f"{url}/mnist")


@pytest.mark.parametrize("name", ["x.npy", "x.parquet"])
@pytest.mark.slow
def test_a_network_that_fails_midway_stops_the_encode_and_the_same_command_goes_on(s3, tmp_path, name, impatient):
    s3.put(name, npy(ROWS) if name == "x.npy" else parquet(ROWS, row_group_size=500))
    source = open_source(s3.url(name))
    calls = [0]
    block = source.block

    def failing(start, stop):
        calls[0] += start >= 2048
        if calls[0] == 0:
            return block(start, stop)
        with s3.failing(Faults(kinds=("slow_down",), key=name)):
            return block(start, stop)

    from dataclasses import replace

    with pytest.raises(NetworkError, match=rf"^s3://.*{name}: cannot be read: .*SlowDown.*run the same command again"):
        encode_job(replace(source, block=failing), s3.url("x.tcz"))
    found = encode_job(s3.url(name), s3.url("x.tcz")).store
    assert len(found) == 3000
    assert not len(found.failures)


def test_a_picture_that_cannot_be_fetched_is_not_taken_for_a_bad_one(s3, impatient):
    s3.put("in/a.jpg", b"a")
    (item,) = open_source(s3.url("in")).items
    with (
        s3.failing(Faults(kinds=("reset", "torn", "error"))),
        pytest.raises(NetworkError, match=r"in/a.jpg: cannot be read"),
    ):
        item.read()
    s3.client().delete_object(Bucket=s3.bucket, Key="in/a.jpg")
    with pytest.raises(FileNotFoundError, match="no such file"):
        item.read()
