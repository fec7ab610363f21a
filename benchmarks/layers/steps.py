"""One trained codec at several rates, against codecs trained for each: what choosing a step when encoding costs.

    python benchmarks/layers/steps.py --work W [--out benchmarks/results/layers] [--seeds 1] [--steps 1500]

Pictures of procedural scenes. For each seed a codec is trained for each price of a bit. Then each is put into coarser
and finer steps, as `encode --bits` does, and measured in real
packets of unseen scenes. Run again, what is in W is not trained again.
"""

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from scipy.interpolate import PchipInterpolator

sys.path.insert(0, str(Path(__file__).parents[1]))
from materials import BETAS, ROOT, SIDE
from run import ANALYSIS, ENTROPY, SYNTHESIS
from stamp import stamp

import taskcodec
from taskcodec.data.dense.scenes import Scenes
from taskcodec.engines.train.pictures.data import known
from taskcodec.fitting.gradient.pictures.data import PictureSet
from taskcodec.fitting.gradient.pictures.recipe import LayerChoice, LayersRecipe
from taskcodec.fitting.gradient.pictures.training import train_layers
from taskcodec.fitting.gradient.recipe import Schedule
from taskcodec.fitting.gradient.training import Work
from taskcodec.fitting.picture_rate import at_steps

FACTORS = tuple(2.0 ** (k / 2) for k in range(-2, 6))


@dataclass(frozen=True)
class Trained:
    beta: float
    seed: int

    @property
    def name(self):
        return f"mse-beta{self.beta:g}-s{self.seed}"


def train(one, options):
    file = options.work / f"{one.name}.codec"
    if file.exists():
        return taskcodec.load_codec(file)
    scenes = Scenes(options.scenes, SIDE, SIDE, seed=100 + one.seed)
    data = PictureSet([known(scenes[i]) for i in range(len(scenes))], {})
    layer = LayerChoice("picture", ANALYSIS, SYNTHESIS, entropy=ENTROPY)
    warmup = min(100, options.steps)
    schedule = Schedule(options.steps, 8, 3e-3, warmup=warmup, checkpoint_every=250, seed=one.seed)
    work = Work(options.work / f"{one.name}.training", resume=True)
    codec = train_layers(data, LayersRecipe((layer,), one.beta, crop=SIDE), schedule, work).codec
    codec.save(file)
    return codec


def measure(codec, pictures):
    """Bits a picture in packets, and dB of the mean squared error."""
    bits, errors = [], []
    for pixels in pictures:
        packet = codec.compress(pixels)
        bits.append(8 * len(packet))
        errors.append(np.square(codec.decompress(packet) / 255.0 - pixels / 255.0).mean())
    return float(np.mean(bits)), float(-10 * np.log10(np.mean(errors)))


def rows_of(one, pictures, options):
    """A row for each step, from W or measured."""
    kept = options.work / f"{one.name}.json"
    if not kept.exists():
        codec, found = train(one, options), []
        for factor in FACTORS:
            bits, psnr = measure(at_steps(codec, {codec.base.name: factor}), pictures)
            found.append({**vars(one), "factor": factor, "packet_bits": bits, "psnr": psnr})
        kept.write_text(json.dumps(found))
    return json.loads(kept.read_text())


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "layers")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--scenes", type=int, default=2000, help="to train on")
    parser.add_argument("--test", type=int, default=100, help="unseen scenes to measure on")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    scenes, rows = Scenes(options.test, SIDE, SIDE, seed=3), []
    pictures = [scenes[i].pixels for i in range(len(scenes))]
    for seed in range(options.seeds):
        for one in (Trained(beta, seed) for beta in BETAS["mse"]):
            rows += rows_of(one, pictures, options)
    record = {"training_steps": options.steps, "scenes": options.scenes, "test": options.test, "pixels": SIDE * SIDE}
    record |= {"rows": summary(rows, options.seeds)}
    options.out.mkdir(parents=True, exist_ok=True)
    made = stamp("numpy", "torch", "constriction", seed=options.seeds)
    (options.out / "steps.json").write_text(json.dumps({**made, **record}, indent=1) + "\n")


def summary(rows, seeds):
    """Of each codec, for so much coarser steps: how many more bits than codecs trained for each price, at equal error.

    Those lie on a curve, by the logarithm of bits; None beyond its ends.
    """
    found = []
    for seed in range(seeds):
        own = [row for row in rows if row["seed"] == seed]
        anchors = sorted((row["psnr"], row["packet_bits"]) for row in own if row["factor"] == 1)
        for row in own:
            bits = None
            if anchors[0][0] <= row["psnr"] <= anchors[-1][0]:
                needed = PchipInterpolator([psnr for psnr, _ in anchors], np.log([each for _, each in anchors]))
                bits = float(100 * (row["packet_bits"] / np.exp(needed(row["psnr"])) - 1))
            found.append({**row, "more_bits_percent": bits})
    return found


if __name__ == "__main__":
    main()
