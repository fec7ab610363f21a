"""Codecs of pictures with small decoders against JPEG, WebP and AVIF: bytes of files at equal PSNR, and their cost.

    python benchmarks/small_decoders.py FOLDER CODEC... [--steps 0.7 1 1.4] [--time] [-o RESULT.json]

FOLDER holds pictures that chose nothing (the committed run: the 24 of Kodak, whole). Every codec is tried at each
step: `--steps` scale that of its quantizer, and its model codes what comes. Bytes are those of packets and of files;
PSNR is of RGB, in the mean over pictures, as are bits a pixel. `bytes_ratio` is our bytes over those of a peer at our
PSNR, by monotone interpolation of the logarithm; below 1 we are smaller. `--time` adds milliseconds of processor time
to decode 512 x 768 pixels, one thread, the least of some: for a machine that does nothing else.
"""

import argparse
import io
import json
import math
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from scipy.interpolate import PchipInterpolator
from stamp import stamp

import taskcodec
from taskcodec.evaluation.rates.bd import RateCurve, bd_rate
from taskcodec.stack.cost import decoding_cost

QUALITIES = {
    "jpeg": [5, 8, 12, 18, 25, 35, 45, 55, 65, 75, 85, 92],
    "webp": [0, 2, 6, 12, 20, 30, 42, 55, 68, 78, 86, 92],
    "avif": [10, 18, 26, 34, 42, 50, 58, 66, 74, 82],
}
OPTIONS = {"jpeg": {"optimize": True, "progressive": True}, "webp": {"method": 6}, "avif": {"speed": 4}}
REPEATS = 5


def psnr(x, y):
    error = np.square(x.astype(np.float64) - y).mean()
    return 10 * math.log10(255**2 / error)


def of_peer(name, quality, pictures):
    rates, values = [], []
    for x in pictures:
        file = io.BytesIO()
        Image.fromarray(x).save(file, name.upper(), quality=quality, **OPTIONS[name])
        rates.append(8 * len(file.getvalue()) / (x.shape[0] * x.shape[1]))
        values.append(psnr(x, np.asarray(Image.open(file).convert("RGB"))))
    return {"codec": name, "quality": quality, **means(rates, values)}


def of_codec(name, codec, step, pictures):
    rates, values = [], []
    for x in pictures:
        packet = codec.compress(x)
        rates.append(8 * len(packet) / (x.shape[0] * x.shape[1]))
        values.append(psnr(x, codec.decompress(packet)))
    cost = decoding_cost(codec.layers)
    spent = {"synthesis_macs": cost.synthesis, "entropy_macs": cost.entropy, "macs": cost.total}
    return {"codec": name, "step": step, **means(rates, values), **spent}


def means(rates, values):
    return {"bits_per_pixel": float(np.mean(rates)), "psnr": float(np.mean(values))}


def decoding_ms(codec, picture):
    packet = codec.compress(picture)
    taken, parts = [], []
    for _ in range(REPEATS):
        begun = time.process_time()
        decoded = codec.begin(packet)
        between = time.process_time()
        codec.pictures.pixels(decoded)
        taken.append(1000 * (time.process_time() - begun))
        parts.append(1000 * (between - begun))
    return {"decode_ms": min(taken), "symbols_ms": min(parts)}


def with_step(codec, factor):
    layers = tuple(
        replace(each, quantizer=replace(each.quantizer, step=each.quantizer.step * factor)) for each in codec.layers
    )
    return replace(codec, layers=layers)


def ratio_at(row, curve):
    """Bytes of a row over those of a curve at its PSNR; None where the curve does not reach it."""
    order = np.argsort([each["psnr"] for each in curve])
    values = np.array([curve[place]["psnr"] for place in order])
    logs = np.log([curve[place]["bits_per_pixel"] for place in order])
    if not values[0] <= row["psnr"] <= values[-1]:
        return None
    return float(row["bits_per_pixel"] / np.exp(PchipInterpolator(values, logs)(row["psnr"])))


def curve_of(rows):
    return RateCurve(tuple(row["bits_per_pixel"] for row in rows), tuple(row["psnr"] for row in rows))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("codecs", nargs="+", type=Path)
    parser.add_argument("--steps", type=float, nargs="+", default=[1.0])
    parser.add_argument("--limit", type=int, help="pictures, at most")
    parser.add_argument("--time", action="store_true")
    parser.add_argument("-o", "--output", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    paths = sorted(options.folder.rglob("*.png"))[: options.limit]
    pictures = [np.asarray(Image.open(path).convert("RGB")) for path in paths]
    rows, timed = [], {}
    for path in options.codecs:
        codec = taskcodec.load_codec(path)
        for step in options.steps:
            rows.append(of_codec(path.name, with_step(codec, step), step, pictures))
            print(json.dumps(rows[-1]), flush=True)
        if options.time:
            timed[path.name] = decoding_ms(codec, pictures[0])
            print(path.name, timed[path.name], flush=True)
    ours = list(rows)
    for name, qualities in QUALITIES.items():
        curve = [of_peer(name, quality, pictures) for quality in qualities]
        rows += curve
        for row in ours:
            row.setdefault("bytes_ratio", {})[name] = ratio_at(row, curve)
        if len(ours) > 1:
            delta = bd_rate(curve_of(curve), curve_of(ours))
            print(f"BD-rate against {name}: {delta.value:.1f} %", flush=True)
            timed[f"bd_rate_{name}"] = delta.value
    for row in ours:
        found = {name: value and round(value, 3) for name, value in row["bytes_ratio"].items()}
        print(f"{row['codec']} x{row['step']:g}: {row['bits_per_pixel']:.3f} bits, {row['psnr']:.2f} dB, {found}")
    if options.output:
        result = {"stamp": stamp("numpy", "torch", "pillow", "constriction", seed=0), "pictures": len(pictures)}
        options.output.write_text(json.dumps({**result, **timed, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
