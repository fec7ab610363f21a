"""Codecs of pictures with small decoders against JPEG, WebP and AVIF: bytes of files at equal PSNR, and their cost.

    python benchmarks/small_decoders.py FOLDER CODEC... [--steps 0.7 1 1.4] [--efforts 1 4] [--time] [-o RESULT.json]

FOLDER holds pictures that chose nothing (the committed run: the 24 of Kodak, whole). Every codec is tried at each
step and effort: `--steps` scale that of its quantizer, and its model codes what comes; a search takes a bit to cost
beta times the square of that, as a training in such steps would. Bytes are those of packets and of files; PSNR is of
RGB, in the mean over pictures, as are bits a pixel. `bytes_ratio` is our bytes over those of a peer at our PSNR, by
monotone interpolation of the logarithm; below 1 we are smaller. A BD-rate (PCHIP) is of all rows of one effort against
a peer's curve. `--time` adds milliseconds of processor time to decode 512 x 768 pixels, one thread, the least of some:
for a machine that does nothing else. What is in the result already is not measured again; beside it lies a plot.
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
from matplotlib import pyplot
from PIL import Image
from scipy.interpolate import PchipInterpolator
from stamp import stamp

import taskcodec
from taskcodec.evaluation.rates.bd import RateCurve, bd_rate
from taskcodec.stack.cost import decoding_cost

QUALITIES = {
    "jpeg": [5, 8, 12, 18, 25, 35, 45, 55, 65, 75, 85, 92],
    "webp": [0, 2, 6, 12, 20, 30, 42, 55, 68, 78, 86, 92],
    "avif": [30, 42, 54],
}
OPTIONS = {"jpeg": {"optimize": True, "progressive": True}, "webp": {"method": 6}, "avif": {"speed": 4}}
REPEATS = 15
KEYS = ("codec", "quality", "step", "effort")
"""What tells rows apart."""


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


def of_codec(codec, effort, pictures):
    rates, values, begun = [], [], time.process_time()
    packets = [codec.compress(x, effort=effort) for x in pictures]
    seconds = (time.process_time() - begun) / len(pictures)
    for x, packet in zip(pictures, packets, strict=True):
        rates.append(8 * len(packet) / (x.shape[0] * x.shape[1]))
        values.append(psnr(x, codec.decompress(packet)))
    cost = decoding_cost(codec.layers)
    spent = {"synthesis_macs": cost.synthesis, "entropy_macs": cost.entropy, "macs": cost.total}
    return {**means(rates, values), "encode_seconds": seconds, **spent}


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
    """With other steps, and with what a bit costs there in its record, for searches; its tables read what comes."""
    layers = [
        replace(each, quantizer=replace(each.quantizer, step=each.quantizer.step * factor)) for each in codec.layers
    ]
    trained = [{**stage, "beta": stage["beta"] * factor**2} for stage in codec.provenance["trained"]]
    return replace(codec, layers=tuple(layers), provenance={**codec.provenance, "trained": trained})


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


def plot(rows, path):
    figure, axes = pyplot.subplots(figsize=(6, 4))
    for key in sorted({(row["codec"], row.get("effort", 0)) for row in rows}):
        curve = sorted((r["bits_per_pixel"], r["psnr"]) for r in rows if (r["codec"], r.get("effort", 0)) == key)
        label = f"{key[0]}, effort {key[1]}" if key[1] else key[0]
        axes.plot(*zip(*curve, strict=True), "o-" if key[1] else "--", label=label)
    axes.set(xlabel="bits a pixel", ylabel="PSNR, dB")
    axes.set_xlim(0, 1.6 * max(row["bits_per_pixel"] for row in rows if row.get("effort")))
    axes.set_ylim(None, 2 + max(row["psnr"] for row in rows if row.get("effort")))
    axes.legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(path, dpi=120)


def compared(rows):
    """What our rows are against peers': a ratio in each row, and BD-rates by effort."""
    found = {}
    for name in QUALITIES:
        curve = [row for row in rows if row["codec"] == name]
        ours = [row for row in rows if "effort" in row]
        for row in ours:
            row.setdefault("bytes_ratio", {})[name] = ratio_at(row, curve)
        for effort in sorted({row["effort"] for row in ours}):
            own = [row for row in ours if row["effort"] == effort]
            if len(own) > 1:
                found[f"{name}, effort {effort}"] = bd_rate(curve_of(curve), curve_of(own)).value
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("codecs", nargs="+", type=Path)
    parser.add_argument("--steps", type=float, nargs="+", default=[1.0])
    parser.add_argument("--efforts", type=int, nargs="+", default=[1])
    parser.add_argument("--limit", type=int, help="pictures, at most")
    parser.add_argument("--time", action="store_true")
    parser.add_argument("-o", "--output", type=Path, required=True)
    options = parser.parse_args()
    torch.set_num_threads(1)
    paths = sorted(path for path in options.folder.rglob("*") if path.suffix in (".png", ".jpg"))[: options.limit]
    pictures = [np.asarray(Image.open(path).convert("RGB")) for path in paths]
    before = json.loads(options.output.read_text()) if options.output.exists() else {"rows": []}
    rows, timed, fingerprints = before["rows"], before.get("decoding", {}), before.get("fingerprints", {})
    rates = {}
    known = {tuple(row.get(key) for key in KEYS) for row in rows}

    runs = [*before.get("runs", []), stamp("numpy", "torch", "pillow", "constriction", seed=0)]

    def keep():
        result = {"runs": runs, "pictures": len(pictures)}
        measured = {"fingerprints": fingerprints, "decoding": timed, "bd_rates": rates, "rows": rows}
        options.output.write_text(json.dumps({**result, **measured}, indent=1) + "\n")

    for path in options.codecs:
        codec = taskcodec.load_codec(path)
        fingerprints[path.name] = codec.fingerprint
        if options.time:
            timed[path.name] = decoding_ms(codec, pictures[0])
            print(path.name, timed[path.name], flush=True)
        for effort in options.efforts:
            for step in options.steps:
                if (path.name, None, step, effort) not in known:
                    found = of_codec(with_step(codec, step), effort, pictures)
                    rows.append({"codec": path.name, "step": step, "effort": effort, **found})
                    print(json.dumps(rows[-1]), flush=True)
                    keep()
    for name, qualities in QUALITIES.items():
        for quality in qualities:
            if (name, quality, None, None) not in known:
                rows.append(of_peer(name, quality, pictures))
                keep()
    rates.update(compared(rows))
    for row in rows:
        if "effort" in row:
            found = {name: value and round(value, 3) for name, value in row["bytes_ratio"].items()}
            where = f"{row['codec']} x{row['step']:g}, effort {row['effort']}"
            print(f"{where}: {row['bits_per_pixel']:.3f} bits, {row['psnr']:.2f} dB, {found}")
    print(f"BD-rates, %: {rates}")
    keep()
    options.output.write_text(
        json.dumps({**json.loads(options.output.read_text()), "bd_rates": rates}, indent=1) + "\n"
    )
    plot(rows, options.output.with_suffix(".png"))


if __name__ == "__main__":
    main()
