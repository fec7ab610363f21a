"""Make the golden bitstreams: run once; the files must then decode alike for ever.

Symbols and counts come from integer arithmetic only, so that nothing here depends on a machine's floats.
"""

from pathlib import Path

import numpy as np

from taskcodec.codec import Codec
from taskcodec.coding import ConditionalTables, Group, IntegerNetwork, Layer, Tables, encode_block, encode_sample
from taskcodec.store import SampleRecord, StoreWriter
from taskcodec.transforms.affine import AffineTransform

FOLDER = Path(__file__).parent / "golden"


def golden_symbols(rows, columns, seed):
    """(rows, columns) int32: differences of a linear congruential sequence, peaked at zero, with a few far outliers."""
    state, values = seed, []
    for _ in range(rows * columns):
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        a, b, c = (state >> 20) % 7, (state >> 33) % 7, (state >> 45) % 500
        values.append((a - b) * (1 + ((state >> 51) % 5 == 0)) + (1_000_003 * (a - 3) if c == 0 else 0))
    return np.array(values, dtype=np.int64).astype(np.int32).reshape(rows, columns)


def golden_tables(columns):
    """Triangular tables of different widths, in integers."""
    first, sizes, counts = [], [], []
    for j in range(columns):
        width = 2 + j % 6
        weights = [width + 1 - abs(s) for s in range(-width, width + 1)] + [1]
        total = sum(weights)
        column = [max(1, w * (65536 - len(weights)) // total) for w in weights]
        column[width] += 65536 - sum(column)
        first.append(-width)
        sizes.append(2 * width + 1)
        counts += column
    return Tables(np.array(first, np.int32), np.array(sizes, np.int32), np.array(counts, np.uint32))


def golden_network(inputs, outputs, shift, seed):
    """One hidden layer of 6, weights from the same sequence as the symbols."""
    values = golden_symbols(1, 6 * inputs + 6 + outputs * (6 + inputs) + outputs, seed)[0].astype(np.int64) % 23 - 11
    a, b, c = 6 * inputs, 6 * inputs + 6, len(values) - outputs
    return IntegerNetwork(
        inputs=inputs,
        clip=20,
        cap=500,
        hidden=(Layer(values[:a].reshape(6, inputs), 9 * values[a:b], 1),),
        output=Layer(values[b:c].reshape(outputs, 6 + inputs), 99 * values[c:], shift),
    )


def golden_conditional():
    """Side information of 4 columns, 16 columns with a scale index, 20 more with an index and a mean in quarters."""
    bank = golden_tables(4 + 5 + 6 * 4)
    groups = (
        Group(4),
        Group(16, 4, golden_network(4, 16, 6, 3), levels=5),
        Group(20, 9, golden_network(20, 40, 7, 4), levels=6, fraction_bits=2),
    )
    return ConditionalTables(bank, groups, side=golden_network(36, 4, 8, 5))


def golden_codec(columns):
    """Halving steps, shifts of sixteenths: every number in it is exact in float16."""
    tables = golden_tables(columns)
    points = np.concatenate([np.arange(size) % 5 - 2 for size in tables.sizes]) / 16
    return Codec(
        transform=AffineTransform(
            companding="identity",
            centre=(np.arange(columns) / 4).astype(np.float32),
            scale=np.array([2.0 ** (j % 3 - 1) for j in range(columns)], np.float32),
        ),
        step=0.5,
        rounding=0.5,
        tables=tables,
        points=points.astype(np.float32),
        sketch=np.empty((0, columns), np.float32),
        provenance={"made by": "tests/coding/make_golden.py"},
    )


def golden_features(symbols):
    """What the golden codec decodes symbols to, in integers: 64ths, exact in float32 up to 2**24 of them."""
    symbols, tables = symbols.astype(np.int64), golden_tables(symbols.shape[1])
    slots = symbols - tables.first
    inside = (slots >= 0) & (slots < tables.sizes)
    sixteenths = 16 * symbols + np.where(inside, slots % 5 - 2, 0)
    return (sixteenths * 2 ** (np.arange(symbols.shape[1]) % 3) + 16 * np.arange(symbols.shape[1])) / 64


def golden_records(rows):
    """Records of so many samples, and one that failed."""
    records = [SampleRecord(f"s/{i}.png", i, 1000 + i, 8, 9, "abc"[i % 3]) for i in range(rows)]
    return [*records, SampleRecord("s/broken.png", rows, 5, status="not an image")]


def write_golden_store(place):
    """300 samples of 40 symbols in chunks of 128."""
    with StoreWriter.create(place, golden_codec(40), chunk_rows=128, source={"kind": "golden"}) as writer:
        writer.append(golden_symbols(300, 40, 1), golden_records(300))
        writer.finish()


def main():
    FOLDER.mkdir(exist_ok=True)
    golden_codec(40).save(FOLDER / "golden.codec")
    if not (FOLDER / "golden.tcz").exists():
        write_golden_store(FOLDER / "golden.tcz")
    tables = golden_tables(40)
    (FOLDER / "tables.bin").write_bytes(tables.to_bytes())
    (FOLDER / "block.bin").write_bytes(encode_block(golden_symbols(300, 40, 1), tables))
    (FOLDER / "sample.bin").write_bytes(encode_sample(golden_symbols(1, 40, 2)[0], tables))
    conditional = golden_conditional()
    symbols = conditional.with_side(golden_symbols(300, 36, 6))
    (FOLDER / "conditional_tables.bin").write_bytes(conditional.to_bytes())
    (FOLDER / "conditional_block.bin").write_bytes(encode_block(symbols, conditional))
    (FOLDER / "conditional_sample.bin").write_bytes(encode_sample(symbols[7], conditional))


if __name__ == "__main__":
    main()
