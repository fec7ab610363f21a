"""What `--effort` buys of learned pictures: bytes at the same error, and the seconds that it takes.

    python benchmarks/anneal.py KODAK CODEC ... [--side 256] [--pictures 24] [--efforts 2 4 6] [-o OUT.json]

KODAK is the folder of the 24 pictures, or the zip of them; CODECs are of one layer for squared error. Of each picture
the square in the middle is coded at each effort: file bytes of the packet, PSNR of what decodes, and seconds of one
thread's processor time. A search holds the PSNR of effort 1, so that bytes are compared square by square; with codecs
at several betas the BD-rate (PCHIP) of their curves, means over the squares, corrects what is left of a difference.

What is in the result already is not measured again, so that a run that was stopped goes on.
"""

import argparse
import io
import json
import zipfile
from collections import defaultdict
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


def searches_of(codec, effort):
    """As `Codec.searches`; and of a codec that does not say what it was trained for: squared error, at its beta."""
    (layer,) = codec.layers
    goal = goals_of(codec.layers, codec.provenance)[layer.name]
    if effort == 1 or not isinstance(goal, str):
        return codec.searches(effort)
    return {layer.name: LayerSearch(layer, Goal("mse", float(codec.provenance["beta"])), LEVELS[effort])}


def row(codec, searches, x):
    """Of one square: bytes, PSNR, seconds."""
    began = process_time()
    packet = codec.pictures.pack(x, searches)
    seconds = process_time() - began
    error = np.square((codec.decompress(packet).astype(np.float64) - x) / 255).mean()
    return {"bytes": len(packet), "psnr": float(-10 * np.log10(error)), "seconds": seconds}


def gains(rows):
    """What each effort gains on effort 1: per cent of the bytes, and dB, of each codec and picture; the BD-rate."""
    at = {(each["effort"], each["codec"], each["picture"]): each for each in rows}
    found = []
    for effort in sorted({key[0] for key in at} - {1}):
        pairs = [(at[1, *key[1:]], each) for key, each in at.items() if key[0] == effort]
        codecs, rates = sorted({each["codec"] for _, each in pairs}), []
        for number in (0, 1):
            means = [
                [np.mean([pair[number][what] for pair in pairs if pair[0]["codec"] == codec]) for codec in codecs]
                for what in ("bytes", "psnr")
            ]
            rates.append(RateCurve(*(tuple(float(each) for each in some) for some in means)))
        seen = [{each["picture"] for _, each in pairs if each["codec"] == codec} for codec in codecs]
        whole = len(codecs) > 1 and all(each == seen[0] for each in seen)
        found.append(
            {
                "effort": effort,
                "steps": LEVELS[effort].steps,
                "pictures": len({each["picture"] for _, each in pairs}),
                "bd_rate": float(bd_rate(*rates).value) if whole else None,
                "seconds": float(np.mean([each["seconds"] for _, each in pairs])),
                "codecs": {codec: compared([pair for pair in pairs if pair[0]["codec"] == codec]) for codec in codecs},
            }
        )
    return found


def compared(pairs):
    """(effort 1, other) of the same pictures -> means, and what the other has more."""
    size, psnr, seconds = (
        np.array([[each[what] for each in pair] for pair in pairs]) for what in ("bytes", "psnr", "seconds")
    )
    more = psnr[:, 1] - psnr[:, 0]
    return {
        "bytes": [float(each) for each in size.mean(0)],
        "psnr": [float(each) for each in psnr.mean(0)],
        "more_bytes_percent": float(100 * (size[:, 1].sum() / size[:, 0].sum() - 1)),
        "more_psnr": {"mean": float(more.mean()), "least": float(more.min()), "most": float(more.max())},
        "kept_as_they_were": int((size[:, 1] == size[:, 0]).sum()),
        "seconds": float(seconds[:, 1].mean()),
    }


def plot(rows, path):
    """Bytes against PSNR of the pictures that every effort has: a line for each effort, through the codecs."""
    efforts, codecs = sorted({each["effort"] for each in rows}), sorted({each["codec"] for each in rows})
    have = [{(each["codec"], each["picture"]) for each in rows if each["effort"] == effort} for effort in efforts]
    common = set.intersection(*have)
    figure, axes = pyplot.subplots(figsize=(6, 4))
    for effort in efforts:
        points = defaultdict(list)
        for each in rows:
            if each["effort"] == effort and (each["codec"], each["picture"]) in common:
                points[each["codec"]].append((each["bytes"], each["psnr"]))
        means = sorted(tuple(np.mean(points[codec], axis=0)) for codec in codecs if points[codec])
        axes.plot(*np.array(means).T, "o-", label=f"effort {effort}")
    axes.set(xlabel="bytes a square", ylabel="PSNR, dB")
    axes.grid(alpha=0.25)
    axes.legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(path, dpi=120)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("kodak", type=Path)
    parser.add_argument("codecs", type=Path, nargs="+")
    parser.add_argument("--side", type=int, default=256)
    parser.add_argument("--efforts", type=int, nargs="+", default=list(EFFORTS))
    parser.add_argument("--pictures", type=int, default=24, help="at most so many, evenly taken")
    parser.add_argument("-o", type=Path, default=ROOT / "benchmarks" / "results" / "anneal.json")
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = json.loads(options.o.read_text())["rows"] if options.o.exists() else []
    seen = {(each["codec"], each["effort"], each["picture"]) for each in rows}
    codecs = {path.stem: load_codec(path) for path in options.codecs}
    pictures = list(squares(options.kodak, options.side))
    pictures = pictures[:: -(-len(pictures) // options.pictures)]
    for effort in (1, *options.efforts):
        for stem, codec in codecs.items():
            searches = searches_of(codec, effort)
            for name, x in pictures:
                if (stem, effort, name) not in seen:
                    rows.append({"codec": stem, "effort": effort, "picture": name, **row(codec, searches, x)})
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
