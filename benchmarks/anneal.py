"""What `--effort` buys of learned pictures: bytes at the same error, and the seconds that it takes.

    python benchmarks/anneal.py KODAK CODEC ... [--side 256] [--efforts 2 4 6] [--prices 1 2] [-o OUT.json]

KODAK is the folder of the 24 pictures, or the zip of them; CODECs are of one layer for squared error. Of each picture
the square in the middle is coded at each effort: file bytes of the packet, PSNR of what decodes, and seconds of one
thread's processor time. Two gains are computed, both against effort 1, of curves through means over the squares:

- of each codec, how many bytes fewer at the PSNR of effort 1. The search gives PSNR as well as bytes, so bits are made
  dearer in it (`--prices`, times the codec's own beta) until PSNR is no more than that, and bytes are interpolated;
- with codecs at several betas, the BD-rate (PCHIP) of their curves, at the first of the prices.

What is in the result already is not measured again, so that a run that was stopped goes on.
"""

import argparse
import io
import json
import zipfile
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from time import process_time

import numpy as np
import torch
from matplotlib import pyplot
from PIL import Image
from stamp import ROOT, stamp

from taskcodec.evaluation.rates.bd import RateCurve, bd_rate
from taskcodec.loading import load_codec
from taskcodec.symbol_choice.pictures.goals import Goal, goals_of
from taskcodec.symbol_choice.pictures.levels import LEVELS
from taskcodec.symbol_choice.pictures.search import LayerSearch

EFFORTS = (2, 3, 4, 5, 6, 7, 8, 9)


def squares(place, side):
    """(name, (side, side, 3) uint8) of the pictures in a folder or a zip, from their middles."""
    if place.suffix == ".zip":
        with zipfile.ZipFile(place) as packed:
            files = {Path(name).name: packed.read(name) for name in packed.namelist() if name.endswith(".png")}
    else:
        files = {path.name: path.read_bytes() for path in place.glob("*.png")}
    for name in sorted(files):
        with Image.open(io.BytesIO(files[name])) as picture:
            top, left = (picture.height - side) // 2, (picture.width - side) // 2
            yield name, np.asarray(picture.convert("RGB"))[top : top + side, left : left + side]


def searches_of(codec, effort, price):
    """As `Codec.searches`, with a bit that costs so many times the codec's own beta."""
    if effort == 1:
        return {}
    (layer,) = codec.layers
    goal = goals_of(codec.layers, codec.provenance)[layer.name]
    if isinstance(goal, str):
        goal = Goal("mse", float(codec.provenance["beta"]))  # as other benchmarks train them
    return {layer.name: LayerSearch(layer, replace(goal, bit=price * goal.bit), LEVELS[effort])}


def row(codec, searches, x):
    """Of one square: bytes, PSNR, seconds."""
    began = process_time()
    packet = codec.pictures.pack(x, searches)
    seconds = process_time() - began
    error = np.square((codec.decompress(packet).astype(np.float64) - x) / 255).mean()
    return {"bytes": len(packet), "psnr": float(-10 * np.log10(error)), "seconds": seconds}


def gains(rows):
    """What each effort gains on effort 1, in per cent of the bytes; None where there are too few points to say."""
    points = defaultdict(list)
    for each in rows:
        points[each["codec"], each["effort"], each["price"]].append(each)
    means = {
        key: tuple(float(np.mean([each[what] for each in some])) for what in ("bytes", "psnr", "seconds"))
        for key, some in points.items()
    }
    codecs, found = sorted({key[0] for key in means}), []
    for effort in sorted({key[1] for key in means} - {1}):
        equal = {codec: at_equal_psnr(means, codec, effort) for codec in codecs}
        first = min(key[2] for key in means if key[1] == effort)
        curves = [
            [means[key] for codec in codecs if (key := (codec, *where)) in means]
            for where in ((1, 1.0), (effort, first))
        ]
        whole = len(codecs) > 1 and all(len(curve) == len(codecs) for curve in curves)
        rates = [RateCurve(*(tuple(point[i] for point in curve) for i in (0, 1))) for curve in curves]
        seconds = [each["seconds"] for each in rows if each["effort"] == effort]
        found.append(
            {
                "effort": effort,
                "steps": LEVELS[effort].steps,
                "at_equal_psnr": equal,
                "bd_rate": float(bd_rate(*rates).value) if whole else None,
                "seconds": float(np.mean(seconds)),
            }
        )
    return found


def plot(rows, path):
    """Bytes against PSNR: a line for each effort of each codec, through its prices."""
    figure, axes = pyplot.subplots(figsize=(6, 4))
    for codec, effort in sorted({(each["codec"], each["effort"]) for each in rows}):
        points = defaultdict(list)
        for each in rows:
            if (each["codec"], each["effort"]) == (codec, effort):
                points[each["price"]].append((each["bytes"], each["psnr"]))
        size, psnr = np.array([np.mean(some, axis=0) for _, some in sorted(points.items())]).T
        axes.plot(size, psnr, "o-", label=f"{codec}, effort {effort}")
    axes.set(xlabel="bytes a picture", ylabel="PSNR, dB")
    axes.legend(fontsize=7)
    figure.tight_layout()
    figure.savefig(path, dpi=120)


def at_equal_psnr(means, codec, effort):
    """Bytes of one codec at the PSNR of its effort 1, against those, in per cent."""
    own = means[codec, 1, 1.0]
    line = sorted((mean[1], mean[0]) for key, mean in means.items() if key[:2] == (codec, effort))
    psnr, size = np.array(line).T
    if not psnr[0] <= own[1] <= psnr[-1]:
        return None
    return float(100 * (np.exp(np.interp(own[1], psnr, np.log(size))) / own[0] - 1))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("kodak", type=Path)
    parser.add_argument("codecs", type=Path, nargs="+")
    parser.add_argument("--side", type=int, default=256)
    parser.add_argument("--efforts", type=int, nargs="+", default=list(EFFORTS))
    parser.add_argument("--prices", type=float, nargs="+", default=[1.0, 2.0])
    parser.add_argument("-o", type=Path, default=ROOT / "benchmarks" / "results" / "anneal.json")
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = json.loads(options.o.read_text())["rows"] if options.o.exists() else []
    seen = {(each["codec"], each["effort"], each["price"], each["picture"]) for each in rows}
    codecs = {path.stem: load_codec(path) for path in options.codecs}
    for effort, price in [(1, 1.0), *((effort, price) for effort in options.efforts for price in options.prices)]:
        for stem, codec in codecs.items():
            searches = searches_of(codec, effort, price)
            for name, x in squares(options.kodak, options.side):
                if (stem, effort, price, name) not in seen:
                    measured = row(codec, searches, x)
                    rows.append({"codec": stem, "effort": effort, "price": price, "picture": name, **measured})
        write(options, rows, codecs)
        plot(rows, options.o.with_suffix(".png"))
        print(json.dumps(gains(rows)[-1:]), flush=True)


def write(options, rows, codecs):
    result = {
        **stamp("taskcodec", "torch", "numpy", "constriction", seed="from content"),
        "side": options.side,
        "codecs": {stem: codec.fingerprint for stem, codec in codecs.items()},
        "gains": gains(rows),
        "rows": rows,
    }
    options.o.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
