"""Bits a number of small pictures, coded losslessly: by codecs fitted to others like them, and by files of pictures.

    python benchmarks/lossless.py FOLDER=TRAIN.codec ... [-o benchmarks/results/lossless.json]

FOLDER holds the pictures, as `taskcodec encode` takes them (an IDX folder of test pictures alone, or image files). Each
codec is one that `taskcodec fit --lossless` made of other pictures; it encodes all of them into one file (.zip), which
another process decodes with another number of threads, and every number is compared. The same pictures then go through
PNG, WebP and JPEG XL, one file each and as mosaics of 100 x 100, and through zstd, bz2 and xz as raw bytes. Seconds are
of processors, those of a codec with its start; peers run in this process.
"""

import argparse
import bz2
import io
import json
import lzma
import os
import resource
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import numpy as np
import pillow_jxl  # noqa: F401  which teaches Pillow JPEG XL
import pyarrow
from PIL import Image
from stamp import stamp

import taskcodec
from taskcodec.data import open_source
from taskcodec.engines.values.gather import gather

MOSAIC = 100
THREADS = {"encode": "1", "decode": "2"}
FILES = {
    "PNG": {"format": "PNG", "optimize": True},
    "WebP": {"format": "WEBP", "lossless": True, "quality": 100, "method": 6},
    "JPEG XL": {"format": "JXL", "lossless": True, "effort": 9},
}
ZSTD = pyarrow.Codec("zstd", compression_level=19)
STREAMS = {
    "zstd": (partial(ZSTD.compress, asbytes=True), partial(ZSTD.decompress, asbytes=True)),
    "bz2": (bz2.compress, lambda data, size: bz2.decompress(data)),
    "xz": (partial(lzma.compress, preset=9 | lzma.PRESET_EXTREME), lambda data, size: lzma.decompress(data)),
}


def command(threads, *arguments):
    """Run a command of taskcodec with so many threads; processor seconds that it took."""
    count = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [sys.executable, "-m", "taskcodec", *map(str, arguments)],
        check=True,
        stdout=subprocess.DEVNULL,
        env={**os.environ, **dict.fromkeys(count, threads)},
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def ours(folder, file, pictures):
    """A codec's row: its store in one file, decoded by another process."""
    codec, scratch = taskcodec.load_codec(file), Path(tempfile.mkdtemp())
    store, back = scratch / "a.zip", scratch / "a.npy"
    encoding = command(THREADS["encode"], "encode", folder, store, "--codec", file)
    decoding = command(THREADS["decode"], "decode", store, "-o", back)
    same = np.array_equal(np.load(back), pictures)
    info = taskcodec.open(store).info()
    bound = sum(
        float(codec.code_length(codec.encode(pictures[start : start + 1000])).sum())
        for start in range(0, len(pictures), 1000)
    )
    return {
        "name": f"taskcodec {codec.provenance['model']}",
        "codec": dict(codec.provenance),
        "bytes": info.code_bytes,
        "bits": 8 * info.code_bytes / pictures.size,
        "bound": bound / pictures.size,
        "codec_bytes": info.codec_bytes,
        "store_bytes": store.stat().st_size,
        "encode_seconds": encoding,
        "decode_seconds": decoding,
        "same": bool(same),
    }


def row(name, encode, decode, items, pictures):
    """A peer's row: items encoded one by one, decoded again, and compared."""
    begun = time.process_time()
    files = [encode(item) for item in items]
    encoded = time.process_time()
    back = [decode(file) for file in files]
    decoded = time.process_time()
    size = sum(map(len, files))
    return {
        "name": name,
        "bytes": size,
        "bits": 8 * size / pictures.size,
        "encode_seconds": encoded - begun,
        "decode_seconds": decoded - encoded,
        "same": all(np.array_equal(np.asarray(a), b) for a, b in zip(back, items, strict=True)),
    }


def as_file(options):
    def encode(picture):
        file = io.BytesIO()
        Image.fromarray(picture).save(file, **options)
        return file.getvalue()

    return encode


def from_file(grey):
    return lambda data: np.asarray(Image.open(io.BytesIO(data)).convert("L" if grey else "RGB"))


def mosaics(pictures):
    """Pictures side by side, MOSAIC in a row and in a column, those that are missing black."""
    found = []
    for start in range(0, len(pictures), MOSAIC**2):
        part = pictures[start : start + MOSAIC**2]
        whole = np.zeros((MOSAIC**2, *pictures.shape[1:]), pictures.dtype)
        whole[: len(part)] = part
        grid = whole.reshape(MOSAIC, MOSAIC, *pictures.shape[1:]).swapaxes(1, 2)
        found.append(grid.reshape(MOSAIC * pictures.shape[1], MOSAIC * pictures.shape[2], *pictures.shape[3:]))
    return found


def peers(pictures):
    grey = pictures.ndim == 3
    for name, options in FILES.items():
        yield row(f"{name}, a mosaic", as_file(options), from_file(grey), mosaics(pictures), pictures)
        yield row(f"{name}, files", as_file(options), from_file(grey), list(pictures), pictures)
    raw = [np.frombuffer(pictures.tobytes(), np.uint8)]
    for name, (encode, decode) in STREAMS.items():
        yield row(
            name,
            lambda item, encode=encode: encode(item.tobytes()),
            lambda data, decode=decode: np.frombuffer(decode(data, pictures.nbytes), np.uint8),
            raw,
            pictures,
        )


def told(one):
    """A row as a line."""
    seconds = f"{one['encode_seconds']:7.1f} s, back {one['decode_seconds']:6.1f} s"
    return f"{one['name']:20} {one['bits']:7.4f} bits  {one['bytes']:>9,} bytes  {seconds}  same: {one['same']}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="+", metavar="FOLDER=CODEC[,CODEC]")
    parser.add_argument("-o", "--output", type=Path, default=Path("benchmarks/results/lossless.json"))
    options = parser.parse_args()
    found = {}
    for given in options.sets:
        folder, _, files = given.partition("=")
        pictures = gather(open_source(folder)).pixels
        rows = [ours(folder, file, pictures) for file in filter(None, files.split(","))]
        rows += peers(pictures)
        rows.sort(key=lambda one: one["bits"])
        found[Path(folder).name] = {"pictures": list(pictures.shape), "rows": rows}
        for one in rows:
            print(f"{Path(folder).name:10} {told(one)}", flush=True)
        made = stamp("taskcodec", "numpy", "constriction", "pillow", "pillow-jxl-plugin", "pyarrow", seed=0)
        options.output.write_text(json.dumps({**made, "sets": found}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
