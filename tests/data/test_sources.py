"""Every file of a source is accounted for, whatever it is."""

import gzip
import io
import json
import os
import tarfile
import zipfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from taskcodec.data import open_source, read_labels
from taskcodec.engines.encode.local import write_features
from taskcodec.engines.encode.records import read_item
from taskcodec.errors import SourceError
from taskcodec.transforms.pictures.images import Preprocessing, open_image

PREPROCESS = Preprocessing(64, 56, "bicubic", (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))


class Eyes:
    """Stands where a backbone would: reads the image, looks no further."""

    preprocess = PREPROCESS

    def __call__(self, batch):
        return batch.reshape(len(batch), -1)[:, :4].astype(np.float32)


def image(width=40, height=30, mode="RGB"):
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels).convert(mode)


def as_bytes(picture, kind="PNG", **options):
    sink = io.BytesIO()
    picture.save(sink, format=kind, **options)
    return sink.getvalue()


def statuses(source):
    return {item.id: read_item(item, i, Eyes())[0].status for i, item in enumerate(source.items)}


def test_odd_folder(tmp_path):
    for name, data in {
        "a/ok.jpg": as_bytes(image(), "JPEG"),
        "ünï 你/фото.png": as_bytes(image()),
        "cmyk.jpg": as_bytes(image(mode="CMYK"), "JPEG"),
        "sixteen.png": as_bytes(Image.fromarray(np.full((20, 20), 40_000, np.uint16))),
        "moves.gif": as_bytes(image(mode="P"), "GIF", save_all=True, append_images=[image(mode="P")]),
        "named.jpg": as_bytes(image()),
        "one.png": as_bytes(image(1, 1)),
        "thin.png": as_bytes(image(1, 3000)),
        "empty.jpg": b"",
        "cut.jpg": as_bytes(image(400, 300), "JPEG")[:4000],
        "noise.jpg": bytes(range(256)) * 8,
        "notes.txt": b"hello",
        "two.jpg": b"xx",
        "more.zip": b"PK",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(data)
    (tmp_path / "a" / "loop").symlink_to(tmp_path)
    (tmp_path / "gone.jpg").symlink_to("/nowhere/at/all")
    os.mkfifo(tmp_path / "pipe.jpg")
    found = statuses(open_source(tmp_path))
    good = {name for name, status in found.items() if status == "ok"}
    assert good == {
        "a/ok.jpg", "ünï 你/фото.png", "cmyk.jpg", "sixteen.png", "moves.gif", "named.jpg", "one.png", "thin.png",
    }  # fmt: skip
    assert found["empty.jpg"] == "empty file"
    assert found["gone.jpg"] == "link to nothing"
    assert found["pipe.jpg"] == "not a regular file"
    assert found["cut.jpg"].startswith("damaged image")
    assert found["noise.jpg"] == found["notes.txt"] == found["two.jpg"] == "not an image that can be read"
    assert found["more.zip"] == "a shard among images: encode it by its own name"


def test_huge_jpeg_is_read_reduced_and_huge_png_refused():
    blank = Image.new("L", (20_000, 20_000), 128)
    assert min(open_image(as_bytes(blank, "JPEG"), 64).size) < 5000
    with pytest.raises(SourceError, match="limit"):
        open_image(as_bytes(blank, compress_level=1), 64)


def test_exif_rotation_and_sixteen_bits():
    turned = image(40, 20)
    exif = turned.getexif()
    exif[0x0112] = 6
    assert open_image(as_bytes(turned, "JPEG", exif=exif)).size == (20, 40)
    grey = open_image(as_bytes(Image.fromarray(np.full((4, 4), 65_535, np.uint16))))
    assert np.asarray(grey).min() == 255


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_an_image_is_turned_upright_once_however_often_it_is_opened(tmp_path, format, orientation):
    upright = Image.fromarray(np.kron(np.array([[0, 90, 255], [200, 30, 120]], np.uint8), np.ones((32, 32), np.uint8)))
    back = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # how a camera held so lays the picture down
    stored = upright if orientation == 1 else upright.transpose(Image.Transpose(back[orientation]))
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"lossless": True} if format == "WEBP" else {}
    data = as_bytes(stored.convert("RGB"), format, exif=exif, **options)
    once = open_image(data)
    for found in (once, open_image(once), open_image(open_image(once))):
        assert np.abs(np.asarray(found.convert("L"), float) - np.asarray(upright, float)).mean() < 3
    (tmp_path / "a.png").write_bytes(data)
    encoded = read_item(open_source(tmp_path).items[0], 0, Eyes())[1]
    np.testing.assert_array_equal(encoded, Eyes.preprocess(data))


def test_other_pictures_of_the_same_names_and_sizes_are_another_source(tmp_path):
    def descriptor(seed):
        pixels = np.random.default_rng(seed).integers(0, 256, (9, 9, 3), dtype=np.uint8)
        for name in ("a.bmp", "b.bmp"):
            Image.fromarray(pixels).save(tmp_path / name)
        return open_source(tmp_path).descriptor()

    first = descriptor(0)
    assert descriptor(1) != first
    assert descriptor(0) == first


def test_labels_from_folders_and_csv(tmp_path):
    for name in ("train/cat/1.png", "test/dog/2.png", "3.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(as_bytes(image()))
    source = open_source(tmp_path)
    assert {item.id: item.label for item in source.items} == {
        "3.png": None, "test/dog/2.png": "dog", "train/cat/1.png": "cat",
    }  # fmt: skip
    table = tmp_path.parent / "labels.csv"
    table.write_text("file,class\n3.png,bird\n", encoding="utf-8")
    assert source.with_labels(read_labels(str(table))).items[0].label == "bird"
    table.write_text("a,b\n1,2\n", encoding="utf-8")
    with pytest.raises(SourceError, match="column of ids"):
        read_labels(str(table))


@pytest.mark.parametrize(
    "names",
    [
        {"cat/2020/1.png": "cat", "dog/2021/1.png": "dog", "dog/2.png": "dog", "3.png": None},
        {"train/cat/2020/1.png": "cat", "val/cat/2021/5/1.png": "cat", "test/1.png": None},
        {"photos/cat/1.png": "cat", "photos/dog/2020/1.png": "dog", "photos/read.me": None, "__MACOSX/._1": None},
        {"photos/train/cat/1.png": "cat", "photos/test/dog/a/1.png": "dog"},
        {"bottle/train/good/1.png": "good", "bolt/test/broken/1.png": "broken"},
        {"data/images/cat/1.png": "cat", "data/images/dog/1.png": "dog", "data/dog/images/2.png": "dog"},
        {"cat/1.png": "cat", "cat/more/2.png": "cat"},
        {"a/b/cat/1.png": "cat"},
        {"cat/train/1.png": "cat", "dog/train/1.png": "dog"},
    ],
)
def test_the_class_is_the_first_folder_below_the_source_or_a_split(tmp_path, names):
    for name in names:
        place = tmp_path / "source" / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(b"x")
    with zipfile.ZipFile(tmp_path / "s.zip", "w") as archive:
        for name in names:
            archive.writestr(name, b"x")
    (tmp_path / "list.txt").write_text("\n".join(f"../source/{name}" for name in names), encoding="utf-8")
    for place, before in (("source", ""), ("s.zip", ""), ("list.txt", "../source/")):
        labels = {item.id: item.label for item in open_source(tmp_path / place).items}
        known = names if place == "list.txt" else {name: names[name] for name in names if "__MACOSX" not in name}
        assert labels == {f"{before}{name}": label for name, label in known.items()}


def webdataset(path, keys):
    """A tar file of images with labels beside them; where each member begins, by name, and the end of the last."""
    with tarfile.open(path, "w") as archive:
        for key in keys:
            for name, data in ((f"{key}.jpg", as_bytes(image(), "JPEG")), (f"{key}.cls", f"class {key}".encode())):
                info = tarfile.TarInfo(name)
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
    with tarfile.open(path) as archive:
        return {member.name: member.offset for member in archive} | {"end": archive.offset}


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(("cut", "past"), [("s/3.cls", 0), ("s/3.cls", 100), ("s/3.cls", 512), ("s/3.cls", 516)])
def test_a_shard_that_is_cut_off_tells_which_sample_lost_its_label(tmp_path, cut, past, packed):
    """Before the label's header, within it, behind it, and within its bytes; the folder's name is no label instead."""
    places = webdataset(tmp_path / "w.tar", [f"s/{i}" for i in range(5)])
    data = (tmp_path / "w.tar").read_bytes()[: places[cut] + past]
    name = "v.tar.gz" if packed else "v.tar"
    (tmp_path / name).write_bytes(gzip.compress(data) if packed else data)
    source = open_source(tmp_path / name)
    assert [(item.id, item.label) for item in source.items if item.fault is None] == [
        ("s/0.jpg", "class s/0"), ("s/1.jpg", "class s/1"), ("s/2.jpg", "class s/2"), ("s/3.jpg", None),
    ]  # fmt: skip
    found = statuses(source)
    assert found[name].endswith("; without their label: s/3.jpg")
    assert "damaged or not an archive after" in found[name]
    assert sum(status == "ok" for status in found.values()) == 4


def test_a_whole_shard_and_one_cut_between_samples_lose_no_label(tmp_path):
    places = webdataset(tmp_path / "w.tar", "abc")
    assert set(statuses(open_source(tmp_path / "w.tar")).values()) == {"ok"}
    (tmp_path / "v.tar").write_bytes((tmp_path / "w.tar").read_bytes()[: places["c.jpg"]])
    assert statuses(open_source(tmp_path / "v.tar")) == {
        "v.tar": "damaged or not an archive after 4 files (cut off: no mark of its end)", "a.jpg": "ok", "b.jpg": "ok",
    }  # fmt: skip


def test_shards_with_labels_and_duplicates(tmp_path):
    with tarfile.open(tmp_path / "s.tar", "w") as archive:
        for name, data in (("k.jpg", as_bytes(image(), "JPEG")), ("k.cls", b"7"), ("k.jpg", as_bytes(image(), "JPEG"))):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    items = open_source(tmp_path / "s.tar").items
    assert [(item.id, item.label) for item in items] == [("k.jpg", "7"), ("k.jpg#2", None)]
    with zipfile.ZipFile(tmp_path / "z.zip", "w") as archive:
        archive.writestr("cat/1.png", as_bytes(image()))
    assert statuses(open_source(tmp_path / "z.zip")) == {"cat/1.png": "ok"}
    (tmp_path / "bad.zip").write_bytes(b"PK\x03\x04 no")
    with pytest.raises(SourceError, match=r"bad\.zip"):
        open_source(tmp_path / "bad.zip")


def test_a_key_ends_at_the_first_dot(tmp_path):
    picture = as_bytes(image(), "JPEG")
    members = {
        "a/0.left.jpg": picture, "a/0.right.jpg": picture, "a/0.cls": b"cat", "a/0.note.txt": b"no label",
        "b.v1.jpg": picture, "b.v2.jpg": picture, "b.v1.cls": b"dog", "b.v2.cls": b"cow", "b.v3.cls": b"hen",
        "c.jpg": picture, "c.json": b'{"label": 1.0}', "d.jpg": picture, "d.json": b'{"label": 0.5}',
        "e.jpg": picture, "e.json": b'{"label": NaN}',
    }  # fmt: skip
    with zipfile.ZipFile(tmp_path / "s.zip", "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    source = open_source(tmp_path / "s.zip")
    assert {item.id: item.label for item in source.items} == {
        "a/0.left.jpg": "cat", "a/0.right.jpg": "cat", "b.v1.jpg": "dog", "b.v2.jpg": "cow", "c.jpg": "1",
        "d.jpg": "0.5", "e.jpg": None,
    }  # fmt: skip
    assert set(statuses(source).values()) == {"ok"}


def test_list_names_missing_files(tmp_path):
    (tmp_path / "1.png").write_bytes(as_bytes(image()))
    (tmp_path / "list.txt").write_text("1.png\nnone.png\n1.png\n", encoding="utf-8")
    assert statuses(open_source(tmp_path / "list.txt")) == {"1.png": "ok", "none.png": "no such file", "1.png#2": "ok"}


def test_feature_arrays(tmp_path):
    x = np.arange(3000 * 5, dtype=np.float32).reshape(3000, 5)
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "f.npy", np.asfortranarray(x))
    table = pa.table({"id": [f"s{i}" for i in range(3000)], "features": x.tolist()})
    pq.write_table(table, tmp_path / "x.parquet", row_group_size=700)
    for name in ("x.npy", "f.npy", "x.parquet"):
        source = open_source(tmp_path / name)
        assert (len(source), source.dimension) == (3000, 5)
        assert np.array_equal(source.block(650, 1450), x[650:1450])
    assert open_source(tmp_path / "x.parquet").id_of(2) == "s2"
    np.save(tmp_path / "o.npy", np.array([{}], dtype=object), allow_pickle=True)
    np.save(tmp_path / "v.npy", np.zeros(3))
    for name in ("o.npy", "v.npy"):
        with pytest.raises(SourceError, match=name):
            open_source(tmp_path / name)


def test_a_number_that_is_not_there_is_no_label(tmp_path):
    vectors = pa.array([[1.0, 2.0]] * 3, pa.list_(pa.float32()))
    table = pa.table({"features": vectors, "label": pa.array([1.0, float("nan"), None], pa.float64())})
    pq.write_table(table, tmp_path / "x.parquet")
    labels = open_source(tmp_path / "x.parquet").labels
    assert [labels[row] for row in range(3)] == ["1", None, None]


def test_a_column_for_each_feature(tmp_path):
    x = np.random.default_rng(0).normal(size=(3000, 40)).astype("f4")
    x[7, 3] = np.nan
    columns = {f"f{i}": pa.array(x[:, i], from_pandas=True) for i in range(40)}
    ids = [f"s{i}" for i in range(3000)]
    pq.write_table(pa.table({"id": ids, **columns}), tmp_path / "x.parquet", row_group_size=700)
    source = open_source(tmp_path / "x.parquet")
    assert (source.rows, source.dimension, source.id_of(2)) == (3000, 40, "s2")
    for start, stop in ((0, 5), (650, 2000), (3, 10)):
        assert np.array_equal(source.block(start, stop), x[start:stop], equal_nan=True)
    failures = write_features(source, tmp_path / "x.npy").failures
    assert [(record.id, record.status.split(" (")[0]) for record in failures] == [("s7", "a missing number")]
    pq.write_table(pa.table({"text": ids, **columns}), tmp_path / "x.parquet")
    with pytest.raises(SourceError, match=r"found besides text$"):
        open_source(tmp_path / "x.parquet")


def test_an_index_that_pandas_saved_is_no_feature(tmp_path):
    columns = {f"f{i}": np.arange(4.0) + i for i in range(12)}
    table = pa.table({**columns, "__index_level_0__": np.arange(4)})
    saved = {b"pandas": json.dumps({"index_columns": ["__index_level_0__"], "columns": []}).encode()}
    pq.write_table(table.replace_schema_metadata(saved), tmp_path / "x.parquet")
    assert open_source(tmp_path / "x.parquet").dimension == 12
    pq.write_table(table, tmp_path / "x.parquet")
    with pytest.raises(SourceError, match=r"found besides __index_level_0__$"):
        open_source(tmp_path / "x.parquet")


def test_a_file_that_is_no_array_is_told_without_advice_to_unpickle_it(tmp_path):
    (tmp_path / "x.npy").write_text("hello\n")
    with pytest.raises(SourceError, match=r"x\.npy: not a \.npy file") as caught:
        open_source(tmp_path / "x.npy")
    np.save(tmp_path / "y.npy", np.array([{}]))
    with pytest.raises(SourceError) as again:
        open_source(tmp_path / "y.npy")
    assert "pickle" not in f"{caught.value}{again.value}"


def test_a_column_that_is_no_text_is_named(tmp_path):
    vectors = pa.array([[1.0, 2.0]] * 2, pa.list_(pa.float32()))
    for name in ("id", "label"):
        pq.write_table(pa.table({"features": vectors, name: [["cat"], ["dog"]]}), tmp_path / "x.parquet")
        with pytest.raises(SourceError, match=f"text or numbers in column {name}, found list"):
            open_source(tmp_path / "x.parquet")


@pytest.mark.parametrize("kind", [pa.list_(pa.float32()), pa.list_(pa.float32(), 2)])
def test_a_vector_that_is_not_there_is_called_so(tmp_path, kind):
    rows = [[float(i), 1.0] for i in range(3000)]
    rows[5] = rows[1700] = None
    rows[6] = [float("nan"), float("nan")]
    pq.write_table(pa.table({"features": pa.array(rows, kind)}), tmp_path / "x.parquet", row_group_size=700)
    failures = write_features(open_source(tmp_path / "x.parquet"), tmp_path / "x.npy").failures
    assert [(record.id, record.status.split(" (")[0]) for record in failures] == [
        ("5", "no vector in its row"),
        ("6", "NaN or infinity"),
        ("1700", "no vector in its row"),
    ]


@pytest.mark.parametrize("lost", [6, 4000])
def test_a_gzipped_shard_that_is_cut_gives_what_lies_before(tmp_path, lost):
    with tarfile.open(tmp_path / "s.tgz", "w:gz") as archive:
        for number in range(20):
            noise = np.random.default_rng(number).integers(0, 256, (20, 20, 3), dtype=np.uint8)
            data = as_bytes(Image.fromarray(noise))
            member = tarfile.TarInfo(f"{number:02d}.png")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    (tmp_path / "s.tgz").write_bytes((tmp_path / "s.tgz").read_bytes()[:-lost])
    found = statuses(open_source(tmp_path / "s.tgz"))
    good = [name for name, status in found.items() if status == "ok"]
    assert good == [f"{number:02d}.png" for number in range(20)][: len(good)]
    assert len(good) >= (16 if lost == 4000 else 20)
    assert found["s.tgz"].startswith("damaged or not an archive after ")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_list_in_any_usual_encoding(tmp_path, encoding):
    image().save(tmp_path / "фото.png")
    (tmp_path / "list.txt").write_text("фото.png\r\n", encoding=encoding)
    assert statuses(open_source(tmp_path / "list.txt")) == {"фото.png": "ok"}
