"""When a codec for machines pays: bytes at which tasks are within 2 points of the stored pictures, and who reads whom.

    python benchmarks/layers/machine/train.py --data DATA --work W          # codecs of real pictures; see there
    python benchmarks/layers/run.py --work LAYERS                           # codecs and predictors of scenes
    python benchmarks/layers/machine_use.py --data DATA --work W --layers LAYERS [--sets ...] [--codecs ...]

For each set and reader: our codecs at each price of a bit, and JPEG, WebP, AVIF and JPEG XL at each quality and size,
give back the same pictures, which the same frozen predictor reads. Packets and files are real; intervals draw pictures,
the same for all codecs. The matrix has codecs trained for each task against every reader at about equal bytes. What
readers found is kept in W: a run that was stopped goes on, and what is there of other sets is told along.
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np
import torch
from machine.blind import blind_answer
from machine.coders import ours, peers
from machine.least import LOSS, front, line, told
from machine.plots import OURS, plot_least, plot_matrix
from machine.reading import read
from machine.sets import frames, made_scenes, photographs, scenes_of_tables
from machine.tables import tables

sys.path.insert(0, str(Path(__file__).parents[1]))
from stamp import stamp

ROOT = Path(__file__).parents[2]
SETS = ("osd_rgbd", "camvid12", "coco256", "scenes")
REAL = {
    "mse": ("mse-b*.codec", None),
    "detection": ("detection-b*.codec", None),
    "depth": ("depth-b*.codec", 120),
    "segmentation": ("segmentation-b*.codec", None),
}
"""Files of each kind, and the short side that they are trained for."""
ANSWERED = {"osd_rgbd": "depth", "camvid12": "segmentation"}
"""The task of codecs that give answers in a reader's place, on each set that there are such for."""
MADE = {
    "mse": ("free-mse-b*-s0.codec", None),
    "detection": ("base-detection-r0-b*-s0.codec", None),
    "depth": ("base-depth-r0-b*-s0.codec", None),
    "segmentation": ("free-segmentation-b*-s0.codec", None),
}
"""Codecs of the first seed: alone, without a reward on previews."""
TRAINED_FOR = {
    "YOLOX-nano": "detection",
    "FastestDet": "detection",
    "osd_depth": "depth",
    "small segmenter": "segmentation",
    "DeepLab Cityscapes": "segmentation",
    **{f"{before}{kind}": kind for before in ("", "unseen ") for kind in ("detection", "depth", "segmentation")},
}
"""The kind of codec that is for each reader."""


def measured_set(name, options):
    if name == "scenes":
        return made_scenes(options.scenes, options.layers, options.work)
    return {
        "osd_rgbd": lambda: scenes_of_tables(options.data),
        "camvid12": lambda: frames(options.data, options.work),
        "coco256": lambda: photographs(options.data),
    }[name]()


def learned_of(name, options):
    """Our codecs that a set is measured with."""
    real = {**REAL, "answers": (f"answers-{ANSWERED[name]}-b*.codec", None)} if name in ANSWERED else REAL
    learned = ours(options.layers, MADE) if name == "scenes" else ours(options.work, real)
    return [each for each in learned if each.name in options.codecs]


def reads_of(measured, options):
    """{reader: [the pictures as they are, then every coder]}, by all readers that were asked for."""
    readers = [name for name in measured.readers if options.readers is None or name in options.readers]
    coders = learned_of(measured.name, options) + peers(measured.name)
    found = []
    for number, coder in enumerate([None, *coders]):
        found.append(read(measured, coder, readers, options.work / "read"))
        print(f"{measured.name}: {number} of {len(coders)}: {found[-1].name} {found[-1].setting}", flush=True)
    return {name: [each for each in found if name in each.scores] for name in readers}


def least_of(measured, reader, reads):
    """Bytes at which a reader loses no more than LOSS, by codec; ours against the best pixel codec of each draw."""
    original, rest = reads[0], reads[1:]
    lines = {name: line([each for each in rest if each.name == name], original, reader) for name in names_of(rest)}
    least = {name: each.least() for name, each in lines.items()}
    found = {
        "set": measured.name,
        "reader": reader,
        "seen in training": reader in measured.trained,
        "pictures": len(measured.pictures),
        "stored_bytes": measured.stored,
        "stored_value": float(original.scores[reader].value),
        "bytes": {name: {**told(least[name]), "sure": lines[name].sure()} for name in lines},
    }
    known = [name for name in ("answers", TRAINED_FOR.get(reader)) if name in least]
    rivals = {name: each for name, each in least.items() if name not in OURS}
    if known and rivals:
        best, own = np.min(list(rivals.values()), axis=0), min(known, key=lambda name: least[name][0])
        found["ours"], found["best_peer"] = own, min(rivals, key=lambda name: rivals[name][0])
        with np.errstate(invalid="ignore"):
            found["times_fewer"] = told(np.nan_to_num(best / least[own], nan=0.0))
    if measured.name == "scenes":
        bare = {name: line([each for each in rest if each.name == name], original, reader, True) for name in lines}
        found["bytes without headers"] = {name: told(each.least()) for name, each in bare.items()}
    return found, lines


def loss_in_no_bytes(measured, reader, stored, data):
    """What a reader loses where every picture gets the answer that saw none; None where there is no such answer."""
    if measured.name not in ANSWERED or reader not in measured.answered:
        return None
    answer, task = blind_answer(measured.name, data), measured.answered[reader]
    return stored - float(task.score([task.examine_values(i, answer) for i in range(len(measured.pictures))]).value)


def names_of(reads):
    return list(dict.fromkeys(each.name for each in reads))


def rows_of(measured, reader, lines):
    """Every setting: bytes and loss with its interval."""
    return [
        {
            "set": measured.name,
            "reader": reader,
            "codec": name,
            "setting": setting,
            "bytes": float(sizes[0]),
            "loss": told(losses),
        }
        for name, each in lines.items()
        for setting, sizes, losses in zip(each.settings, each.sizes, each.losses, strict=True)
    ]


def matrix_of(measured, lines):
    """What every reader loses by every codec at about equal bytes: those of our codecs in the geometric middle.

    Between two settings that no cheaper one equals the loss is linear in the logarithm of bytes; beyond them it is that
    of the nearest, whose bytes are told.
    """
    first = next(iter(lines.values()))
    middles = [np.log(each.sizes[:, 0]).mean() for name, each in first.items() if name in OURS]
    if not middles:
        return None
    middle = float(np.mean(middles))
    found = {}
    for reader, of_codec in lines.items():
        for name, each in of_codec.items():
            order = front(each.sizes[:, 0], each.losses[:, 0])
            sizes, losses = np.log(each.sizes[order, 0]), each.losses[order]
            at = float(np.clip(middle, sizes[0], sizes[-1]))
            loss = np.array([np.interp(at, sizes, column) for column in losses.T])
            found.setdefault(name, {})[reader] = {"bytes": float(np.exp(at)), **told(loss)}
    return {"set": measured.name, "bytes": float(np.exp(middle)), "losses": found, "unseen": list(measured.unseen)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--layers", type=Path, required=True, help="the work folder of run.py")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "machine_use")
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--codecs", nargs="+", choices=OURS, default=list(OURS))
    parser.add_argument("--readers", nargs="+", help="only these")
    parser.add_argument("--scenes", type=int, default=300)
    options = parser.parse_args()
    torch.set_num_threads(1)
    options.out.mkdir(parents=True, exist_ok=True)
    made = stamp(
        "numpy", "torch", "constriction", "pillow", "pillow-jxl-plugin", "onnxruntime", "ai-edge-litert", seed=0
    )
    for name in options.sets:
        measured = measured_set(name, options)
        least, rows, lines = [], [], {}
        for reader, reads in reads_of(measured, options).items():
            found, lines[reader] = least_of(measured, reader, reads)
            found["loss in no bytes"] = loss_in_no_bytes(measured, reader, found["stored_value"], options.data)
            rows += rows_of(measured, reader, lines[reader])
            if reader != "PSNR":
                least.append(found)
        content = {
            "made": made,
            "loss": LOSS,
            "codec_bytes": {each.name: each.file_bytes for each in learned_of(name, options)},
            "least": least,
            "matrix": matrix_of(measured, lines),
            "rows": rows,
        }
        (options.out / f"{name}.json").write_text(json.dumps(content, indent=1) + "\n")
        print(json.dumps(least, indent=1))
    told_now = [
        json.loads(file.read_text()) for file in map(options.out.joinpath, [f"{s}.json" for s in SETS]) if file.exists()
    ]
    (options.out / "tables.md").write_text(tables(told_now))
    plot_least(told_now, options.out / "least.png")
    plot_matrix(told_now, options.out / "matrix.png")


if __name__ == "__main__":
    main()
