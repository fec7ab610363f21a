"""Pictures that bring their own network, for a depth predictor: bytes at which its output is as good, against AVIF.

    taskcodec train CONFIG -o CODEC                        # task: depth, predictor: osd_depth; on the training part
    python benchmarks/train_predictor.py osd --seed 1 ...  # a predictor that no codec saw
    python benchmarks/overfitted/depth.py DATA CODEC --work W [--unseen FILE] [--betas .03 .1] -o RESULT.json

DATA has the folder osd_rgbd_seg, unpacked. Of its test scenes `--pictures` are taken, spread over them. JPEG, WebP,
AVIF and JPEG XL are swept over qualities and sizes (`benchmarks/layers/machine`); each decoded picture is read by the
predictor that gave gradients and by the unseen one, and scored against measured depth. The least bytes at which a
reader loses no more than 2 points have intervals over scenes, the same draws for all. Also told: what the mean depth of
the training scenes loses, in no bytes. Packets, and what readers said, are kept in W: a run that was stopped goes on.
"""

import argparse
import json
import sys
import time
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from matplotlib import pyplot
from PIL import Image
from pixels import priced

sys.path.extend([str(Path(__file__).parents[1]), str(Path(__file__).parents[1] / "layers")])
from machine.blind import blind_answer
from machine.coders import Coded, peers
from machine.least import LOSS, line, told
from machine.reading import read
from machine.sets import of_dense, tables
from stamp import stamp

import taskcodec
from taskcodec.codec import Codec
from taskcodec.coding.models.overfitted.plan import HEAD
from taskcodec.data.dense.views import Chosen
from taskcodec.distortions.tasks import Depth, SquaredError
from taskcodec.stack.cost import decoding_cost
from taskcodec.transforms.predictors.load import load_predictor
from taskcodec.transforms.predictors.saved import load_small

SEEN, UNSEEN = "osd_depth", "unseen depth"


@dataclass(frozen=True)
class Ours:
    """A codec at a price of a bit and an effort; packets are kept in a folder."""

    codec: Codec
    beta: float
    effort: int
    folder: Path
    name = "overfitted"
    answers = False

    @property
    def setting(self):
        return f"beta {self.beta:g}, effort {self.effort}"

    @property
    def key(self):
        return f"overfitted-{self.beta:g}-{self.effort}-{self.codec.fingerprint[:12]}"

    def code(self, image):
        pixels = np.asarray(image)
        file = self.folder / f"{self.key}-{zlib.crc32(pixels.tobytes()):08x}.bin"
        if not file.exists():
            begun = time.process_time()
            packet = priced(self.codec, self.beta).compress(pixels, self.effort)
            self.folder.mkdir(parents=True, exist_ok=True)
            file.with_suffix(".json").write_text(json.dumps({"encode_seconds": time.process_time() - begun}))
            file.write_bytes(packet)
            print(file.name, len(packet), flush=True)
        packet = file.read_bytes()
        return Coded(Image.fromarray(self.codec.decompress(packet)), len(packet), len(packet))

    def spent(self):
        """Of all packets: seconds to encode, milliseconds to decode their symbols and pixels, bytes of weights."""
        seconds, symbols, pixels, weights = [], [], [], []
        for file in sorted(self.folder.glob(f"{self.key}-*.bin")):
            seconds.append(json.loads(file.with_suffix(".json").read_text())["encode_seconds"])
            times = [time.process_time()]
            decoded = self.codec.begin(file.read_bytes())
            times.append(time.process_time())
            self.codec.pictures.pixels(decoded)
            times.append(time.process_time())
            symbols.append(1000 * (times[1] - times[0]))
            pixels.append(1000 * (times[2] - times[1]))
            model = self.codec.base.model.for_size(decoded.size)
            costs = model.costs(decoded.symbols["picture"]).ravel()
            weights.append(float(costs[: HEAD + model.plan.weights].sum() / 8))
        names = ("encode_seconds", "symbols_ms", "pixels_ms", "weight_bytes")
        return {key: float(np.mean(each)) for key, each in zip(names, (seconds, symbols, pixels, weights), strict=True)}


def measured_set(options):
    pictures = tables(options.data, "test")
    rows = np.linspace(0, len(pictures) - 1, options.pictures).round().astype(int)
    unseen = {} if options.unseen is None else {UNSEEN: Depth(load_small(options.unseen)[0])}
    seen = {SEEN: Depth(load_predictor("osd_depth")), "PSNR": SquaredError()}
    return of_dense("osd_rgbd", Chosen(pictures, tuple(map(int, rows))), seen, unseen)


def told_of(read_of, measured):
    """A setting: mean bytes, and what each reader scores."""
    values = {name: float(scores.value) for name, scores in read_of.scores.items()}
    return {"codec": read_of.name, "setting": read_of.setting, "bytes": float(read_of.sizes.mean()), **values}


def blind(measured, reader, data):
    """What a reader's task loses where the mean depth is answered."""
    answer = blind_answer("osd_rgbd", data)
    count, own = len(measured.pictures), measured.answered[SEEN]
    return float(measured.readers[reader].score([own.examine_values(place, answer) for place in range(count)]).value)


def plot(rows, readers, path):
    figure, axes = pyplot.subplots(1, len(readers), figsize=(5 * len(readers), 4), squeeze=False)
    for own, reader in zip(axes[0], readers, strict=True):
        for name in sorted({row["codec"] for row in rows} - {"stored"}):
            points = sorted((row["bytes"], row[reader]) for row in rows if row["codec"] == name)
            own.plot(*zip(*points, strict=True), "o-" if name == "overfitted" else "x", label=name)
        stored = next(row[reader] for row in rows if row["codec"] == "stored")
        own.axhline(stored, color="grey", linewidth=0.8)
        own.axhline(stored - LOSS, color="grey", linewidth=0.8, linestyle=":")
        own.set(
            xscale="log", xlabel="bytes a picture", ylabel="depth accuracy", title=reader, ylim=(stored - 0.12, None)
        )
        own.legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(path, dpi=120)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("codec", type=Path)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--unseen", type=Path)
    parser.add_argument("--betas", type=float, nargs="+", default=[0.03])
    parser.add_argument("--effort", type=int, default=2)
    parser.add_argument("--pictures", type=int, default=16)
    parser.add_argument("-o", "--output", type=Path, required=True)
    options = parser.parse_args()
    torch.set_num_threads(1)
    codec, measured = taskcodec.load_codec(options.codec), measured_set(options)
    ours = [Ours(codec, beta, options.effort, options.work / "packets") for beta in options.betas]
    readers = list(measured.readers)
    reads = [read(measured, coder, readers, options.work / "read") for coder in [None, *ours, *peers("osd_rgbd")]]
    rows, least = [told_of(each, measured) for each in reads], {}
    for reader in readers:
        if reader != "PSNR":
            names = sorted({each.name for each in reads[1:]})
            lines = {name: line([each for each in reads[1:] if each.name == name], reads[0], reader) for name in names}
            least[reader] = {name: told(each.least()) for name, each in lines.items()}
            least[reader]["mean depth, no bytes"] = {"loss": rows[0][reader] - blind(measured, reader, options.data)}
    cost = decoding_cost(codec.layers)
    content = {
        "run": stamp("numpy", "torch", "pillow", "constriction", seed=0),
        "codec": codec.fingerprint,
        "codec_bytes": options.codec.stat().st_size,
        "trained": codec.provenance["trained"],
        "macs_per_pixel": {"synthesis": cost.synthesis, "entropy": cost.entropy},
        "pictures": len(measured.pictures),
        "spent": {each.setting: each.spent() for each in ours},
        "least bytes within 2 points": least,
        "rows": rows,
    }
    options.output.write_text(json.dumps(content, indent=1) + "\n")
    print(json.dumps({key: content[key] for key in ("spent", "least bytes within 2 points")}, indent=1))
    plot(rows, [reader for reader in readers if reader != "PSNR"], options.output.with_suffix(".png"))


if __name__ == "__main__":
    main()
