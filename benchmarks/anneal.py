"""What `--effort` buys of learned pictures: bytes at the same error, and the seconds that it takes.

    python benchmarks/anneal.py KODAK CODEC ... [--side 256] [--efforts 2 4 6] [-o benchmarks/results/anneal.json]

KODAK is the folder of the 24 pictures; CODECs are of one layer for squared error, trained alike at several prices of a
bit. Of each picture the square in the middle is coded by each codec at each effort: file bytes of the packet, PSNR of
what decodes, and seconds of one thread's processor time. A curve is the mean over squares at each codec; an effort's
gain is the BD-rate (PCHIP) of its curve against that of effort 1, overall and picture by picture (mean, and standard
error). What is in the result already is not measured again, so that a run that was stopped goes on.
"""

import argparse
import io
import json
import zipfile
from pathlib import Path
from time import process_time

import numpy as np
import torch
from PIL import Image
from stamp import ROOT, stamp

from taskcodec.evaluation.rates.bd import RateCurve, bd_rate
from taskcodec.loading import load_codec

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


def row(codec, searches, x):
    """Of one square: bytes, PSNR, seconds."""
    began = process_time()
    packet = codec.pictures.pack(x, searches)
    seconds = process_time() - began
    error = np.square((codec.decompress(packet).astype(np.float64) - x) / 255).mean()
    return {"bytes": len(packet), "psnr": float(-10 * np.log10(error)), "seconds": seconds}


def gains(rows, codecs, efforts):
    """What each effort gains on effort 1, in per cent of the bytes at the same PSNR."""
    names = sorted({each["picture"] for each in rows})
    at = {(each["codec"], each["effort"], each["picture"]): each for each in rows}

    def curve(effort, pictures):
        points = [[at[codec, effort, name] for name in pictures] for codec in codecs]
        return RateCurve(
            tuple(float(np.mean([each["bytes"] for each in point])) for point in points),
            tuple(float(np.mean([each["psnr"] for each in point])) for point in points),
        )

    found = []
    for effort in efforts:
        each = [bd_rate(curve(1, [name]), curve(effort, [name])).value for name in names]
        found.append(
            {
                "effort": effort,
                "bd_rate": bd_rate(curve(1, names), curve(effort, names)).value,
                "mean_of_pictures": float(np.mean(each)),
                "standard_error": float(np.std(each, ddof=1) / np.sqrt(len(each))),
                "seconds": float(np.mean([one["seconds"] for one in rows if one["effort"] == effort])),
            }
        )
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("kodak", type=Path)
    parser.add_argument("codecs", type=Path, nargs="+")
    parser.add_argument("--side", type=int, default=256)
    parser.add_argument("--efforts", type=int, nargs="+", default=list(EFFORTS))
    parser.add_argument("-o", type=Path, default=ROOT / "benchmarks" / "results" / "anneal.json")
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = json.loads(options.o.read_text())["rows"] if options.o.exists() else []
    seen = {(each["codec"], each["effort"], each["picture"]) for each in rows}
    codecs = {path.stem: load_codec(path) for path in options.codecs}
    for effort in [1, *options.efforts]:
        for stem, codec in codecs.items():
            searches = codec.searches(effort)
            for name, x in squares(options.kodak, options.side):
                if (stem, effort, name) not in seen:
                    rows.append({"codec": stem, "effort": effort, "picture": name, **row(codec, searches, x)})
                    write(options, rows, codecs, [])
        if effort > 1:
            done = sorted({each["effort"] for each in rows} - {1})
            found = gains(rows, list(codecs), [each for each in done if each <= effort or each not in options.efforts])
            write(options, rows, codecs, found)
            print(json.dumps(found[-1]), flush=True)


def write(options, rows, codecs, found):
    result = {
        **stamp("taskcodec", "torch", "numpy", "constriction", seed="from content"),
        "side": options.side,
        "codecs": {stem: codec.fingerprint for stem, codec in codecs.items()},
        "gains": found,
        "rows": rows,
    }
    options.o.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
