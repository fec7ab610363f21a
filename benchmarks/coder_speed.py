"""Our coder against a bare constriction loop on the same symbols, and against CompressAI's path where it is installed.

    python benchmarks/coder_speed.py [-o benchmarks/coder_speed.json]

8192 x 512 symbols, a table for each column. Speeds are medians of repeats, ratios medians of paired repeats.
"""

import argparse
import json
import platform
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import constriction
import numpy as np

import taskcodec
from taskcodec.coding import (
    ConditionalTables,
    Group,
    IntegerNetwork,
    Linear,
    decode_block,
    encode_block,
    freeze_pmf,
    tables_from_symbols,
)
from taskcodec.store import SampleRecord, StoreWriter

ROWS, COLUMNS, REPEATS, SEED = 8192, 512, 9, 0


def symbols_and_tables():
    rng = np.random.default_rng(SEED)
    scales = rng.uniform(0.3, 1.6, COLUMNS)
    symbols = np.round(rng.laplace(size=(ROWS, COLUMNS)) * scales).astype(np.int32)
    return symbols, tables_from_symbols(symbols)


def conditional_tables(side=COLUMNS // 5, hidden=128, levels=48, fraction_bits=4):
    """A hyperprior of the usual size: the first fifth of the columns chooses scales and means of the rest."""
    rng, rest, run = np.random.default_rng(SEED), COLUMNS - side, np.arange(-30, 31)
    spreads = [0.11 * np.exp(level / 8) for level in range(levels) for _ in range(1 << fraction_bits)]
    means = [f / (1 << fraction_bits) for _ in range(levels) for f in range(1 << fraction_bits)]
    shared = [np.exp(-np.abs(run - m) / s) + 1e-6 for s, m in zip(spreads, means, strict=True)]
    own = [np.exp(-np.abs(run)) + 1e-6] * side

    def layer(into, out, shift, bias):
        return Linear(rng.integers(-256, 257, (out, into)), bias, shift)

    network = IntegerNetwork(
        inputs=side,
        clip=255,
        cap=2**16 - 1,
        hidden=(layer(side, hidden, 4, np.zeros(hidden, np.int64)),),
        output=layer(hidden + side, 2 * rest, 13, np.repeat([18 << 13, 0], rest)),
    )
    bank = freeze_pmf(np.full(len(own) + len(shared), -30), own + shared, 1e-4)
    return ConditionalTables(bank, (Group(side), Group(rest, side, network, levels, fraction_bits)))


def bare_encode(symbols, tables):
    coder = constriction.stream.stack.AnsCoder()
    columns = np.ascontiguousarray(symbols.T)
    for j in range(COLUMNS - 1, -1, -1):
        coder.encode_reverse(columns[j] - tables.first[j], tables.models[j])
    return coder.get_compressed()


def bare_decode(words, tables):
    coder = constriction.stream.stack.AnsCoder(words)
    columns = np.empty((COLUMNS, ROWS), np.int32)
    for j in range(COLUMNS):
        columns[j] = coder.decode(tables.models[j], ROWS) + tables.first[j]
    return np.ascontiguousarray(columns.T)


def compressai_jobs(symbols, tables, rows=64):
    """CompressAI's `EntropyBottleneck.compress` and `decompress`, with our frozen counts as its CDFs.

    That is the path of the codecs published for features ("Lossy Compression for Lossless Prediction"): a string for
    each sample. Beside it its rANS coder alone, the lists that it takes built beforehand.
    """
    try:
        from taskcodec.transforms.backbones.foreign import import_torchvision

        import_torchvision()  # CompressAI imports it
        import compressai
        import torch
        from compressai import ans
        from compressai.entropy_models import EntropyBottleneck
    except ImportError as error:
        print(f"without CompressAI: {error}", file=sys.stderr)
        return {}, {}
    cdfs = [[0, *np.cumsum(tables.column(j)).tolist()] for j in range(COLUMNS)]
    longest = max(map(len, cdfs))
    bottleneck = EntropyBottleneck(COLUMNS).eval()
    bottleneck._quantized_cdf = torch.tensor([cdf + [0] * (longest - len(cdf)) for cdf in cdfs], dtype=torch.int32)
    bottleneck._cdf_length = torch.tensor([len(cdf) for cdf in cdfs], dtype=torch.int32)
    bottleneck._offset = torch.tensor(tables.first.tolist(), dtype=torch.int32)
    latent = torch.from_numpy(symbols[:rows].astype(np.float32))[:, :, None, None]
    strings = bottleneck.compress(latent)
    assert torch.equal(bottleneck.decompress(strings, (1, 1)), latent)

    indexes, sizes, offsets = list(range(COLUMNS)), [len(cdf) for cdf in cdfs], tables.first.tolist()
    part = [row.tolist() for row in symbols[:rows]]
    coder, decoder = ans.RansEncoder, ans.RansDecoder
    return {
        "CompressAI encode": lambda: bottleneck.compress(latent),
        "CompressAI decode": lambda: bottleneck.decompress(strings, (1, 1)),
        "CompressAI's coder alone, encode": lambda: [
            coder().encode_with_indexes(row, indexes, cdfs, sizes, offsets) for row in part
        ],
        "CompressAI's coder alone, decode": lambda: [
            decoder().decode_with_indexes(string, indexes, cdfs, sizes, offsets) for string in strings
        ],
    }, {"rows": rows, "version": compressai.__version__}


def seconds(job):
    start = time.perf_counter()
    job()
    return time.perf_counter() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path)
    arguments = parser.parse_args()
    symbols, tables = symbols_and_tables()
    words, block = bare_encode(symbols, tables), encode_block(symbols, tables)
    assert np.array_equal(bare_decode(words, tables), decode_block(block, ROWS, tables))
    conditional = conditional_tables()
    conditional_block = encode_block(symbols, conditional)
    assert np.array_equal(decode_block(conditional_block, ROWS, conditional), symbols)
    x = np.random.default_rng(SEED).normal(size=(ROWS, COLUMNS)).astype("f4")
    codec = taskcodec.fit(x, bits=2.0 * COLUMNS, method="dimensionwise")
    coded = codec.encode(x)
    own_words = constriction.stream.stack.AnsCoder
    with tempfile.TemporaryDirectory() as folder:
        with StoreWriter.create(f"{folder}/x.tcz", codec) as writer:
            writer.append(coded, [SampleRecord(str(i), i, 4 * COLUMNS) for i in range(ROWS)])
            writer.finish()
        coder = own_words()
        columns = np.ascontiguousarray(coded.T)
        for j in range(COLUMNS - 1, -1, -1):
            coder.encode_reverse(columns[j] - codec.base.model.plain.first[j], codec.base.model.plain.models[j])
        store_words = coder.get_compressed()
        jobs = {
            "bare encode": lambda: bare_encode(symbols, tables),
            "our encode": lambda: encode_block(symbols, tables),
            "bare decode": lambda: bare_decode(words, tables),
            "our decode": lambda: decode_block(block, ROWS, tables),
            "conditional encode": lambda: encode_block(symbols, conditional),
            "conditional decode": lambda: decode_block(conditional_block, ROWS, conditional),
            "bare decode of the store's symbols": lambda: bare_decode(store_words, codec.base.model),
            "features from the store": lambda: taskcodec.open(f"{folder}/x.tcz").features[:],
        }
        rows = dict.fromkeys(jobs, ROWS)
        peers, peer = compressai_jobs(symbols, tables)
        rows |= dict.fromkeys(peers, peer.get("rows"))
        jobs |= peers
        times = {name: [] for name in jobs}
        for repeat in range(REPEATS + 1):
            for name, job in jobs.items():
                took = seconds(job)
                if repeat:  # the first round warms up
                    times[name].append(rows[name] * COLUMNS / took / 1e6)
    speed = {name: float(np.median(found)) for name, found in times.items()}

    def ratio(a, b):
        return float(np.median(np.array(times[a]) / np.array(times[b])))

    ratios = {
        "our encode / bare encode": ratio("our encode", "bare encode"),
        "our decode / bare decode": ratio("our decode", "bare decode"),
        "conditional encode / our encode": ratio("conditional encode", "our encode"),
        "conditional decode / our decode": ratio("conditional decode", "our decode"),
        "store features / bare decode": ratio("features from the store", "bare decode of the store's symbols"),
    }
    for name in peers:
        own = "our encode" if name.endswith("encode") else "our decode"
        ratios[f"{own} / {name}"] = ratio(own, name)
    result = {
        "million_symbols_per_second": speed,
        "ratios": ratios,
        "bits_over_ideal": 8 * len(block) / float(tables.code_length(symbols).sum()),
        "seed": SEED,
        "command": sys.argv,
        "versions": {name: version(name) for name in ("numpy", "constriction", "zarr")}
        | ({"compressai": peer["version"]} if peer else {}),
        "python": platform.python_version(),
    }
    print(json.dumps(result, indent=1))
    if arguments.output:
        arguments.output.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
