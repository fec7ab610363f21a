"""A second reader of taskcodec stores, written from `store-format.md` alone: the standard library and nothing else.

The symbols of pictures that a codec is overfitted to are read too, from packets, as `overfitted.md` says.

    python second_reader.py photos.tcz

It is slow and short: it exists so that the format page can be checked, and as a start for a reader in another
language. It shares no code with taskcodec. Sample records need a Parquet reader and are left out, but for their hash.
"""

import base64
import hashlib
import json
import math
import struct
import sys
import zlib
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate, groupby, islice, pairwise
from pathlib import Path
from typing import Any, NamedTuple

START = 0x00017A5C
Symbols = list[list[int]]


class Column(NamedTuple):
    """One column's table: its smallest symbol, its counts (the escape last) and their 24-bit edges."""

    first: int
    counts: list[int]
    edges: list[int]


class Network(NamedTuple):
    """Integers to integers; each layer is (rows of weights, bias, shift)."""

    inputs: int
    clip: int
    cap: int
    layers: list[tuple[list[list[int]], list[int], int]]

    def run(self, row: list[int]) -> list[int]:
        x = [max(-self.clip, min(self.clip, value)) for value in row]
        h = x
        for depth, (weights, bias, shift) in enumerate(self.layers):
            last = depth == len(self.layers) - 1
            read = h + x if last and depth else h
            h = [(sum(map(int.__mul__, line, read)) + b) >> shift for line, b in zip(weights, bias, strict=True)]
            h = h if last else [max(0, min(self.cap, value)) for value in h]
        return h


class Group(NamedTuple):
    """Columns that are coded together, with tables of the bank from `base` on."""

    columns: int
    base: int
    levels: int
    fraction_bits: int
    network: Network | None

    def choose(self, before: list[int]) -> list[tuple[int, int]]:
        """(table, number to be added) of each column, from the symbols of the groups before."""
        if self.network is None:
            return [(self.base + j, 0) for j in range(self.columns)]
        out, f = self.network.run(before), self.fraction_bits
        indices = [max(0, min(self.levels - 1, value)) for value in out[: self.columns]]
        means = [max(-(2**20), min(2**20, value)) for value in out[self.columns :]] or [0] * self.columns
        return [(self.base + (i << f) + m % 2**f, m >> f) for i, m in zip(indices, means, strict=True)]


class Conditional(NamedTuple):
    """Tables that decoded symbols choose; `side` columns in front are no part of the latent, `given` lie below."""

    bank: list[Column]
    groups: list[Group]
    side: int
    given: int

    def __len__(self) -> int:
        return sum(group.columns for group in self.groups)


class Dependent(NamedTuple):
    """Tables of two quantizers, each a column; `own` and `other`: the masks of the machine that says which is meant."""

    first: list[Column]
    second: list[Column]
    own: int
    other: int

    def __len__(self) -> int:
        return len(self.first)

    def after(self, state: int, symbol: int) -> int:
        return (state >> 1) ^ (state % 2 * self.own) ^ (symbol % 2 * self.other)


class Overfitted(NamedTuple):
    """Tables of pictures with networks of their own: sizes of these, weights to start from, and the bank."""

    bank: list[Column]
    levels: int
    width: int
    context: int
    outputs: int
    finest: int
    scales: int
    start: list[int]

    def parts(self) -> list[tuple[int, int]]:
        """(kind, how many weights) of each part, in their order."""
        o, w, c, levels = self.outputs, self.width, self.context, self.levels
        counts = ((w * levels, o * w, o * o * 9), (w, o, o), (c * 32, 4 * c * 18, 8 * c), (4 * c, levels * 8))
        return [(kind, count) for kind, own in enumerate(counts) for count in own]


Tables = list[Column] | Conditional | Dependent | Overfitted
MASKS = {4: (2, 1), 8: (5, 2), 16: (9, 2), 32: (18, 4), 64: (33, 10), 128: (78, 43), 256: (166, 121)}
"""Of a machine with so many states."""


Tensor = tuple[list[int], list[float]]


class Layer(NamedTuple):
    """A layer of a codec: its entry in the manifest, each tensor as (shape, flat list), parts written out in full."""

    entry: dict[str, Any]
    tensors: dict[str, Tensor]
    tables: Tables


class Codec(NamedTuple):
    """A codec file: its manifest, and its layers, of which those of versions 1 to 3 have one."""

    manifest: dict[str, Any]
    layers: list[Layer]


def canonical(content: Any) -> bytes:
    """JSON as it is hashed."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def crc32c(data: bytes) -> int:
    """CRC-32C (Castagnoli), bit by bit."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def varint(data: bytes, at: int) -> tuple[int, int]:
    """(number, where the next one starts)."""
    value = shift = 0
    while True:
        value |= (data[at] & 127) << shift
        shift, at = shift + 7, at + 1
        if data[at - 1] < 128:
            return value, at


def edges_of(counts: list[int]) -> list[int]:
    """m counts that sum to 2**16 -> m + 1 edges from 0 to 2**24."""
    edges, before = [], 0
    for slot, count in enumerate(counts):
        edges.append(slot + ((2**24 - len(counts)) * before >> 16))
        before += count
    assert before == 2**16, "counts that do not sum to 2**16"
    return [*edges, 2**24]


def unpack(data: bytes) -> list[int]:
    raw = zlib.decompress(data[4:])
    assert len(raw) == int.from_bytes(data[:4], "little"), "numbers of another length"
    numbers, at = [], 0
    while at < len(raw):
        number, at = varint(raw, at)
        numbers.append(number)
    return numbers


def signed(z: int) -> int:
    """Undo zigzag."""
    return z >> 1 if z % 2 == 0 else -(z + 1 >> 1)


def read_network(numbers: Iterator[int]) -> Network:
    def take(count: int) -> list[int]:
        return [signed(z) for z in islice(numbers, count)]

    inputs, clip, cap, hidden = islice(numbers, 4)
    layers, width = [], inputs
    for depth in range(hidden + 1):
        outputs, shift = islice(numbers, 2)
        width += inputs if depth == hidden and depth else 0
        layers.append(([take(width) for _ in range(outputs)], take(outputs), shift))
        width = outputs
    return Network(inputs, clip, cap, layers)


def read_any_tables(data: bytes) -> Tables:
    if data[:4] not in (b"COND", b"DEPQ", b"OVER"):
        return read_tables(data)
    end = 8 + int.from_bytes(data[4:8], "little")
    if data[:4] == b"DEPQ":
        states, *zeros = (number for (number,) in struct.iter_unpack("<H", data[8:end]))
        return dependent(read_tables(data[end:]), zeros, states)
    numbers, groups = iter(unpack(data[8:end])), []
    if data[:4] == b"OVER":
        levels, width, context, outputs, finest, scales = islice(numbers, 6)
        start, bank = [signed(z) for z in numbers], read_tables(data[end:])
        found = Overfitted(bank, levels, width, context, outputs, finest, scales, start)
        assert len(found.start) == sum(count for _, count in found.parts()), "weights of other sizes"
        return found
    count, marks = islice(numbers, 2)
    given = next(numbers) if marks & 2 else 0
    for _ in range(count):
        columns, base, levels, fraction_bits, conditional = islice(numbers, 5)
        groups.append(Group(columns, base, levels, fraction_bits, read_network(numbers) if conditional else None))
    return Conditional(read_tables(data[end:]), groups, groups[0].columns if marks & 1 else 0, given)


def dependent(tables: list[Column], zeros: list[int], states: int) -> Dependent:
    """The tables of the second quantizer from those of the first, each with its count of zero."""
    second = []
    for table, zero_count in zip(tables, zeros, strict=True):
        own, escape, zero = table.counts[:-1], table.counts[-1], -table.first
        means = [math.isqrt(c * own[i - 1 if i > zero else i + 1]) if i != zero else 0 for i, c in enumerate(own)]
        spare = 2**16 - escape - zero_count - len(own) + 1
        counts = [1 + mean * spare // max(sum(means), 1) for mean in means]
        counts[zero] = zero_count
        counts[means.index(max(means))] += 2**16 - escape - sum(counts)
        second.append(Column(table.first, [*counts, escape], edges_of([*counts, escape])))
    return Dependent(tables, second, *MASKS[states])


def read_tables(data: bytes) -> list[Column]:
    numbers = unpack(data)
    d = numbers[0]
    zigzag, sizes, counts = numbers[1 : 1 + d], numbers[1 + d : 1 + 2 * d], numbers[1 + 2 * d :]
    tables, at = [], 0
    for z, size in zip(zigzag, sizes, strict=True):
        own = counts[at : at + size + 1]
        tables.append(Column(signed(z), own, edges_of(own)))
        at += size + 1
    assert at == len(counts), "counts left over"
    return tables


class Stack:
    """The ANS coder, decoding: 32-bit words, a 64-bit state, 24-bit probabilities."""

    def __init__(self, data: bytes) -> None:
        self.words = list(struct.unpack(f"<{len(data) // 4}I", data))
        assert self.words, "no words"
        assert self.words[-1] != 0, "the last word is never zero"
        self.state = self.words.pop()
        if self.words:
            self.state = self.state << 32 | self.words.pop()

    def pop(self, edges: list[int]) -> int:
        q = self.state & 0xFFFFFF
        slot = bisect_right(edges, q) - 1
        self.state = (self.state >> 24) * (edges[slot + 1] - edges[slot]) + q - edges[slot]
        if self.state < 2**32 and self.words:
            self.state = self.state << 32 | self.words.pop()
        return slot

    def pop_raw(self) -> int:
        """32 bits that no table describes, as a signed number: two uniform halves, the low one first."""
        value = 0
        for shift in (0, 16):
            q = self.state & 0xFFFFFF
            self.state = (self.state >> 24 << 8) + (q & 0xFF)
            if self.state < 2**32 and self.words:
                self.state = self.state << 32 | self.words.pop()
            value |= q >> 8 << shift
        return value - 2**32 if value >= 2**31 else value

    def pop_rows(self, rows: int, tables: Tables, below: Symbols) -> Symbols:
        """`below`: for each row the symbols of the layers that condition this one; empty without any."""
        if isinstance(tables, list):
            return self.pop_columns(rows, tables)
        if isinstance(tables, Dependent):
            return self.pop_dependent(rows, tables)
        assert isinstance(tables, Conditional), "symbols of a picture, which are no rows"
        out: Symbols = [list(below[i]) if tables.given else [] for i in range(rows)]
        for group in tables.groups:
            chosen = [(*choice, i) for i, row in enumerate(out) for choice in group.choose(row)]
            found = self.pop_chosen([t for t, _, _ in chosen], tables.bank)
            for (_, added, i), number in zip(chosen, found, strict=True):
                out[i].append((number + added + 2**31) % 2**32 - 2**31)
        return [row[tables.given :] for row in out]

    def pop_chosen(self, chosen: list[int], bank: list[Column]) -> list[int]:
        """What is coded with one table after the other, each of a bank, where they were sorted by table."""
        found = [0] * len(chosen)
        order = sorted(range(len(chosen)), key=lambda place: chosen[place])  # stable: rows, then columns
        for t, run in groupby(order, key=lambda place: chosen[place]):
            table, places = bank[t], list(run)
            slots = [self.pop(table.edges) for _ in places]
            for place, slot in zip(places, slots, strict=True):
                found[place] = self.pop_raw() if slot == len(table.counts) - 1 else table.first + slot
        return found

    def pop_columns(self, rows: int, tables: list[Column]) -> Symbols:
        out = [[0] * len(tables) for _ in range(rows)]
        for j, table in enumerate(tables):
            slots = [self.pop(table.edges) for _ in range(rows)]
            for row, slot in zip(out, slots, strict=True):
                row[j] = self.pop_raw() if slot == len(table.counts) - 1 else table.first + slot
        return out

    def pop_dependent(self, rows: int, tables: Dependent) -> Symbols:
        out, states = [[0] * len(tables) for _ in range(rows)], [0] * rows
        for j, pair in enumerate(zip(tables.first, tables.second, strict=True)):
            for number, table in enumerate(pair):
                of_it = [i for i, state in enumerate(states) if state % 2 == number]
                slots = [self.pop(table.edges) for _ in of_it]
                for i, slot in zip(of_it, slots, strict=True):
                    out[i][j] = self.pop_raw() if slot == len(table.counts) - 1 else table.first + slot
            states = [tables.after(state, row[j]) for state, row in zip(states, out, strict=True)]
        return out


def read_block(data: bytes, tables: Tables) -> Symbols:
    """A chunk without its CRC -> rows of symbols."""
    rows, at = varint(data, 0)
    columns, at = varint(data, at)
    assert columns == len(tables), "a block of other columns"
    stack = Stack(data[at:])
    symbols = stack.pop_rows(rows, tables, [])
    assert (stack.state, stack.words) == (START, []), "a block that does not end where its coder began"
    return symbols


def read_sample(data: bytes, tables: Tables, below: Sequence[int] = ()) -> list[int]:
    """What `Codec.compress` writes -> one row of symbols, given those of the layers that condition it."""
    stack = Stack(data + bytes(-len(data) % 4))
    (row,) = stack.pop_rows(1, tables, [list(below)])
    check = zlib.crc32(struct.pack(f"<{len(row)}i", *row)) & 0xFFFF
    assert (stack.state, stack.words) == (0x10000 | check, []), "the check value does not match"
    return row


def read_items(data: bytes) -> list[bytes]:
    """A chunk of packets without its CRC -> its items."""
    count, at = varint(data, 0)
    return read_packet(data[at:], count)


def read_packet(data: bytes, count: int) -> list[bytes]:
    """What `Codec.compress` writes of several layers -> the bytes of each that was not cut off."""
    at, lengths = 0, []
    for _ in range(count):
        length, at = varint(data, at)
        lengths.append(length)
    assert at + sum(lengths) >= len(data), "a packet that goes on behind its layers"
    found = []
    for length in lengths:
        if at + length <= len(data):
            found.append(data[at : at + length])
        at += length
    return found


PASSES = ((0, 0), (1, 1), (0, 1), (1, 0))
"""Of each 2 x 2 places, the row and the column of those of a pass ..."""
BESIDE = [(0, -1), (0, 1), (-1, 0), (1, 0)]
ACROSS = [(-1, -1), (-1, 1), (1, -1), (1, 1)]
NEAR: list[list[tuple[int, int]]] = [[], ACROSS, BESIDE, BESIDE + ACROSS]
"""... and the neighbours that it sees: rows down, columns to the right."""
AROUND = [(y, x) for y in (-1, 0, 1) for x in (-1, 0, 1)]


def read_picture(data: bytes, tables: Overfitted) -> tuple[tuple[int, int], list[int]]:
    """A packet of one overfitted layer -> the picture's size and its symbols, in the order of the page."""
    height, at = varint(data, 0)
    width, at = varint(data, at)
    (layer,) = read_packet(data[at:], 1)
    stack = Stack(layer + bytes(-len(layer) % 4))
    head = stack.pop_chosen([0] * 8, tables.bank)
    assert all(0 <= fine <= 12 for fine in head[:4]), "weights finer than any"
    assert all(0 <= scale < tables.scales for scale in head[4:]), "a scale that there is not"
    counts = [sum(count for kind, count in tables.parts() if kind == own) for own in range(4)]
    changes = [
        change
        for count, scale in zip(counts, head[4:], strict=True)
        for change in stack.pop_chosen([1 + 3 * scale] * count, tables.bank)
    ]
    kinds = [kind for kind, count in enumerate(counts) for _ in range(count)]
    weights = [w + (c << 12 - head[kind]) for w, c, kind in zip(tables.start, changes, kinds, strict=True)]
    assert max(map(abs, weights)) <= 2**24, "weights larger than any"
    symbols, coarser = [*head, *changes], list[list[int]]()
    for level in reversed(range(tables.levels)):
        step = tables.finest << level
        coarser = read_level(stack, tables, weights, level, (-(-height // step), -(-width // step)), coarser)
        symbols += [symbol for row in coarser for symbol in row]
    check = zlib.crc32(struct.pack(f"<{2 + len(symbols)}i", height, width, *symbols))
    assert (stack.state, stack.words) == (1 << 32 | check, []), "the check value does not match"
    return (height, width), symbols


def read_level(
    stack: Stack, tables: Overfitted, weights: list[int], level: int, size: tuple[int, int], coarser: Symbols
) -> Symbols:
    """The symbols of a level, (h, w), from those of the next coarser one, pass by pass."""
    c, ends = tables.context, list(accumulate((count for _, count in tables.parts()), initial=0))
    near, around, answer, near_bias, answer_bias = (weights[a:b] for a, b in pairwise(ends[6:]))
    (h, w), found = size, [[0] * size[1] for _ in range(size[0])]
    for number, ((top, left), taps) in enumerate(zip(PASSES, NEAR, strict=True)):
        first, m = sum(map(len, NEAR[:number])), len(taps)
        rows = [
            [near[(j * 2 + which) * 16 + first + tap] for which in (0, 1) for tap in range(m)]
            + around[(number * c + j) * 18 :][:18]
            for j in range(c)
        ]
        last = [answer[(number * 2 + which) * c :][:c] for which in (0, 1)]
        bias = answer_bias[(level * 4 + number) * 2 :][:2]
        places = [(y, x) for y in range(top, h, 2) for x in range(left, w, 2)]
        chosen = []
        for y, x in places:
            seen = seen_at(found, y, x, taps) + seen_at(coarser, y // 2, x // 2, AROUND)
            hidden = [
                max(0, min(2**20, (sum(map(int.__mul__, row, seen)) + (near_bias[number * c + j] << 4)) >> 8))
                for j, row in enumerate(rows)
            ]
            scale, mean = (sum(map(int.__mul__, row, hidden)) + (b << 8) for row, b in zip(last, bias, strict=True))
            index = (2 * scale + (24 << 18) + 2**17) >> 18
            chosen.append(choice_of(max(0, min(tables.scales - 1, index)), (mean + 2**17) >> 18))
        popped = stack.pop_chosen([table for table, _, _ in chosen], tables.bank)
        for (y, x), (_, added, sign), number_of in zip(places, chosen, popped, strict=True):
            found[y][x] = (number_of * sign + added + 2**31) % 2**32 - 2**31
    return found


def seen_at(symbols: Symbols, y: int, x: int, taps: list[tuple[int, int]]) -> list[int]:
    """Magnitudes of some places around one, and then their values; zero beyond the edges."""
    found = [
        symbols[y + b][x + r] if 0 <= y + b < len(symbols) and 0 <= x + r < len(symbols[0]) else 0 for b, r in taps
    ]
    magnitudes = []
    for symbol in found:
        d = 1 + 2 * min(abs(symbol), 2**20)
        e = d.bit_length() - 1
        magnitudes.append(min(2**10, 16 * e + (16 * d >> e) - 16))
    return magnitudes + [max(-(2**10), min(2**10, 4 * max(-(2**10), min(2**10, symbol)))) for symbol in found]


def choice_of(index: int, mean: int) -> tuple[int, int, int]:
    """(table, number to be added, sign) by the index of a scale and a mean in quarters of a symbol."""
    whole, part = divmod(max(-(2**20), min(2**20, mean)), 4)
    return (1 + 3 * index + 1, whole + 1, -1) if part == 3 else (1 + 3 * index + part, whole, 1)


def read_codec(data: bytes) -> Codec:
    size = int.from_bytes(data[:8], "little")
    header, body = json.loads(data[8 : 8 + size]), data[8 + size :]
    manifest = json.loads(header.pop("__metadata__")["taskcodec"])
    assert manifest["format"] == "taskcodec.codec", "another format"
    assert manifest["version"] in (1, 2, 3, 4, 6, 8), "another version"
    claimed, _ = manifest.pop("fingerprint"), manifest.pop("found_at", None)
    digest, tensors, raw = hashlib.sha256(canonical(manifest)), {}, {}
    kinds = {"F32": ("<f4", "f"), "F16": ("<f2", "e"), "I32": ("<i4", "i"), "U16": ("<u2", "H")}
    kinds |= {"U8": ("|u1", "B"), "I8": ("|i1", "b")}
    for name in sorted(header):
        dtype, letter = kinds[header[name]["dtype"]]
        shape, (begin, end) = header[name]["shape"], header[name]["data_offsets"]
        digest.update(f"\n{name} {dtype} {tuple(shape)}\n".encode() + body[begin:end])
        count = (end - begin) // struct.calcsize(letter)
        tensors[name] = (shape, list(struct.unpack(f"<{count}{letter}", body[begin:end])))
        raw[name] = body[begin:end]
    assert digest.hexdigest() == claimed, "another fingerprint"
    whole = {**manifest, "fingerprint": claimed}
    if manifest["version"] < 4:
        return Codec(whole, [read_layer({"name": "base", "given": [], **manifest}, tensors, raw)])
    found = []
    for place, entry in enumerate(manifest["layers"]):
        own = {name.partition("/")[2]: name for name in tensors if name.startswith(f"{place}/")}
        parts = {short: tensors[name] for short, name in own.items()}
        found.append(read_layer(entry, parts, {short: raw[name] for short, name in own.items()}))
    return Codec(whole, found)


def read_layer(entry: dict[str, Any], tensors: dict[str, Tensor], raw: dict[str, bytes]) -> Layer:
    transform = entry["transform"].get("of", entry["transform"])
    tables = read_any_tables(raw["tables"])
    if "dependent" in tensors and isinstance(tables, list):
        states, *zeros = [int(number) for number in tensors["dependent"][1]]
        shares = [int(n) for n in tensors["shares"][1]] if "shares" in tensors else list(range(len(tables)))
        tables = dependent([tables[n] for n in shares], [zeros[n] for n in shares], states)
    if "shares" in tensors and isinstance(tables, list):
        tables, tensors["points"] = spread(tables, tensors["points"][1], [int(n) for n in tensors["shares"][1]])
    if "axes" in tensors:
        tensors["synthesis"] = read_axes(raw["axes"], [int(e) for e in tensors["axes_exponents"][1]])
    if transform.get("unit_scale"):
        columns = tensors["synthesis"][0][0] if "synthesis" in tensors else tensors["centre"][0][0]
        tensors["scale"] = ([columns], [1.0] * columns)
    return Layer(entry, tensors, tables)


def spread(tables: list[Column], points: list[float], shares: list[int]) -> tuple[list[Column], Tensor]:
    """Tables and points of every column, from those that columns share."""
    assert set(shares) == set(range(len(tables))), "tables that no column has"
    own, at = [], 0
    for table in tables:
        own.append(points[at : at + len(table.counts) - 1])
        at += len(table.counts) - 1
    assert at == len(points), "points of other tables"
    flat = [point for number in shares for point in own[number]]
    return [tables[number] for number in shares], ([len(flat)], flat)


def read_axes(data: bytes, exponents: list[int]) -> Tensor:
    """A linear map as coded integers -> its synthesis matrix, (k, d)."""
    length, at = varint(data, 0)
    rows = read_block(data[at + length :], read_tables(data[at : at + length]))
    flat = [row[j] * 2.0**exponent for j, exponent in enumerate(exponents) for row in rows]
    return [len(exponents), len(rows)], flat


def decode(symbols: Symbols, codec: Codec, upto: str | None = None) -> list[list[float]]:
    """Rows of symbols of all layers -> rows of features, of the layer `upto` or the last."""
    decoded: dict[str, list[list[float]]] = {}
    for layer, rows in zip(codec.layers, by_layer(symbols, codec), strict=True):
        found, name = synthesise(rows, layer), layer.entry["name"]
        if layer.entry["transform"]["kind"] == "residual":
            below = decoded[layer.entry["given"][-1]]
            found = [[x + r for x, r in zip(*pair, strict=True)] for pair in zip(below, found, strict=True)]
        decoded[name] = found
        if name == upto:
            break
    return decoded[name]


def by_layer(symbols: Symbols, codec: Codec) -> list[Symbols]:
    """Rows of symbols of all layers -> rows of each."""
    found, at = [], 0
    for layer in codec.layers:
        found.append([row[at : at + len(layer.tables)] for row in symbols])
        at += len(layer.tables)
    return found


def synthesise(symbols: Symbols, layer: Layer) -> list[list[float]]:
    """Rows of a layer's symbols -> what its affine transform makes of them."""
    transform = layer.entry["transform"].get("of", layer.entry["transform"])
    step, companding = layer.entry["quantizer"]["step"], transform["companding"]
    scale, centre = (layer.tensors[name][1] for name in ("scale", "centre"))
    points = layer.tensors["points"][1] if "points" in layer.tensors else []
    matrix = layer.tensors["synthesis"][1] if "synthesis" in layer.tensors else None
    side = layer.tables.side if isinstance(layer.tables, Conditional) else 0
    if "point_runs" in layer.tensors:
        flat = [int(number) for number in layer.tensors["point_runs"][1]]
        runs = list(zip(flat[: len(scale)], flat[len(scale) :], strict=True))
    elif isinstance(layer.tables, list):
        runs = [(table.first, len(table.counts) - 1) for table in layer.tables]
    else:
        runs = [(0, 0)] * len(scale)
    d, out = len(centre), []
    for row in symbols:
        latent, base = [], 0
        row = points_of(row, layer.tables) if isinstance(layer.tables, Dependent) else row
        for j, (symbol, (first, size)) in enumerate(zip(row[side:], runs, strict=True)):
            place = symbol - first
            point = points[base + place] if 0 <= place < size else 0.0
            latent.append((symbol + point) * step * scale[j])
            base += size
        if matrix is not None:
            latent = [sum(y * matrix[j * d + i] for j, y in enumerate(latent)) for i in range(d)]
        u = [y + c for y, c in zip(latent, centre, strict=True)]
        x = [max(v, 0.0) ** 2 for v in u] if companding == "sqrt" else u
        norm = max(math.hypot(*x), 1e-30) if transform.get("unit_norm") else 1.0
        out.append([v / norm for v in x])
    return out


def points_of(row: list[int], tables: Dependent) -> list[int]:
    """A sample's symbols -> the points that they stand for, in steps."""
    state, found = 0, []
    for symbol in row:
        found.append(2 * symbol - (state % 2) * ((symbol > 0) - (symbol < 0)))
        state = tables.after(state, symbol)
    return found


def read_store(folder: str | Path) -> tuple[Symbols, Codec]:
    """The symbols of every sample, and the codec that turns them into features."""
    root = Path(folder)
    attributes = json.loads((root / "zarr.json").read_bytes())["attributes"]
    manifest = attributes["taskcodec"]
    assert sha256(canonical(manifest)) == attributes["taskcodec_sha256"], "zarr.json: another hash"
    assert manifest["format"] == "taskcodec.store", "another format"
    assert manifest["version"] in (1, 2, 3), "another version"

    data = (root / "codec.safetensors").read_bytes()
    assert sha256(data) == manifest["codec_sha256"], "codec.safetensors: another hash"
    codec = read_codec(data)
    if manifest["version"] == 1:
        manifest["layers"] = [{**manifest, "name": "base", "layout": "rows"}]
        manifest["parts"] = [{**part, "symbols_crc32c": [part["symbols_crc32c"]]} for part in manifest["parts"]]
    for part in manifest["parts"]:
        assert sha256((root / part["file"]).read_bytes()) == part["sha256"], f"{part['file']}: another hash"
    entries = read_entries(root, manifest)
    assert sum(entry[0] for entry in entries) == manifest["samples"], "other counts"

    columns: list[Symbols] = []
    for number, stored in enumerate(manifest["layers"]):
        alone = [(layer["name"], layer["layout"]) for layer in manifest["layers"]] == [("base", "rows")]
        folder = root / ("codes" if alone else f"layers/{stored['name']}")
        layer = codec.layers[number]
        codes = json.loads((folder / "zarr.json").read_bytes())
        codes.pop("shape")
        assert sha256(canonical(codes)) == stored["codes_sha256"], f"{folder}: another hash"
        configuration = codes["codecs"][0]["configuration"]
        if stored["layout"] == "rows":
            assert read_any_tables(base64.b64decode(configuration["tables"])) == layer.tables, "another codec's tables"
        names = [other.entry["name"] for other in codec.layers]
        given = [columns[names.index(name)] for name in layer.entry["given"]]
        own: Symbols = []
        for index, (count, _, *crcs) in enumerate(entry for entry in entries if entry[0]):
            rows_of = range(len(own), len(own) + count)
            below = [[symbol for symbols in given for symbol in symbols[row]] for row in rows_of]
            rows = read_chunk(folder / "c" / str(index), stored["layout"], layer.tables, below)[:count]
            rows += [[0] * stored["columns"] for _ in range(count - len(rows))]
            counted = b"".join(symbol.to_bytes(4, "little", signed=True) for row in rows for symbol in row)
            assert crc32c(counted) == crcs[number], f"chunk {index}: not the symbols of this place"
            own += rows
        columns.append(own)
    return [[symbol for row in rows for symbol in row] for rows in zip(*columns, strict=True)], codec


def read_entries(root: Path, manifest: dict[str, Any]) -> list[tuple[int, ...]]:
    """(rows, failures, CRC-32C of the symbols of each layer) of every chunk."""
    if manifest["version"] < 3:
        return [(part["rows"], part["failures"], *part["symbols_crc32c"]) for part in manifest["parts"]]
    packed = []
    for number, segment in enumerate(manifest["segments"]):
        stem = f"samples/segment-{number:06d}-{segment['sha256'][:8]}"
        data = (root / f"{stem}.json").read_bytes()
        assert sha256(data) == segment["sha256"], f"{stem}.json: another hash"
        index = json.loads(data)
        assert (index["format"], index["version"]) == ("taskcodec.segment", 1), f"{stem}.json: another format"
        records = (root / f"{stem}.parquet").read_bytes()
        assert sha256(records) == index["records_sha256"], f"{stem}.parquet: another hash"
        packed.append(index["entries"])
    packed += [part["entries"] for part in manifest["parts"]]
    entry = struct.Struct(f"<IQ{len(manifest['layers'])}I")
    return [found for text in packed for found in entry.iter_unpack(base64.b64decode(text))]


def read_chunk(file: Path, layout: str, tables: Tables, below: Symbols) -> Symbols:
    chunk = (file / "0" if layout == "rows" else file).read_bytes()
    assert crc32c(chunk[:-4]) == int.from_bytes(chunk[-4:], "little"), f"{file}: another CRC-32C"
    if layout == "rows":
        return read_block(chunk[:-4], tables)
    return [read_sample(item, tables, row) for item, row in zip(read_items(chunk[:-4]), below, strict=False)]


if __name__ == "__main__":
    found, its_codec = read_store(sys.argv[1])
    print(f"{len(found)} samples of {sum(len(layer.tables) for layer in its_codec.layers)} symbols")
    for features in decode(found[:1], its_codec):
        print("the first sample's features begin", features[:4])
