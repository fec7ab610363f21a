"""Examples in the documents run, commands in them exist, links in them lead somewhere, the second reader reads."""

import ast
import doctest
import importlib
import importlib.util
import json
import re
import shlex
import struct

import numpy as np
import pytest
from PIL import Image

import taskcodec
from taskcodec.coding import encode_block, encode_sample, tables_from_symbols
from taskcodec.coding.models.overfitted.model import OverfittedTables
from taskcodec.coding.models.overfitted.plan import HEAD, Plan
from taskcodec.coding.picture import encode_layer, join_picture
from taskcodec.fitting.closed_form.default import fit_usual
from taskcodec.fitting.effort import with_effort
from taskcodec.store import SampleRecord, StoreWriter
from tests import ROOT
from tests import layered as two_layers
from tests.cli.commands import run
from tests.coding.golden_overfitted import (
    golden_overfitted_codec,
    golden_overfitted_packet,
    golden_overfitted_symbols,
)
from tests.coding.make_golden import golden_conditional, golden_symbols, golden_tables
from tests.conditional import conditional, conditional_tables
from tests.test_floors import LEVEL

SOURCE = ROOT / "src" / "taskcodec"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
LONG = ("examples.md", "limits.md", "benchmark.md", "certificate.md", "evaluate.md")
"""Pages whose examples train, fit or measure for seconds."""
MODULES = ["taskcodec", "taskcodec.codec", "taskcodec.store.writer", "taskcodec.fitting.closed_form.feature_codec"]


def text_of(page):
    return (ROOT / "docs" / page).read_text(encoding="utf-8")


def blocks(page, language):
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def page_of_examples(page):
    return pytest.param(page, id=page.name, marks=pytest.mark.slow if page.name in LONG else ())


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The folder in which a reader of the quickstart is when the Python examples start."""
    root, rng = tmp_path_factory.mktemp("docs"), np.random.default_rng(0)
    for name, base in (("cat", 40), ("dog", 160)):
        (root / "photos" / name).mkdir(parents=True)
        for i in range(12):
            pixels = rng.integers(base, base + 60, size=(40, 50, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(root / "photos" / name / f"{i}.png")
    (root / "photos" / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    vectors = (rng.normal(size=(2000, 8)) @ rng.normal(size=(8, 64))).astype("float32")
    np.save(root / "vectors.npy", vectors)
    run("encode", root / "photos", root / "photos.tcz")
    run("encode", root / "vectors.npy", root / "vectors.tcz", "--bits", "100")
    return root


@pytest.mark.parametrize("page", [page_of_examples(page) for page in PAGES if blocks(page, "python")])
def test_python_examples_run(page, folder, monkeypatch):
    monkeypatch.chdir(folder)
    scope = {"__name__": "example"}
    for code in blocks(page, "python"):
        exec(compile(code, page.name, "exec"), scope)


@pytest.mark.parametrize("module", MODULES)
def test_docstring_examples_run(module):
    result = doctest.testmod(importlib.import_module(module))
    assert result.attempted > 0
    assert result.failed == 0


def test_commands_in_the_documents_exist():
    used = {}
    for page in PAGES:
        lines = "\n".join(blocks(page, "bash") + blocks(page, "console")).splitlines()
        inline = re.findall(r"`(taskcodec [^`\n]+)`", page.read_text(encoding="utf-8"))
        for line in [re.sub(r"^\$ ", "", line) for line in lines] + inline:
            for part in line.split("&&"):
                words = shlex.split(part, comments=True)
                if words[:1] == ["taskcodec"] and words[1].islower():
                    used.setdefault(words[1], set()).update(word for word in words[2:] if word.startswith("-"))
    assert {"encode", "fit", "decode", "info", "verify"} <= set(used)
    for verb, flags in used.items():
        found = run(verb, "--help")
        for flag in flags:
            assert flag in found.stdout, f"taskcodec {verb} {flag}"


def test_links_lead_somewhere():
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#\s]*)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            if target and "://" not in target:
                assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_every_public_name_is_in_the_reference():
    text = text_of("reference.md")
    for module in (
        "taskcodec",
        "taskcodec.coding",
        "taskcodec.store",
        "taskcodec.data",
        "taskcodec.transforms.backbones",
    ):
        for name in importlib.import_module(module).__all__:
            assert re.search(rf"\b{name}\b", text), f"{module}.{name}"


def test_directives_name_what_there_is():
    for directive in re.findall(r"^::: ([\w.]+)", text_of("reference.md"), re.MULTILINE):
        module, _, name = directive.rpartition(".")
        if (ROOT / "src" / directive.replace(".", "/")).with_suffix(".py").exists():
            continue  # a module, whole
        assert hasattr(importlib.import_module(module), name), directive


def test_the_house_is_drawn_as_it_stands():
    """Floors in their order, every room, and in each step the function that does it."""
    page = text_of("architecture.md")
    drawn = re.findall(r"^│ (\w+)  .*│$", page, re.MULTILINE)
    assert [LEVEL[floor] for floor in drawn] == sorted((LEVEL[floor] for floor in drawn), reverse=True)
    rooms = {path.parent.relative_to(SOURCE).as_posix() for path in SOURCE.rglob("*") if path.is_file()}
    rooms -= {".", *(room for room in rooms if "__pycache__" in room)}
    named = set(re.findall(r"^\| `([\w/]+)/` \|", page, re.MULTILINE))
    assert named >= rooms
    assert {floor for floor in LEVEL if (SOURCE / floor).is_dir()} <= set(re.findall(r"\w+", page))
    for file, function in re.findall(r"\| `([\w/]+\.py)` \| `(\w+)` \|$", page, re.MULTILINE):
        defined = ast.walk(ast.parse((SOURCE / file).read_text(encoding="utf-8")))
        assert function in {getattr(node, "name", None) for node in defined}, f"{file}: {function}"


@pytest.mark.parametrize("page", ["docs/architecture.md", "CONTRIBUTING.md"])
def test_the_places_it_names_are_there(page):
    text = re.sub(r"```.*?```", "", (ROOT / page).read_text(encoding="utf-8"), flags=re.DOTALL)
    places = {place for place in re.findall(r"`([\w./]+)`", text) if re.search(r"/$|\.(py|md)$", place)}
    assert len(places) > 10
    for place in places - {place for place in places if "NAME" in place}:
        assert (ROOT / place).exists() or (SOURCE / place).exists(), place


def mean_of(rows, sets, codec):
    """As the table of codecs tells it: bits, the store's bytes, accuracy, raw accuracy, and what is lost."""
    here = [r for r in rows if r["all"] and r["samples"] == "own" and r["codec"] == codec and r["set"] in sets]
    assert len(here) == len(sets)

    def mean(key):
        return sum(row[key] for row in here) / len(here)

    loss, half = mean("loss"), 1.96 * sum(row["standard_error"] ** 2 for row in here) ** 0.5 / len(here)
    store = f"{mean('store_bytes_a_sample'):.0f} " if here[0]["store_bytes_a_sample"] else ""
    lost = f"{loss:.2f} [{loss - half:.2f}, {loss + half:.2f}]"
    return f"| {mean('bits'):.0f} | {store}| {mean('raw') - loss:.1f} | {mean('raw'):.1f} | {lost} |"


def test_the_table_of_codecs_is_that_of_the_results():
    results = ROOT / "benchmarks" / "results"
    rows = json.loads((results / "default" / "sizes.json").read_text(encoding="utf-8"))["rows"]
    lite2 = {row["set"] for row in rows if row["set"].startswith("lite2")}
    six = {"ants_bees", "caltech101_25x30", "eurosat_rgb_2400", "houses_rooms", "digits", "fashion_mnist"}
    lines = [line for line in text_of("codecs.md").splitlines() if line.startswith("| ") and "[" in line][1:]
    expected = [
        mean_of(rows, sets, codec)
        for sets in (six, {"mnist_test", "magnetic_tiles", "chest_xray", "drawn_letters_b"}, lite2, {"minilm_ag_news"})
        for codec in ("default", "fitted", "zero-shot")[: 2 if sets == lite2 or "minilm_ag_news" in sets else 3]
    ]
    assert [line.endswith(row) for line, row in zip(lines, expected, strict=True)] == [True] * 10
    measured = json.loads((results / "benchmark" / "results.json").read_text(encoding="utf-8"))
    for regime, name in (("fitted", "fitted to the collection"), ("zero-shot", "the one that ships")):
        found = {
            round(row["bits_per_sample"], -1): f"{100 * row['value']:.2f}"
            for row in measured
            if (row["set"], row["codec"], row["regime"]) == ("all sets", "taskcodec", regime)
        }
        cells = " | ".join(found[bits] for bits in (130, 260, 510, 900, 1200))
        assert f"| {name} | {cells} |" in text_of("codecs.md")


@pytest.fixture(scope="module")
def second_reader():
    """The reader in the documents, which shares no code with taskcodec."""
    spec = importlib.util.spec_from_file_location("second_reader", ROOT / "docs" / "second_reader.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert "taskcodec" not in vars(module)
    return module


def test_second_reader_reads_a_block_with_escapes_and_a_sample(second_reader):
    rng = np.random.default_rng(0)
    symbols = np.round(rng.laplace(size=(60, 9)) * 1.5).astype(np.int32)
    tables = tables_from_symbols(symbols)
    symbols[3, 2], symbols[50, 8], symbols[51, 8] = -2_000_000_000, 77_777, 2**31 - 1
    columns = second_reader.read_tables(tables.to_bytes())
    assert [column.counts for column in columns] == [tables.column(j).tolist() for j in range(9)]
    assert second_reader.read_block(encode_block(symbols, tables), columns) == symbols.tolist()
    assert second_reader.read_sample(encode_sample(symbols[50], tables), columns) == symbols[50].tolist()


def test_second_reader_reads_conditional_tables(second_reader):
    for tables in (golden_conditional(), conditional_tables(9, side=3, seed=4)):
        y = np.round(np.random.default_rng(0).laplace(size=(40, tables.columns - tables.groups[0].columns)) * 2)
        y[3, 2], y[30, 8] = -2_000_000_000, 2**31 - 1
        symbols, theirs = tables.with_side(y.astype(np.int32)), second_reader.read_any_tables(tables.to_bytes())
        assert second_reader.read_block(encode_block(symbols, tables), theirs) == symbols.tolist()
        assert second_reader.read_sample(encode_sample(symbols[3], tables), theirs) == symbols[3].tolist()


def second_codecs(signed):
    """Codecs of every kind that stores hold, with features that each is for."""
    rng = np.random.default_rng(1)
    x = (rng.normal(size=(300, 4)) @ rng.normal(size=(4, 12))).astype("f4")
    x = x if signed else np.abs(x)
    unit = (x / np.linalg.norm(x, axis=1, keepdims=True)).astype("f4")
    views = np.stack([x, x + rng.normal(size=x.shape).astype("f4")])
    noise = rng.normal(size=(300, 12)).astype("f4")
    axes, matrices = taskcodec.fit(x, bits=40), taskcodec.fit(x, bits=40, views=views)
    return {
        "axes": (axes, x),
        "axes of unit norm": (taskcodec.fit(unit, bits=40), unit),
        "matrices": (matrices, x),
        "conditional": (conditional(matrices), x),
        "conditional with axes": (conditional(axes), x),
        "a table for each feature": (taskcodec.fit(np.tile(x, (2, 1)), bits=40, method="dimensionwise"), x),
        "shares": (taskcodec.fit(x[:20], bits=40, method="dimensionwise"), x),
        "shares of unit norm": (taskcodec.fit(unit[:20], bits=40, method="dimensionwise"), unit),
        "one sample": (fit_usual(x[:1], 1), x),
        "usual": (fit_usual(x, 300), x),
        "dependent": (with_effort(taskcodec.fit(noise, bits=30, method="bottleneck"), noise, 3), noise),
        "dependent, shares": (with_effort(taskcodec.fit(noise, bits=30, method="dimensionwise"), noise, 2), noise),
        "scaled": (taskcodec.fit(1e-9 * x, bits=40, method="dimensionwise"), 1e-9 * x),
    }


VERSIONS = {"matrices": 1, "conditional": 2, "a table for each feature": 1, "dependent": 6, "dependent, shares": 6}
"""Of these codecs; all others are of version 3."""


@pytest.mark.parametrize("signed", [True, False])
def test_second_reader_reads_a_store(second_reader, tmp_path, signed):
    for kind, (codec, features) in second_codecs(signed).items():
        place, symbols = tmp_path / f"{kind}.tcz", codec.encode(features)
        symbols[-2:] = 0  # rows that are not coded
        with StoreWriter.create(place, codec, chunk_rows=128) as writer:
            writer.append(symbols, [SampleRecord(str(i), i, 48) for i in range(300)])
            writer.finish()
        found, its_codec = second_reader.read_store(place)
        assert found == symbols.tolist(), kind
        assert its_codec.manifest["fingerprint"] == codec.fingerprint, kind
        assert its_codec.manifest["version"] == VERSIONS.get(kind, 3), kind
        again, size = taskcodec.open(place).features[:50], np.abs(features).max()
        second = np.array(second_reader.decode(found[:50], its_codec))
        np.testing.assert_allclose(second, again, rtol=1e-4, atol=1e-4 * size, err_msg=kind)
        if "unit norm" in kind:
            np.testing.assert_allclose(np.linalg.norm(second, axis=1), 1, rtol=1e-9)


def test_second_reader_reads_layers(second_reader, tmp_path):
    for kind, codec in {"packets": two_layers.layered(), "rows": two_layers.layered(independent=True)}.items():
        x = two_layers.features(40)
        symbols, packets = codec.encode(x), codec.compress(x)
        with StoreWriter.create(tmp_path / kind, codec, chunk_rows=16) as writer:
            writer.append(symbols, [SampleRecord(str(i), i, 48) for i in range(40)])
            writer.finish()
        found, its_codec = second_reader.read_store(tmp_path / kind)
        assert found == symbols.tolist(), kind
        assert its_codec.manifest["fingerprint"] == codec.fingerprint
        for upto in ("base", "detail"):
            again = second_reader.decode(found, its_codec, upto)
            np.testing.assert_allclose(again, codec.decode(symbols, upto), atol=1e-5)
        base, detail = its_codec.layers
        first, second = second_reader.read_packet(packets[0], 2)
        row = second_reader.read_sample(first, base.tables)
        assert row + second_reader.read_sample(second, detail.tables, row) == found[0]
        assert second_reader.read_packet(packets[0][:-1], 2) == [first]


def test_second_reader_reads_overfitted_pictures(second_reader):
    golden = ROOT / "tests" / "coding" / "golden"
    codec, wanted = second_reader.read_codec((golden / "overfitted.codec").read_bytes()), {}
    assert codec.manifest["version"] == 8
    (layer,), own = codec.layers, golden_overfitted_codec(golden_symbols, golden_tables)
    wanted[13, 30] = (golden / "overfitted_packet.bin").read_bytes()
    wanted |= {size: golden_overfitted_packet(own, golden_symbols, size) for size in ((1, 1), (9, 2), (24, 20))}
    for size, packet in wanted.items():
        symbols = golden_overfitted_symbols(golden_symbols, size).ravel().tolist()
        assert second_reader.read_picture(packet, layer.tables) == (size, symbols)
        for at in (0, len(packet) // 2, len(packet) - 1):
            broken = bytes([*packet[:at], packet[at] ^ 4, *packet[at + 1 :]])
            with pytest.raises((AssertionError, IndexError, ValueError, OverflowError, struct.error)):
                second_reader.read_picture(broken, layer.tables)


def test_second_reader_reads_overfitted_pictures_of_few_latents(second_reader):
    """Of pictures whose finest latent has a place every 4 pixels."""
    plan = Plan(levels=2, width=2, context=3, outputs=1, finest=4)
    start = golden_symbols(1, plan.weights, 84)[0].astype(np.int64) % 900 - 450
    own = OverfittedTables(golden_tables(1 + 3 * 9), plan, start, 9)
    latents = golden_symbols(1, plan.symbols((22, 31)) - HEAD, 85)[0]
    symbols = np.concatenate([np.arange(HEAD), latents % 9 - 4]).astype(np.int32).reshape(1, 1, -1, 1)
    packet = join_picture((22, 31), [encode_layer(symbols, own, (), (22, 31))])
    theirs = second_reader.read_any_tables(own.to_bytes())
    assert second_reader.read_picture(packet, theirs) == ((22, 31), symbols.ravel().tolist())


def test_pages_ask_nothing_of_other_sites():
    """Links may lead outside; fonts, scripts and styles, which a browser fetches by itself, may not."""
    settings = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    assert "://" not in settings
    assert re.search(r"^  font: false\b", settings, re.MULTILINE)  # or the theme takes its own from the network
    for page in PAGES:
        text = re.sub(r"```.*?```|`[^`]*`", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
        assert not re.search(r"\$\$|\\\(|\\\[|<script|<link", text), f"{page.name}: mathematics needs a script"
        assert not re.search(r"!\[[^\]]*\]\(\w+://(?!img\.shields\.io|github\.com)", text), f"{page.name}: images"


def test_the_limits_are_those_of_the_code():
    from taskcodec.coding import ans, varint
    from taskcodec.coding.models import shared, tables
    from taskcodec.container import file as codec_file
    from taskcodec.quantization import uniform
    from taskcodec.store.format import manifest
    from taskcodec.transforms import axes

    text = text_of("store-format.md")
    for start, power, value in (
        ("symbols of a chunk", 28, manifest.MAX_CHUNK_SYMBOLS),
        ("rows of a chunk, and of a block", 24, ans.MAX_ROWS),
        ("columns", 20, tables.MAX_COLUMNS),
        ("symbols in the table of a column", 14, tables.MAX_SIZE),
        ("bytes that a table's zlib stream", 26, 64 * tables.MAX_COLUMNS),
        ("samples, and every other count", 40, manifest.MAX_ROWS),
        ("magnitude of a symbol", 20, uniform.MAX_SYMBOL),
        ("integers of a codec's", 27, axes.MAX_NUMBERS),
        ("magnitude of an integer of axes", 24, axes.MAX_INTEGER),
        ("counts of all columns together", 26, shared.MAX_SPREAD),
        ("bytes of a codec file", 30, codec_file.MAX_BYTES),
    ):
        assert 2**power == value
        assert re.search(rf"^\| {start}[^|]*\| 2\^{power}\b", text, re.MULTILINE), start
    assert f"| bytes of a varint | {varint.MAX_VARINT_BYTES} " in text
    assert f"exponents are from {axes.EXPONENTS.start} to {axes.EXPONENTS.stop - 1} |" in text
