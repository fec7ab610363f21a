"""Pictures that bring their own network against JPEG, WebP and AVIF: bytes of packets and files at equal PSNR.

    taskcodec train CONFIG -o CODEC                        # what pictures start from, on others
    python benchmarks/overfitted/pixels.py FOLDER CODEC [--betas .001 .004] [--efforts 3] [-o RESULT.json]

Of the pictures in FOLDER, which chose nothing, the middles are cut out, `--side` pixels wide. Each is encoded at each
price of a bit (`--betas`: the codec's record is told it, the weights that pictures start from stay) and effort; PSNR is
of RGB. `bytes_ratio` is our bytes over a peer's at our PSNR on the same crop, by monotone interpolation of logarithms,
in the geometric mean over crops with an interval of 95 % (bootstrap over crops). Times are of one thread's processor.
What is in the result already is not measured again; beside it lies a plot.
"""

import argparse
import io
import json
import math
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from matplotlib import pyplot
from PIL import Image
from scipy.interpolate import PchipInterpolator

import taskcodec
from taskcodec.coding.models.overfitted.plan import HEAD
from taskcodec.stack.cost import decoding_cost

sys.path.insert(0, str(Path(__file__).parents[1]))
from stamp import stamp

QUALITIES = {
    "jpeg": [3, 6, 10, 15, 22, 30, 40, 52, 65, 78, 88],
    "webp": [0, 4, 10, 20, 32, 45, 60, 75, 86, 93],
    "avif": [10, 18, 26, 34, 42, 50, 58, 66, 74],
}
OPTIONS = {"jpeg": {"optimize": True, "progressive": True}, "webp": {"method": 6}, "avif": {"speed": 4}}
KEYS = ("codec", "picture", "setting", "effort")
"""What tells rows apart; the setting is a quality or what a bit costs."""
DRAWS = 2000


def psnr(x, y):
    return 10 * math.log10(255**2 / np.square(x.astype(np.float64) - y).mean())


def middle(path, side):
    x = np.asarray(Image.open(path).convert("RGB"))
    top, left = ((extent - side) // 2 for extent in x.shape[:2])
    return np.ascontiguousarray(x[top : top + side, left : left + side])


def of_peer(name, quality, x):
    file = io.BytesIO()
    Image.fromarray(x).save(file, name.upper(), quality=quality, **OPTIONS[name])
    return {"bytes": len(file.getvalue()), "psnr": psnr(x, np.asarray(Image.open(file).convert("RGB")))}


def of_codec(codec, effort, x):
    begun = time.process_time()
    packet = codec.compress(x, effort)
    coded = time.process_time()
    decoded = codec.begin(packet)
    known = time.process_time()
    y = codec.pictures.pixels(decoded)
    done = time.process_time()
    model = codec.base.model.for_size(x.shape[:2])
    own = HEAD + model.plan.weights
    costs = model.costs(decoded.symbols["picture"]).ravel()
    return {
        "bytes": len(packet),
        "psnr": psnr(x, y),
        "weight_bytes": float(costs[:own].sum() / 8),
        "encode_seconds": coded - begun,
        "symbols_ms": 1000 * (known - coded),
        "pixels_ms": 1000 * (done - known),
    }


def priced(codec, beta):
    """The codec with another price of a bit in its record, by which its packets are searched for."""
    (trained,) = codec.provenance["trained"]
    return replace(codec, provenance={**codec.provenance, "trained": [{**trained, "beta": beta}]})


def logs_at(rows, value):
    """ln(bytes) of a peer's curve of one crop at a PSNR; None where it does not reach it."""
    kept, best = [], math.inf
    for row in sorted(rows, key=lambda row: -row["psnr"]):  # what a smaller file equals is no part of the curve
        if row["bytes"] < best:
            kept.append(row)
            best = row["bytes"]
    kept = kept[::-1]
    values = np.array([row["psnr"] for row in kept])
    if not values[0] <= value <= values[-1]:
        return None
    return float(PchipInterpolator(values, np.log([row["bytes"] for row in kept]))(value))


def compared(rows):
    """Of each of our settings and each peer the ratio of bytes, over the crops on which the peer reaches our PSNR."""
    found, rng = [], np.random.default_rng(0)
    for setting, effort in sorted({(row["setting"], row["effort"]) for row in rows if row["codec"] == "ours"}):
        own = [row for row in rows if (row["codec"], row["setting"], row["effort"]) == ("ours", setting, effort)]
        mean = {key: float(np.mean([row[key] for row in own])) for key in own[0] if key not in KEYS}
        entry = {"beta": setting, "effort": effort, "crops": len(own), **mean}
        for name in QUALITIES:
            pairs = [
                (
                    math.log(row["bytes"]),
                    logs_at([r for r in rows if (r["codec"], r["picture"]) == (name, row["picture"])], row["psnr"]),
                )
                for row in own
            ]
            logs = np.array([a - b for a, b in pairs if b is not None])
            if len(logs):
                drawn = np.exp(rng.choice(logs, (DRAWS, len(logs))).mean(axis=1))
                low, high = np.quantile(drawn, [0.025, 0.975]).tolist()
                value = float(np.exp(logs.mean()))
                entry[name] = {"bytes_ratio": value, "low": low, "high": high, "crops": len(logs)}
        found.append(entry)
    return found


def plot(rows, pixels, path):
    figure, axes = pyplot.subplots(figsize=(6, 4))
    count = len({row["picture"] for row in rows})
    for name, effort in sorted({(row["codec"], row["effort"]) for row in rows}):
        own = [row for row in rows if (row["codec"], row["effort"]) == (name, effort)]
        points = []
        for setting in sorted({row["setting"] for row in own}):
            each = [row for row in own if row["setting"] == setting]
            if len(each) < count:
                continue  # means over other crops are no points of one curve
            points.append(
                (8 * np.mean([row["bytes"] for row in each]) / pixels, np.mean([row["psnr"] for row in each]))
            )
        label = f"overfitted, effort {effort}" if effort else name
        axes.plot(*zip(*sorted(points), strict=True), "o-" if effort else "--", label=label)
    most = max(8 * row["bytes"] / pixels for row in rows if row["effort"])
    axes.set(xlabel="bits a pixel", ylabel="PSNR, dB", xlim=(0, 1.2 * most), ylim=(22, None))
    axes.legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(path, dpi=120)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("codec", type=Path)
    parser.add_argument("--betas", type=float, nargs="+", default=[0.001, 0.004])
    parser.add_argument("--efforts", type=int, nargs="+", default=[3])
    parser.add_argument("--crops", type=int, default=8, help="pictures, spread over those there are")
    parser.add_argument("--side", type=int, default=256)
    parser.add_argument("-o", "--output", type=Path, required=True)
    options = parser.parse_args()
    torch.set_num_threads(1)
    paths = sorted(path for path in options.folder.rglob("*") if path.suffix in (".png", ".jpg"))
    paths = [paths[place] for place in np.linspace(0, len(paths) - 1, options.crops).round().astype(int)]
    before = json.loads(options.output.read_text()) if options.output.exists() else {"rows": [], "runs": []}
    rows, runs = before["rows"], [*before["runs"], stamp("numpy", "torch", "pillow", "constriction", seed=0)]
    known, codec = {tuple(row[key] for key in KEYS) for row in rows}, taskcodec.load_codec(options.codec)
    cost = decoding_cost(codec.layers)

    def keep(summary=()):
        content = {
            "runs": runs,
            "codec": codec.fingerprint,
            "codec_bytes": options.codec.stat().st_size,
            "trained": codec.provenance["trained"],
            "macs_per_pixel": {"synthesis": cost.synthesis, "entropy": cost.entropy},
            "side": options.side,
            "summary": list(summary),
            "rows": rows,
        }
        options.output.write_text(json.dumps(content, indent=1) + "\n")

    wanted = [("ours", beta, effort) for effort in options.efforts for beta in options.betas]
    wanted = [(name, quality, 0) for name, found in QUALITIES.items() for quality in found] + wanted
    for name, setting, effort in wanted:
        for path in paths:
            if (name, path.stem, setting, effort) in known:
                continue
            x = middle(path, options.side)
            found = of_peer(name, setting, x) if not effort else of_codec(priced(codec, setting), effort, x)
            rows.append({"codec": name, "picture": path.stem, "setting": setting, "effort": effort, **found})
            if effort:
                print(json.dumps(rows[-1]), flush=True)
                keep()
    summary = compared(rows)
    keep(summary)
    for entry in summary:
        print(json.dumps(entry))
    plot(rows, options.side**2, options.output.with_suffix(".png"))


if __name__ == "__main__":
    main()
