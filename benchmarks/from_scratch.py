"""A compressor trained from scratch on a collection against the zero-shot codec on frozen features: which wins when?

    python benchmarks/from_scratch.py FOLDER --work WORK [--out FOLDER] [--side 32] [--steps 2000] [--betas ...]

FOLDER has small images as train/CLASS/FILE and test/CLASS/FILE. On the training part, without labels: a BINCE codec for
each beta (`taskcodec train`, SimCLR's views), and `taskcodec fit` on lite0's features. The zero-shot codec saw none
of it. Then each codec encodes the whole folder, and `taskcodec evaluate` trains probes on what is decoded of the
training part and tests them on the rest. Trained codecs are also taken at lower rates than their own (`--bits`). Bits
are those of the stores' codes. Resumable: what is in WORK is not made again.
"""

import argparse
import json
import platform
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import yaml

import taskcodec

OWN_BITS = (32, 64, 128, 256, 512, 900)
SHARES = (0.75, 0.5, 0.25)
"""Lower rates of a trained codec, as shares of its own."""
PREDICTORS = ("ridge", "knn")


def command(*arguments):
    done = subprocess.run(
        [sys.executable, "-m", "taskcodec", *map(str, arguments)], stdout=subprocess.PIPE, check=True, text=True
    )
    return done.stdout


def configuration(options, source):
    analysis = {"name": "resnet_small", "widths": options.widths, "stem_stride": 2}
    return {
        "data": {"source": str(source), "side": options.side},
        "augmentations": "simclr",
        "model": {"objective": "BINCE", "columns": 64, "analysis": analysis, "queue": 2048},
        "beta": options.betas[0],
        "training": {"steps": options.steps, "batch": 128, "learning_rate": 2e-3, "checkpoint_every": 100},
    }


def measured(work, images, name, codec, about, *options):
    """Rows of one codec: its store's bits, and each predictor's accuracy on what is decoded and on its raw features."""
    kept = work / f"{name}.json"
    if not kept.exists():
        store = work / f"{name}.tcz"
        if not store.exists():
            command("encode", images, store, "--codec", codec, *options)
        rows = json.loads(
            command("evaluate", store, "--source", images, "--predictors", ",".join(PREDICTORS), "--json",
                    "--cache", work / "features")
        )  # fmt: skip
        bits = json.loads(command("info", store, "--json"))["bits_per_sample"]
        # Names without folders: results are for others to read.
        own = {"set": images.name, "bits_per_sample": bits}
        kept.write_text(json.dumps([{**about, **row, **own} for row in rows]))
    return json.loads(kept.read_text())


def draw(rows, file, title):
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    from taskcodec.evaluation.report.colours import COLOURS

    figure, axes = plt.subplots(figsize=(7, 4.4), layout="constrained")
    shown = [row for row in rows if row["metric"] == "accuracy" and row["probe"] == PREDICTORS[0]]
    for number, name in enumerate(dict.fromkeys(row["codec_name"] for row in shown)):
        own = sorted((row for row in shown if row["codec_name"] == name), key=lambda row: row["bits_per_sample"])
        bits, value = ([row[key] for row in own] for key in ("bits_per_sample", "value"))
        low, high = ([100 * abs(row[key] - row["value"]) for row in own] for key in ("low", "high"))
        axes.errorbar(bits, [100 * v for v in value], [low, high], color=COLOURS[number], marker="osD"[number],
                      capsize=2, linewidth=1.5, label=name)  # fmt: skip
    raw = max(row["raw_value"] for row in shown if "lite0" in row["codec_name"])
    axes.axhline(100 * raw, color="#666666", linestyle="--", linewidth=1, label="raw lite0 features")
    axes.set(xscale="log", xlabel="bits an image, in files", ylabel="accuracy on the test images, %", title=title)
    axes.grid(alpha=0.25, which="both")
    axes.legend(frameon=False)
    figure.savefig(file, dpi=110)
    plt.close(figure)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "from_scratch")
    parser.add_argument("--side", type=int, default=32)
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--widths", type=int, nargs="+", default=[24, 48, 96])
    parser.add_argument("--betas", type=float, nargs="+", default=[0.001])
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    options.out.mkdir(parents=True, exist_ok=True)
    images = options.folder
    file = options.work / "bince.yaml"
    file.write_text(yaml.safe_dump(configuration(options, images / "train")))
    rows = []
    for beta in options.betas:
        codec = options.work / f"bince-beta{beta:g}.codec"
        if not codec.exists():
            command("train", file, "-o", codec, "--beta", beta, "--resume")
        about = {"codec_name": "BINCE from scratch", "beta": beta, "beta_multiplies": "rate_bits", "seed": 0}
        name = f"bince-beta{beta:g}"
        found = measured(options.work, images, name, codec, about)
        rows += found
        for share in SHARES:
            bits = round(share * found[0]["bits_per_sample"], 1)
            lower = {**about, "asked_bits": bits}
            rows += measured(options.work, images, f"{name}-{bits}", codec, lower, "--bits", bits)
    for bits in OWN_BITS:
        about = {"codec_name": "lite0, zero-shot", "asked_bits": bits}
        rows += measured(options.work, images, f"zero-shot-{bits}", "lite0", about, "--bits", bits)
        fitted = options.work / f"fitted-{bits}.codec"
        if not fitted.exists():
            command("fit", images / "train", "-o", fitted, "--bits", bits)
        about["codec_name"] = "lite0, fitted to the collection"
        rows += measured(options.work, images, f"fitted-{bits}", fitted, about)
    versions = {name: version(name) for name in ("torch", "lightning", "kornia", "numpy", "scikit-learn")}
    versions |= {"taskcodec": taskcodec.__version__, "python": platform.python_version()}
    about = f"python benchmarks/from_scratch.py {options.folder.name} --work WORK --side {options.side} --steps "
    about += f"{options.steps} --widths {' '.join(map(str, options.widths))}"
    rows = [{**row, "command": about, "versions": versions} for row in rows]
    (options.out / "results.json").write_text(json.dumps(rows, indent=1) + "\n")
    draw(rows, options.out / "accuracy.png", f"{options.folder.name}, {options.side} px for BINCE from scratch")


if __name__ == "__main__":
    main()
