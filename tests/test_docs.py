"""Examples in the documents run, names that commands are told by exist, and the format page can be followed."""

import doctest
import importlib
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from taskcodec.coding import encode_block, tables_from_symbols

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
MODULES = ["taskcodec", "taskcodec.codec", "taskcodec.store.writer", "taskcodec.fitting.feature_codec"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_python_examples_run(page):
    scope = {}
    for code in re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL):
        exec(compile(code, page.name, "exec"), scope)


@pytest.mark.parametrize("module", MODULES)
def test_docstring_examples_run(module):
    assert doctest.testmod(importlib.import_module(module)).failed == 0


def test_commands_in_the_documents_exist():
    text = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    used = {}
    for line in re.findall(r"^(?:\$ )?taskcodec (.+)$", text, re.MULTILINE):
        verb, *rest = line.split("#")[0].split()
        used.setdefault(verb, set()).update(word for word in rest if word.startswith("-"))
    assert {"encode", "fit", "decode", "info", "verify"} <= set(used)
    for verb, flags in used.items():
        found = subprocess.run(
            [sys.executable, "-m", "taskcodec.cli.main", verb, "--help"], capture_output=True, text=True, check=True
        )
        for flag in flags:
            assert flag in found.stdout, f"taskcodec {verb} {flag}"


def read_varint(data, at):
    value, shift = 0, 0
    while True:
        value |= (data[at] & 127) << shift
        shift, at = shift + 7, at + 1
        if data[at - 1] < 128:
            return value, at


def second_reader(data, first, column_counts):
    """A block decoder written from the format page alone, in plain integers."""
    rows, at = read_varint(data, 0)
    columns, at = read_varint(data, at)
    words = [int.from_bytes(data[i : i + 4], "little") for i in range(at, len(data), 4)]
    state = words.pop()
    if words:
        state = state << 32 | words.pop()

    def pop(edges):
        nonlocal state
        q = state % 2**24
        slot = int(np.searchsorted(edges, q, side="right")) - 1
        state = (state >> 24) * (edges[slot + 1] - edges[slot]) + q - edges[slot]
        if state < 2**32 and words:
            state = state << 32 | words.pop()
        return slot

    uniform = [i << 8 for i in range(65537)]
    out = [[0] * columns for _ in range(rows)]
    for j in range(columns):
        counts = column_counts[j]
        scale = float(2**24 - len(counts)) / (sum(counts) / 2**16)
        edges = [s + int(scale * (sum(counts[:s]) / 2**16)) for s in range(len(counts))] + [2**24]
        slots = [pop(edges) for _ in range(rows)]
        for i, slot in enumerate(slots):
            if slot == len(counts) - 1:
                value = pop(uniform)
                value |= pop(uniform) << 16
                out[i][j] = value - 2**32 if value >= 2**31 else value
            else:
                out[i][j] = first[j] + slot
    assert (state, words) == (0x00017A5C, [])
    return out


def test_the_format_page_can_be_followed():
    rng = np.random.default_rng(0)
    symbols = np.round(rng.laplace(size=(60, 9)) * 1.5).astype(np.int32)
    tables = tables_from_symbols(symbols)
    symbols[3, 2], symbols[50, 8] = -2_000_000_000, 77_777
    counts = [tables.column(j).tolist() for j in range(9)]
    assert second_reader(encode_block(symbols, tables), tables.first.tolist(), counts) == symbols.tolist()
