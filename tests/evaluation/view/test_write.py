"""A page on any store: small, whole, and deaf to what names say."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

import taskcodec
from taskcodec.engines.encode.decide import EncodeOptions
from taskcodec.engines.encode.execute import encode_job
from taskcodec.errors import CorruptFileError, UsageError
from taskcodec.evaluation.view.content import LARGEST_PICTURE, NEIGHBOURS, nearest_of
from taskcodec.evaluation.view.write import write_view
from taskcodec.store.backend import open_blobs
from taskcodec.store.file_layers.layout import BesideLayer
from taskcodec.store.file_layers.writer import ItemWriter
from tests.data.pictures import Eyes
from tests.transforms.originals.files import saved, scene

EVIL = '"><script>alert(1)</script><img src=//evil.example/x onerror=alert(2)>\u202e</style>\n'


class Tags(HTMLParser):
    """Every tag with its attributes; void ones aside, each is closed."""

    def __init__(self, page):
        super().__init__()
        self.seen, self.open, self.words = [], [], []
        self.feed(page)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.seen.append((tag, dict(attributes)))
        if tag not in ("meta", "link", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


def look(store, tmp_path):
    """What a page shows, its tags and its text; it is small, and asks nothing of other sites."""
    content = write_view(store, tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert len(page.encode()) < 5_000_000
    found = Tags(page)
    assert {tag for tag, _ in found.seen} <= {
        *("html", "head", "meta", "link", "title", "style", "body", "main", "h1", "h2", "p", "div", "span", "b", "bdi"),
        *("details", "summary", "table", "tr", "td", "meter", "br"),
    }
    bare = re.sub(r"<bdi>.*?</bdi>", "", page)
    asked = re.findall(r"""(?:src|href)=["']?([^"'>\s]*)|url\(([^)]{0,30})|(@import)""", bare)
    assert all("".join(where).startswith("data:") for where in asked)
    assert not any(name.startswith("on") for _, attributes in found.seen for name in attributes)
    return content, found, page


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    root = tmp_path_factory.mktemp("photos")
    for number in range(30):
        folder = root / ("even" if number % 2 == 0 else "odd")
        folder.mkdir(exist_ok=True)
        (folder / f"{number:02}.jpg").write_bytes(saved(scene(100 + 3 * number, 80), "JPEG"))
    (root / "odd" / "x<b>.jpg").write_bytes(b"no picture")
    return root


@pytest.mark.parametrize("layers", ["picture:900", "original"])
def test_shows_pictures_labels_neighbours_and_failures(layers, photos, tmp_path):
    encode_job(str(photos), str(tmp_path / "s.tcz"), EncodeOptions(backbone=Eyes(), layers=layers))
    content, found, page = look(str(tmp_path / "s.tcz"), tmp_path)
    assert len(content.shown) == 30
    assert all(each.picture[4:8] == b"ftyp" for each in content.shown)
    assert page.count("data:image/avif;base64,") == 30  # each once, however often it is seen
    assert content.labels == (("even", 15), ("odd", 15))
    words = "".join(found.words)
    for part in ("even/00.jpg", "odd/x<b>.jpg", "not an image that can be read", "30", "Nearest"):
        assert part in words
    assert "x<b>" not in page


def test_shows_what_a_codec_of_pictures_gives_back(photos, tmp_path):
    pytest.importorskip("torch")
    from tests.pictured import alone

    codec = alone()
    named = replace(codec, layers=(replace(codec.base, name="picture"),))  # as a layer of files may be called, too
    named.save(tmp_path / "p.codec")
    encode_job(str(photos), str(tmp_path / "s.tcz"), EncodeOptions(str(tmp_path / "p.codec")))
    content, found, page = look(str(tmp_path / "s.tcz"), tmp_path)
    assert page.count("data:image/avif;base64,") == len(content.shown) == 30
    assert set(content.layers) == {"picture"}
    assert not content.missing
    assert "Nearest" not in "".join(found.words)


def test_hostile_names_and_labels_stay_text(tmp_path):
    x = np.random.default_rng(0).normal(size=(40, 6)).astype("f4")
    ids, labels = [f"{EVIL}{n}" for n in range(40)], [EVIL if n % 2 else "x" * 5000 for n in range(40)]
    taskcodec.encode(x, tmp_path / "s.tcz", ids=ids, labels=labels)
    content, found, page = look(tmp_path / "s.tcz", tmp_path)
    assert content.shown[0].id == ids[0]
    assert EVIL[:40] in "".join(found.words)
    assert "\u202e" not in page
    assert "<script" not in page


def test_neighbours_are_those_of_all_samples(tmp_path):
    x = np.random.default_rng(0).normal(size=(500, 8)).astype("f4")
    store = taskcodec.encode(x, tmp_path / "s.tcz", bits=60, chunk_rows=64)
    rows = np.array([0, 250, 499])
    decoded = store.to_numpy()
    about = decoded - decoded[rows].mean(0)
    unit = about / np.linalg.norm(about, axis=1, keepdims=True)
    for found in nearest_of(store, rows):
        likeness = unit @ unit[found.row]
        likeness[found.row] = -2
        assert [row for row, _ in found.nearest] == np.argsort(-likeness)[:NEIGHBOURS].tolist()
        assert [cosine for _, cosine in found.nearest] == pytest.approx(
            sorted(likeness)[: -NEIGHBOURS - 1 : -1], abs=1e-5
        )


@pytest.mark.slow
def test_stays_small_whatever_the_store_holds(tmp_path):
    x = np.random.default_rng(0).normal(size=(100_000, 4)).astype("f4")
    labels = [f"label {n}" for n in range(100_000)]
    taskcodec.encode(x, tmp_path / "s.tcz", bits=16, labels=labels)
    content, found, _ = look(tmp_path / "s.tcz", tmp_path)
    assert (content.samples, len(content.shown), content.more_labels) == (100_000, 600, 99_900)
    assert "600 of 100,000 samples" in "".join(found.words)


def test_stays_small_where_pictures_are_large(tmp_path):
    x, rng = np.random.default_rng(0).normal(size=(1500, 4)).astype("f4"), np.random.default_rng(1)
    taskcodec.encode(x, tmp_path / "s.tcz", bits=16, ids=[f"{n}{'ü' * 400}" for n in range(1500)])
    writer = ItemWriter(open_blobs(tmp_path / "s.tcz"), BesideLayer("picture", "picture", 0, 256, {"bytes": 8000}))
    writer.append([rng.bytes(LARGEST_PICTURE) for _ in range(1500)])
    writer.commit()
    content, _, page = look(tmp_path / "s.tcz", tmp_path)
    assert 50 < len(content.shown) < 600
    assert page.count("data:image/avif;base64,") == len({*(s.row for s in content.shown), *content.others})


def test_nothing_is_wider_than_a_phone(tmp_path):
    """No width of pixels but those of tiles, that wrap, and of what is centred."""
    taskcodec.encode(np.random.default_rng(0).normal(size=(30, 4)).astype("f4"), tmp_path / "s.tcz", bits=8)
    _, _, page = look(tmp_path / "s.tcz", tmp_path)
    near = re.findall(r"\.near \{ grid-template-columns:([^}]*)\}", page)
    assert near
    assert all("minmax(0,1fr)" in columns for columns in near)


def test_a_single_sample_has_no_neighbours(tmp_path):
    taskcodec.encode(np.ones((1, 4), "f4"), tmp_path / "s.tcz", bits=8)
    content, found, _ = look(tmp_path / "s.tcz", tmp_path)
    assert content.neighbours == ()
    assert "All samples" in "".join(found.words)


def test_refuses_other_files_and_tells_damage(photos, tmp_path):
    encode_job(str(photos), str(tmp_path / "s.tcz"), EncodeOptions(backbone=Eyes(), layers="picture:900"))
    with pytest.raises(UsageError, match=r"written to a \.html file"):
        write_view(tmp_path / "s.tcz", tmp_path / "page.pdf")
    chunk = tmp_path / "s.tcz" / "layers" / "picture" / "c" / "0"
    data = bytearray(chunk.read_bytes())
    data[len(data) // 2] ^= 1
    chunk.write_bytes(bytes(data))
    with pytest.raises(CorruptFileError, match="layers/picture/c/0"):
        write_view(tmp_path / "s.tcz", tmp_path / "page.html")
    assert not (tmp_path / "page.html").exists()
