"""The report: what it says, what it escapes, and that it asks nothing of other sites."""

import csv
import math
import re
import shlex
import shutil
import subprocess
from dataclasses import astuple, replace
from html.parser import HTMLParser

import numpy as np
import pytest

import taskcodec
from taskcodec.errors import SourceError, StorageError, UsageError
from taskcodec.evaluation.rates.curves import MEAN_SET, MEAN_TASK, Row
from taskcodec.evaluation.report.diagnosis import extras_of_codec, neighbour_strips, worst_classes
from taskcodec.evaluation.report.panels import family_of, groups_of, headline_point, match
from taskcodec.evaluation.report.svg import axis_value, spread
from taskcodec.evaluation.report.write import write_report

VOID = {"meta", "link", "br", "img"}
HOSTILE = '<script>alert("x")</script> & "quotes" $x_1$ ' + "long " * 40


class Page(HTMLParser):
    """Text, attributes and whether all tags close."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.attributes, self.words = [], [], [], []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += [(tag, *pair) for pair in attributes]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


def row(codec, bits, value, raw=0.9, regime="zero-shot", name="pets", setting="", metric="accuracy", half=0.01):
    difference = value - raw
    return Row(
        regime, codec, setting, name, "class", metric, "ridge", "by folder", 500, bits, value, value - 0.02,
        value + 0.02, raw, difference, difference - half, difference + half,
    )  # fmt: skip


def curve(codec, shift, regime="zero-shot", **more):
    """Value 0.7 + 0.05 log2(bits / 64 / shift)."""
    return [row(codec, 64 * shift * 2**i, 0.7 + 0.05 * i, regime=regime, setting=f"s{i}", **more) for i in range(5)]


def usual():
    raw = row("float32", 40960, 0.9, regime="as is", half=0.0)
    return [raw, *curve("taskcodec", 1), *curve("PQ", 2), *curve("JPEG", 40, regime="as is")]


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    file = write_report(
        usual(), tmp_path_factory.mktemp("a") / "Bericht ü", title="A title", command=["taskcodec", "benchmark"],
        versions={"numpy": "2.0"},
    )  # fmt: skip
    return file, file.read_text(encoding="utf-8")


def test_asks_nothing_of_other_sites(report):
    file, text = report
    page = Page(text)
    assert {item.name for item in file.parent.iterdir()} == {"report.html", "curves.png", "curves.svg", "table.csv"}
    assert "script" not in page.tags
    assert not re.search(r"https?://|url\(|@import", text)
    links = [value for _, key, value in page.attributes if key in ("href", "src", "srcset", "data")]
    assert all(link.startswith("data:") for link in links)


def test_says_what_the_rows_say(report):
    file, text = report
    words = " ".join(" ".join(Page(text).words).replace("\u00a0", " ").split())
    assert "At 1,024 bits a sample our codec keeps 90.00 % accuracy; raw features give 90.00 %" in words
    assert "The best peer, PQ, takes 2.00× as many bits" in words
    assert "taskcodec benchmark" in words
    assert "numpy 2.0" in words
    assert "paired bootstrap" in words
    assert "40.0×" in words  # JPEG
    for item in usual():
        assert f"{item.bits_per_sample:,.1f}" in words
        assert f"{item.value:.4f}" in words
    with (file.parent / "table.csv").open(encoding="utf-8", newline="") as lines:
        found = list(csv.reader(lines))
    assert found[1:] == [[str(value) for value in astuple(item)] for item in usual()]


def test_names_of_ours_are_whole_and_the_command_can_be_given_again(tmp_path):
    command = ["taskcodec", "benchmark", "my photos/", "--labels", "it's.csv:a b", "--out", "x"]
    shipped = curve("taskcodec, tables as shipped", 1.2)
    file = write_report([*usual(), *shipped], tmp_path, title="T", command=command)
    page = Page(file.read_text(encoding="utf-8"))
    wide = page.words[: page.words.index("At matched accuracy")]
    assert "taskcodec, tables as shipped" in wide
    assert not any(words.endswith("…") for words in page.words)
    shown = next(words for words in page.words if words.startswith("taskcodec benchmark"))
    assert shlex.split(shown) == command


def test_same_rows_same_bytes(report, tmp_path):
    file, _ = report
    again = write_report(
        usual(), tmp_path / "b", title="A title", command=["taskcodec", "benchmark"], versions={"numpy": "2.0"}
    )
    for item in file.parent.iterdir():
        assert item.read_bytes() == (again.parent / item.name).read_bytes(), item.name


def test_hostile_words_stay_words(tmp_path):
    rows = [replace(item, codec=HOSTILE, setting="<b>", set='"><img src=x>', split="<i>") for item in curve("x", 1)]
    file = write_report(
        [*rows, *curve("taskcodec", 1)], tmp_path, title=HOSTILE, command=["<u>"], versions={"<s>": "<p>"}
    )
    page = Page(file.read_text(encoding="utf-8"))
    assert not {"script", "b", "i", "img", "u", "s"} & (set(page.tags) - {"b"})
    assert any('alert("x")' in words for words in page.words)


@pytest.mark.parametrize("rows", [
    [row("PQ", 128, 0.8)],
    [row("taskcodec", 128, 0.8)],
    [replace(row("taskcodec", 128, 0.8), raw_value=math.nan, difference=math.nan, low=math.nan, high=math.nan)],
    curve("taskcodec", 1, metric="r2"),
    curve("taskcodec", 1, metric="log_loss") + curve("PQ", 2, metric="log_loss"),
    [row("taskcodec", 128, 0.8), row("PQ", 128, math.inf), row("PQ", 0, 0.5)],
])  # fmt: skip
def test_few_rows_are_enough(tmp_path, rows):
    text = write_report(rows, tmp_path, title="Few").read_text(encoding="utf-8")
    Page(text)
    assert not re.search(r'"[^"]*\bnan\b[^"]*"', text.split("<details>")[0])


def test_nothing_to_show_is_said(tmp_path):
    with pytest.raises(SourceError, match="no row"):
        write_report([row("PQ", 0, 0.5)], tmp_path, title="None")
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="file"):
        write_report(usual(), tmp_path / "file", title="None")


def test_means_take_only_what_has_every_set():
    both = [*curve("taskcodec", 1), *curve("taskcodec", 2, name="cars"), *curve("PQ", 1)]
    mean = groups_of(both)[0]
    assert mean.title == "mean accuracy over 2 sets"
    assert [s.name for s in mean.panels[0].series] == ["taskcodec"]
    assert mean.panels[0].series[0].points[0].rate_bits == 96
    assert mean.panels[0].series[0].points[0].high - 0.7 == pytest.approx(0.01 / math.sqrt(2))
    ready = [replace(item, set=MEAN_SET, task=MEAN_TASK) for item in curve("taskcodec", 7)]
    assert groups_of([*both, *ready])[0].panels[0].series[0].points[0].rate_bits == 64 * 7
    assert len(groups_of(both)) == len(groups_of([*both, *ready])) == 3


def test_codecs_that_need_no_fit_stand_in_every_regime():
    panels = groups_of([*usual(), *curve("taskcodec", 3, regime="fitted")])[0].panels
    assert {p.regime: sorted(s.name for s in p.series) for p in panels} == {
        "zero-shot": ["JPEG", "PQ", "float32", "taskcodec"],
        "fitted": ["JPEG", "float32", "taskcodec"],
    }


def test_peers_need_not_beat_raw_features():
    rows = [row("float32", 40960, 0.9, regime="as is"), row("taskcodec", 100, 0.95), row("PQ", 300, 0.9)]
    panel = groups_of(rows)[0].panels[0]
    found = match(panel, headline_point(panel))
    assert found.target == 0.9
    assert found.best()[1].value == pytest.approx(3)


@pytest.mark.parametrize(("name", "family"), [
    ("taskcodec, tables as shipped", "ours"), ("JPEG XL", "pixel codecs"), ("OPQ", "product quantization"),
    ("LCLP learned, refitted", "learned"), ("PCA int8", "numbers stored plainly"), ("KLT", "transform codecs"),
    ("taskcodecs of others", "others"), ("", "others"),
])  # fmt: skip
def test_families(name, family):
    assert family_of(name) == family


@pytest.mark.parametrize(("value", "step", "shown"), [
    (0.9, 0.1, "90%"), (0.925, 0.025, "92.5%"), (0.95, 0.05, "95%"), (0.9225, 0.0025, "92.25%"),
])  # fmt: skip
def test_ticks_are_where_their_labels_say(value, step, shown):
    assert axis_value(value, "accuracy", step) == shown
    assert float(axis_value(value, "r2", step)) == value


def test_labels_keep_their_distance():
    places = spread([10, 10, 11, 190, 199], 15, 0, 200)
    assert min(np.diff(places)) >= 15
    assert min(places) >= 0
    assert max(places) <= 200
    assert min(np.diff(spread([5.0] * 40, 15, 0, 200))) > 0


def test_extras(tmp_path):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 8)).astype("f4") * 2.0 ** np.arange(8, dtype="f4")
    codec = taskcodec.fit(x, bits=20)
    extras = extras_of_codec(codec)
    picture = extras.dimensions[0]
    symbols = codec.encode(x)
    assert len(picture.rate_bits) == len(picture.step) == codec.columns
    assert sum(picture.rate_bits) == pytest.approx(codec.code_length(symbols).mean(), rel=0.05)

    classes = worst_classes([0, 0, 1, 1], [0, 0, 1, 1], [0, 1, 1, 1], ["<cat>", "dog"])
    assert [(c.name, c.raw, c.decoded) for c in classes] == [("<cat>", 1.0, 0.5), ("dog", 1.0, 1.0)]
    images = [np.full((20, 30, 3), 10 * i, np.uint8) for i in range(6)]
    raw = np.array([[0, 1], [0.1, 1], [0.3, 1], [1, 0], [1, 0.1], [1, 0.3]], np.float32)
    strips = neighbour_strips(images, raw, raw[:, ::-1] * -1, [f"n{i}" for i in range(6)], queries=[0], neighbours=2)
    assert [t.caption for t in strips[0].raw] == ["n1", "n2"]
    with pytest.raises(UsageError, match="neighbours"):
        neighbour_strips(images, raw[:2], raw, [""] * 6)

    extras = replace(extras, classes=classes, neighbours=strips, notes=("<left out>",))
    page = Page(write_report(usual(), tmp_path, title="Extras", extras=extras).read_text(encoding="utf-8"))
    assert page.tags.count("img") == 6
    assert {"<cat>", "<left out>"} <= set(page.words)


def test_opens_in_a_browser_without_a_word_of_complaint(report, tmp_path):
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("no Chromium on this machine")
    command = [browser, "--headless=new", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}",
               "--host-resolver-rules=MAP * ~NOTFOUND", "--enable-logging=stderr", "--dump-dom",
               report[0].as_uri()]  # fmt: skip
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    except subprocess.TimeoutExpired:
        pytest.skip("Chromium does not start on this machine")
    if "</html>" not in done.stdout:
        pytest.skip("Chromium does not run on this machine")
    assert "A title" in done.stdout
    assert "CONSOLE" not in done.stderr
