"""Lossless tables: bytes of a fitted codec and its store beside Parquet, xz, bz2, zstd, pcodec and openzl.

    python benchmarks/lossless_tables.py SET[=FILE] ... [--design SET ...] [-o results/lossless_tables.json]

A set is a .csv or .parquet file, or one of those that scikit-survival, statsmodels, vega_datasets and scikit-learn
carry, by name (`SETS`). Each is one table; our bytes are the codec's file and all files of the store; the bitstream,
the codec's model and its list of columns are told alone, too. The store is decoded by another process, and compared
value by value. Peers get the same table: Parquet with each of its encodings by zstd 19 and 22, the best counts; CSV by
xz, bz2 and zstd 22; pcodec for numbers, with Parquet for what is left; openzl's generic graph over the columns.
"""

import argparse
import bz2
import gzip
import io
import json
import lzma
import re
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq
from stamp import stamp

from taskcodec.api.tables import CHUNK_ROWS, encode_table
from taskcodec.coding import SymbolModel, decode_block, encode_block, encode_huffman, encode_range, tables_from_symbols
from taskcodec.fitting.tables.table import fit_table

SURVIVAL, STATS, VEGA, LEARN = "sksurv", "statsmodels", "vega_datasets", "sklearn"
SETS = {
    **{name: (SURVIVAL, f"datasets/data/{name}.arff") for name in ("GBSG2", "whas500", "actg320", "flchain")},
    "gse7390": (SURVIVAL, "datasets/data/breast_cancer_GSE7390-metastasis.arff"),
    **{name: (STATS, f"datasets/{name}/{name}.csv") for name in ("anes96", "fair", "modechoice", "randhie", "star98")},
    **{name: (VEGA, f"_data/{name}.csv") for name in ("airports", "seattle-weather", "sf-temps", "stocks")},
    "breast_cancer": (LEARN, "datasets/data/breast_cancer.csv"),
    "diabetes": (LEARN, "datasets/data/diabetes_data_raw.csv.gz"),
}
HEADLESS = {"breast_cancer": 31, "diabetes": 10}
WORDS = "import sys, taskcodec as t, pyarrow.parquet as q; q.write_table(t.open(sys.argv[1]).values[:], sys.argv[2])"


def table_of(name: str) -> pa.Table:
    """A set by name, or a file."""
    path = Path(name)
    if path.suffix == ".parquet":
        return pq.read_table(path)
    if name in SETS:
        package, inside = SETS[name]
        spec = find_spec(package)
        if spec is None or spec.origin is None:
            raise SystemExit(f"{name}: pip install {package}")
        path = Path(spec.origin).parent / inside
    data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return _arff(data.decode()) if path.suffix == ".arff" else _csv(data, name)


def _csv(data: bytes, name: str) -> pa.Table:
    head = data.split(b"\n", 1)[0]
    between = next(mark for mark in ("\t", ";", ",", " ") if mark.encode() in head)
    options = {"parse_options": pc.ParseOptions(delimiter=between)}
    if name in HEADLESS:
        names = [f"c{place}" for place in range(HEADLESS[name])]
        options["read_options"] = pc.ReadOptions(column_names=names, skip_rows=int(name == "breast_cancer"))
    return pc.read_csv(io.BytesIO(data), **options)


def _arff(text: str) -> pa.Table:
    names, rows = [], []
    for line in map(str.strip, text.splitlines()):
        if found := re.match(r"@attribute\s+('[^']*'|\"[^\"]*\"|\S+)", line, re.IGNORECASE):
            names.append(found[1].strip("'\""))
        elif line and line[0] not in "%@":
            rows.append(line)
    quote = "'" if "'" in rows[0] else '"'
    missing = pc.ConvertOptions(null_values=["?", ""], strings_can_be_null=True)
    reading = pc.ReadOptions(column_names=names)
    body = io.BytesIO("\n".join(rows).encode())
    return pc.read_csv(body, reading, pc.ParseOptions(quote_char=quote), missing)


def ours(table: pa.Table, name: str) -> dict[str, object]:
    """Bytes and seconds of our store, and its parts."""
    with tempfile.TemporaryDirectory() as folder:
        source, place, back = (str(Path(folder) / each) for each in ("t.parquet", "t.tcz", "back.parquet"))
        pq.write_table(table, source)
        began = time.process_time()
        codec = fit_table(table)
        fitted = time.process_time()
        encode_table(source, place, codec)
        encoded = time.process_time()
        sizes = {str(path.relative_to(place)): path.stat().st_size for path in Path(place).rglob("*") if path.is_file()}
        subprocess.run([sys.executable, "-c", WORDS, place, back], check=True)
        same = identical(pq.read_table(back), table)
    symbols, model = codec.values.encode(table), codec.layers[0].model
    blocks = [encode_block(symbols[at : at + CHUNK_ROWS], model) for at in range(0, len(symbols), CHUNK_ROWS)]
    before = time.process_time()
    for at, block in enumerate(blocks):
        decode_block(block, len(symbols[at * CHUNK_ROWS :][:CHUNK_ROWS]), model)
    decoding = time.process_time() - before
    found = {
        "store_bytes": sum(sizes.values()),
        "bitstream_bytes": sum(map(len, blocks)),
        "codec_bytes": len(codec.to_bytes()),
        "model_bytes": len(model.to_bytes()),
        "columns_bytes": int(codec.layers[0].transform.tensors()["fields"].size),
        "fit_seconds": fitted - began,
        "encode_seconds": encoded - fitted,
        "decode_seconds": decoding,
        "rows_per_second_decoding": len(symbols) / decoding,
        "identical": same,
    }
    return {**found, "coders": coders(symbols[:10_000], model)}


def coders(symbols: np.ndarray, model: SymbolModel) -> dict[str, int]:
    """Bytes of the columns of few symbols by the same frozen tables, one a column: Huffman, range, ANS; and by ours."""
    which = (symbols.min(axis=0) >= 0) & (symbols.max(axis=0) < 4096) & (np.ptp(symbols, axis=0) > 0)
    few = np.ascontiguousarray(symbols[:, which])
    tables = tables_from_symbols(few)
    named = {"huffman": encode_huffman, "range": encode_range, "ans": encode_block}
    found = {name: len(code(few, tables)) for name, code in named.items()}
    return {**found, "their_tables": len(tables.to_bytes()), "contexts": int(model.costs(symbols)[:, which].sum() / 8)}


def identical(found: pa.Table, table: pa.Table) -> bool:
    """Whether all values are the same, floats bit for bit."""
    if found.column_names != table.column_names:
        return False
    for one, other in zip(found.columns, table.columns, strict=True):
        if pa.types.is_floating(one.type):
            bits = [np.asarray(each.fill_null(0).to_numpy()).view(np.uint8) for each in (one, other)]
            same = np.array_equal(*bits) and one.is_valid().equals(other.is_valid())
        else:
            same = one.equals(other)
        if not same or one.type != other.type:
            return False
    return True


def peers(table: pa.Table) -> dict[str, int | str]:
    """Bytes of each peer."""
    sink = io.BytesIO()
    pc.write_csv(table, sink)
    text, found = sink.getvalue(), dict[str, int | str]()
    found["parquet_zstd"] = parquet(table)
    found["csv_xz"] = len(lzma.compress(text, preset=9 | lzma.PRESET_EXTREME))
    found["csv_bz2"] = len(bz2.compress(text, 9))
    found["csv_zstd"] = len(pa.Codec("zstd", 22).compress(text, asbytes=True))
    for name, peer in (("pcodec_and_parquet", pcodec), ("openzl", openzl)):
        try:
            found[name] = peer(table)
        except Exception as error:  # a peer that fails is told, and the rest goes on
            found[name] = f"failed: {type(error).__name__}: {error}"
    return found


def parquet(table: pa.Table) -> int:
    """The least of Parquet's settings."""
    best, bare = sys.maxsize, table.replace_schema_metadata(None)
    kinds = {field.name: field.type for field in table.schema}
    delta = {n: "DELTA_BINARY_PACKED" for n, kind in kinds.items() if pa.types.is_integer(kind)}
    split = {n: "BYTE_STREAM_SPLIT" for n, k in kinds.items() if pa.types.is_floating(k) or pa.types.is_integer(k)}
    settings = [{"use_dictionary": True}, {"use_dictionary": False}]
    settings += [{"use_dictionary": False, "column_encoding": each} for each in (delta, split) if each]
    settings += [{"use_dictionary": [n for n in kinds if n not in split], "column_encoding": split}] if split else []
    for setting in settings:
        for level in (19, 22):
            sink = io.BytesIO()
            common = {"write_statistics": False, "store_schema": False, "row_group_size": 1 << 24}
            pq.write_table(bare, sink, compression="zstd", compression_level=level, **common, **setting)
            best = min(best, sink.tell())
    return best


def pcodec(table: pa.Table) -> int:
    """pcodec at level 12 for numbers without missing ones, Parquet for all others."""
    from pcodec import ChunkConfig, standalone

    total, others = 0, []
    for name in table.column_names:
        column = table[name]
        kind = column.type
        if column.null_count or not (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
            others.append(name)
            continue
        numbers = np.ascontiguousarray(column.combine_chunks().to_numpy(zero_copy_only=False))
        total += len(standalone.simple_compress(numbers, ChunkConfig(compression_level=12)))
    return total + (parquet(table.select(others)) if others else 0)


def openzl(table: pa.Table) -> int:
    """openzl's own choice for the numbers of each column, text by zstd."""
    import openzl.ext as zl

    total = 0
    for column in table.columns:
        whole = column.combine_chunks()
        whole = whole if isinstance(whole, pa.Array) else pa.concat_arrays(whole.chunks)
        kind = whole.type
        if pa.types.is_integer(kind) or pa.types.is_floating(kind):
            numbers = np.ascontiguousarray(whole.fill_null(0).to_numpy(zero_copy_only=False))
            compressor = zl.Compressor()
            compressor.set_parameter(zl.CParam.FormatVersion, zl.MAX_FORMAT_VERSION)
            graph = zl.graphs.Compress()(compressor)
            compressor.select_starting_graph(graph)
            context = zl.CCtx()
            context.ref_compressor(compressor)
            view = numbers.view(f"u{numbers.dtype.itemsize}")
            total += len(context.compress([zl.Input(zl.Type.Numeric, view)]))
            total += len(np.packbits(whole.is_valid().to_numpy(zero_copy_only=False))) if whole.null_count else 0
        else:
            text = "\n".join("" if each is None else str(each) for each in whole.to_pylist()).encode()
            total += len(pa.Codec("zstd", 22).compress(text, asbytes=True))
    return total


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="+")
    parser.add_argument("--design", nargs="*", default=[], help="of these, the ones that the design was chosen on")
    parser.add_argument("-o", "--output", type=Path, default=Path(__file__).parent / "results/lossless_tables.json")
    given = parser.parse_args()
    found = {}
    for each in given.sets:
        name, _, file = each.partition("=")
        table = table_of(file or name)
        measured = {"rows": table.num_rows, "columns": table.num_columns, "ours": ours(table, name)}
        found[name] = {**measured, "peers": peers(table), "chose_the_design": name in given.design}
        print(name, json.dumps(found[name]), flush=True)
        content = {"stamp": stamp("taskcodec", "numpy", "pyarrow", "constriction", seed=None), "sets": found}
        given.output.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
