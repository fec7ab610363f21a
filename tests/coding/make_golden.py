"""Make the golden bitstreams: run once; the files must then decode alike for ever.

Symbols and counts come from integer arithmetic only, so that nothing here depends on a machine's floats.
"""

from pathlib import Path

import numpy as np

from taskcodec.coding import Tables, encode_block, encode_sample

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


def main():
    FOLDER.mkdir(exist_ok=True)
    tables = golden_tables(40)
    (FOLDER / "tables.bin").write_bytes(tables.to_bytes())
    (FOLDER / "block.bin").write_bytes(encode_block(golden_symbols(300, 40, 1), tables))
    (FOLDER / "sample.bin").write_bytes(encode_sample(golden_symbols(1, 40, 2)[0], tables))


if __name__ == "__main__":
    main()
