"""Why BINCE keeps fewer of the digits than VIC does: one thing changed at a time, and what the bits of each code tell.

    python benchmarks/augmented_mnist/bince_diagnosis.py MNIST_FOLDER --work WORK [--only NAME ...] [--minutes 60]

A stand-in that takes a minute on an idle core: digits of 14 pixels, three convolutions, 2,000 steps. Trained on 50,000
training images without labels and measured on the 10,000 that are left: nothing here sees a test image. Bits are the
cross-entropy of counted tables. Resumable by setting; writes benchmarks/results/bince_diagnosis.json and a plot.

What the bits of a code tell, each a lower bound: the class (from a probe), the pose (Gaussian, from a regression of
what was drawn for a view), and which sample it is of 10,000 (a Gaussian score of two views).
"""

import argparse
import json
import math
import sys
import time
from copy import deepcopy
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from bince_variants import analysis, barlow, infonce, projection, swapped, vicreg, views
from torch import nn
from torch.nn import functional as F

from taskcodec.data.idx import read_idx_folder
from taskcodec.entropy_models.factorized import Factorized
from taskcodec.fitting.gradient.recipe import Schedule

sys.path.insert(0, str(Path(__file__).parents[1]))
from stamp import stamp

RESULTS = Path(__file__).parents[1] / "results"
TRAINING = 50_000
POSE = ("turn", "shift across", "shift down", "size", "slant")


@dataclass(frozen=True)
class Setting:
    """One training.

    temperature: None is learned. noise: on "both" codes that are compared, on "one", on "none". against: a view is
    compared with another "view" of its sample, or with the "sample" as it is. candidates: what stands for a sample that
    a view is compared with: its "code", what a "network" of its own makes of it, what a "slow" copy of the network
    makes of it (He et al., 2020), or its "pixels". further: so many candidates more, the latest ones of a slow copy, or
    the pixels of any training digits. copies: views of each sample.
    """

    loss: str = "BINCE"
    beta: float = 0.03
    rise: float = 0.6
    steps: int = 2000
    batch: int = 256
    learning_rate: float = 2e-3
    entropy_rate: float = 1e-2
    widths: tuple = (24, 48, 96)
    columns: int = 16
    head: str = "mlp"
    temperature: float | None = None
    critic: str = "cosine"
    decoupled: bool = False
    queue: int = 0
    noise: str = "both"
    against: str = "view"
    strength: float = 1.0
    candidates: str = "code"
    further: int = 0
    copies: int = 1
    seed: int = 0


BASE = Setting()
SAMPLE = replace(BASE, against="sample")
SETTINGS = {
    "as it was: beta .003": replace(BASE, beta=0.003, rise=0),
    "beta .03 from the start": replace(BASE, rise=0),
    "beta rises to .03": BASE,
    "VIC, beta .03": replace(BASE, loss="VIC", rise=0),
    "beta rises to .1": replace(BASE, beta=0.1),
    "beta rises to .3": replace(BASE, beta=0.3),
    "temperature .1": replace(BASE, temperature=0.1),
    "temperature .3": replace(BASE, temperature=0.3),
    "noise on one side": replace(BASE, noise="one"),
    "4,096 more candidates": replace(BASE, queue=4096),
    "batch 1,024, steps / 4": replace(BASE, batch=1024, steps=500),
    "batch 64, steps x 4": replace(BASE, batch=64, steps=8000),
    "no projection": replace(BASE, head="none"),
    "linear projection": replace(BASE, head="linear"),
    "critic by distance": replace(BASE, critic="distance", temperature=1.0),
    "critic by product": replace(BASE, critic="product", temperature=1.0),
    "decoupled": replace(BASE, decoupled=True),
    "learning rate x 3": replace(BASE, learning_rate=6e-3),
    "entropy model's rate / 10": replace(BASE, entropy_rate=1e-3),
    "64 columns": replace(BASE, columns=64),
    "twice as wide": replace(BASE, widths=(48, 96, 192)),
    "steps x 4": replace(BASE, steps=8000),
    "steps x 4, 4,096 more": replace(BASE, steps=8000, queue=4096),
    "half the augmentation": replace(BASE, strength=0.5),
    "VICReg": replace(BASE, loss="VICReg"),
    "Barlow twins": replace(BASE, loss="Barlow"),
    "SwAV": replace(BASE, loss="SwAV"),
    "VIC, steps x 4": replace(BASE, loss="VIC", rise=0, steps=8000),
    "against the sample": replace(BASE, against="sample"),
    "against the sample, temperature .1": replace(BASE, against="sample", temperature=0.1),
    "against the sample, temperature .3": replace(BASE, against="sample", temperature=0.3),
    "against the sample, steps x 4": replace(BASE, against="sample", steps=8000),
    "against the sample, learning rate x 3": replace(BASE, against="sample", learning_rate=6e-3),
    "against the sample, batch 1,024": replace(BASE, against="sample", batch=1024),
    "against the sample, no projection": replace(BASE, against="sample", head="none"),
    "against the sample, critic by distance": replace(BASE, against="sample", critic="distance", temperature=1.0),
    "against the sample, half the augmentation": replace(BASE, against="sample", strength=0.5),
    "against the sample, twice as wide": replace(BASE, against="sample", widths=(48, 96, 192)),
    "against the sample, VICReg": replace(BASE, against="sample", loss="VICReg"),
    "bits nearly free": replace(BASE, beta=0.0001, rise=0),
    "against the sample, bits nearly free": replace(BASE, beta=0.0001, rise=0, against="sample"),
    "sample by a network": replace(SAMPLE, candidates="network"),
    "sample by a slow copy": replace(SAMPLE, candidates="slow"),
    "sample by a slow copy, 8,192 more": replace(SAMPLE, candidates="slow", further=8192),
    "sample by its pixels": replace(SAMPLE, candidates="pixels"),
    "sample by its pixels, 8,192 more": replace(SAMPLE, candidates="pixels", further=8192),
    "sample by a network, 4 views": replace(SAMPLE, candidates="network", copies=4),
    "sample by a network, steps x 4": replace(SAMPLE, candidates="network", steps=8000),
    "sample by its pixels, 8,192 more, steps x 4": replace(SAMPLE, candidates="pixels", further=8192, steps=8000),
}


class Trainee(nn.Module):
    """What one setting trains."""

    def __init__(self, setting):
        super().__init__()
        k = setting.columns
        self.setting, self.g_a, self.entropy = setting, analysis(setting.widths, k), Factorized(k)
        self.head = projection(setting.head, k)
        if setting.loss == "VIC" or setting.candidates == "pixels":
            self.head = nn.Sequential(
                nn.Linear(k, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 196)
            )  # fmt: skip
        self.excess = nn.Parameter(torch.tensor(math.log(0.06)))
        self.prototypes = nn.Parameter(F.normalize(torch.randn(128, 64), dim=1))
        self.register_buffer("past", torch.zeros(0, 64))
        if setting.candidates == "network":
            self.other = analysis(setting.widths, 64)
        if setting.candidates == "slow":
            self.other = deepcopy(nn.Sequential(self.g_a, self.head)).requires_grad_(False)

    def latents(self, x):
        return self.g_a(((x - 0.13) / 0.27).contiguous(memory_format=torch.channels_last))

    def losses(self, x, others):
        """A batch of digits, and others of them that may serve as candidates -> distortion and rate."""
        s = self.setting
        if s.candidates != "code":
            return self.told_apart(x, others)
        seen = views(x if s.loss == "VIC" or s.against == "sample" else torch.cat([x, x]), s.strength)[0]
        y = self.latents(seen if s.loss == "VIC" or s.against == "view" else torch.cat([seen, x]))
        noisy = y + torch.rand_like(y) - 0.5
        rate = self.entropy.rate_bits(noisy).mean()
        if s.loss == "VIC":  # a pixel of 14 stands for four of 28
            return 4 * (self.head(noisy) - x.flatten(1)).square().sum(1).mean(), rate
        (a, b), (clean_a, clean_b) = self.head(noisy).chunk(2), self.head(y).chunk(2)
        pairs = {"both": [(a, b)], "one": [(a, clean_b), (clean_a, b)], "none": [(clean_a, clean_b)]}[s.noise]
        return sum(self.compared(*pair) for pair in pairs) / len(pairs), rate

    def told_apart(self, x, others):
        """Of views' codes which sample they are of, where samples are no codes: noise and rate are those of views."""
        s = self.setting
        y = self.latents(views(x.repeat(s.copies, 1, 1, 1), s.strength)[0])
        noisy = y + torch.rand_like(y) - 0.5
        rate, a, t = self.entropy.rate_bits(noisy).mean(), self.head(noisy), 0.01 + self.excess.exp()
        if s.candidates == "pixels":  # -|a - sample|^2 / t, less what all candidates share
            every = torch.cat([x, others]).flatten(1)
            scores = (2 * a @ every.T - every.square().sum(1)) / (100 * t)
        else:
            seen = ((x - 0.13) / 0.27).contiguous(memory_format=torch.channels_last)
            a, b = F.normalize(a, dim=1), F.normalize(self.other(seen), dim=1)
            scores = a @ torch.cat([b, self.past]).T / t
            if s.further:
                self.past = torch.cat([b.detach(), self.past])[: s.further]
        rows = torch.arange(len(x)).repeat(s.copies)
        return F.cross_entropy(scores, rows) / math.log(2), rate

    @torch.no_grad()
    def follow(self):
        """The slow copy comes a hundredth nearer."""
        if self.setting.candidates == "slow":
            ours = nn.Sequential(self.g_a, self.head)
            for mine, copied in zip(ours.parameters(), self.other.parameters(), strict=True):
                copied.lerp_(mine, 0.01)

    def compared(self, a, b):
        s = self.setting
        if s.loss == "BINCE":
            t = 0.01 + self.excess.exp() if s.temperature is None else s.temperature
            found = infonce(a, b, t, s.critic, s.decoupled, self.past if s.queue else None)
            if s.queue:
                self.past = torch.cat([b.detach(), self.past])[: s.queue]
            return found
        if s.loss == "SwAV":
            return swapped(a, b, self.prototypes)
        return {"VICReg": vicreg, "Barlow": barlow}[s.loss](a, b)


def trained(setting, images):
    torch.manual_seed(setting.seed)
    model, order = Trainee(setting), np.random.default_rng(setting.seed)
    schedule = Schedule(setting.steps, setting.batch, rate_rise=int(setting.rise * setting.steps))
    entropy = list(model.entropy.parameters())
    networks = [p for name, p in model.named_parameters() if p.requires_grad and not name.startswith("entropy.")]
    groups = [
        {"params": networks, "lr": setting.learning_rate}, {"params": entropy, "lr": setting.entropy_rate}
    ]  # fmt: skip
    optimizer = torch.optim.Adam(groups, fused=True)
    rates = torch.optim.lr_scheduler.LambdaLR(optimizer, schedule.factor)
    rows, last = np.zeros(0, int), []
    for step in range(setting.steps):
        while len(rows) < setting.batch:
            rows = np.concatenate([rows, order.permutation(len(images))])
        drawn, rows = rows[: setting.batch], rows[setting.batch :]
        others = order.choice(len(images), setting.further if setting.candidates == "pixels" else 0, replace=False)
        distortion, rate = model.losses(images[drawn], images[np.setdiff1d(others, drawn)])
        optimizer.zero_grad()
        (distortion + schedule.price(step) * setting.beta * rate).backward()
        nn.utils.clip_grad_norm_(networks, 1.0)
        optimizer.step()
        model.follow()
        rates.step()
        last = [*last[-99:], (float(distortion.detach()), float(rate.detach()))]
    distortion, rate = np.mean(last, axis=0)
    return model.eval(), {"distortion": distortion, "rate_bits": rate, "lowered": distortion + setting.beta * rate}


def probe(known, truth, found, outputs, passes=4):
    """What a small MLP that was trained on codes (n, k) and their truth says of others."""
    torch.manual_seed(0)
    mean, std = known.mean(0), known.std(0).clamp_min(0.3)
    x, net = (known - mean) / std, nn.Sequential(nn.Linear(known.shape[1], 256), nn.ReLU(), nn.Linear(256, outputs))
    optimizer = torch.optim.Adam(net.parameters(), 4e-3, fused=True)
    rates = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, passes * -(-len(x) // 512))
    loss = F.cross_entropy if truth.dtype == torch.long else F.mse_loss
    for _ in range(passes):
        for rows in torch.randperm(len(x)).split(512):
            optimizer.zero_grad()
            loss(net(x[rows]), truth[rows]).backward()
            optimizer.step()
            rates.step()
    with torch.no_grad():
        return net((found - mean) / std)


def column_bits(known, found):
    """Cross-entropy of symbols under tables counted on others, column by column."""
    bits = 0.0
    for a, b in zip(known.T.long(), found.T.long(), strict=True):
        low, high = min(a.min(), b.min()), max(a.max(), b.max())
        counts = torch.bincount(a - low, minlength=int(high - low) + 1).double() + 0.05
        bits -= float((counts / counts.sum()).log2()[b - low].mean())
    return bits


def shared_by_columns(symbols):
    """Bits that columns say of each other, were they Gaussian: what tables for each column pay twice."""
    correlation = torch.corrcoef((symbols + torch.rand_like(symbols) - 0.5).T)
    return float(-0.5 * torch.linalg.slogdet(correlation + 1e-6 * torch.eye(len(correlation)))[1] / math.log(2))


def sample_bits(known, other, found, again):
    """Bits that a code has of which sample it is, from codes of two views (training: known, other), and how often the
    other view is the nearest. Within a sample, and between samples, codes are taken for Gaussian."""
    k = known.shape[1]
    within = torch.cov((known - other).T) / 2 + 1e-3 * torch.eye(k)
    root = torch.linalg.cholesky(within)
    white = [
        torch.linalg.solve_triangular(root, (part - known.mean(0)).T, upper=False).T for part in (known, found, again)
    ]
    spread, axes = torch.linalg.eigh(torch.cov(white[0].T))
    between = (spread - 1).clamp_min(1e-3)
    left = 1 + between - between.square() / (1 + between)
    a, b = white[1] @ axes * (between / (1 + between)), white[2] @ axes
    scores = -0.5 * torch.cdist(a / left.sqrt(), b / left.sqrt()).square()
    same = torch.arange(len(scores))
    lost = min(float(F.cross_entropy(t * scores, same)) for t in (0.1, 0.2, 0.35, 0.5, 0.7, 1.0))
    return math.log2(len(scores)) - lost / math.log(2), float((scores.argmax(1) == same).float().mean())


@torch.no_grad()
def codes(model, images, centre, seed=None):
    """Symbols (n, k) of digits as they are, or of a view of each; and the poses."""
    torch.manual_seed(0 if seed is None else seed)
    seen = [(part, None) if seed is None else views(part) for part in images.split(2500)]
    latent = torch.cat([model.latents(part) for part, _ in seen])
    return (latent - centre).round(), None if seed is None else torch.cat([pose for _, pose in seen])


def measured(model, digits):
    (train, classes), (kept, truth) = digits
    with torch.no_grad():
        centre = torch.cat([model.latents(part) for part in train.split(2500)]).median(0).values
    known, found = (codes(model, images, centre)[0] for images in (train, kept))
    (moved, poses), (again, _) = (codes(model, train, centre, seed) for seed in (2, 4))
    (view, pose), (other, _) = (codes(model, kept, centre, seed) for seed in (1, 3))
    row = {}
    for name, pair in {"": (known, found), "_augmented": (moved, view)}.items():
        said = probe(pair[0], classes, pair[1], 10)
        row[f"accuracy{name}"] = float((said.argmax(1) == truth).float().mean())
        row[f"class_bits{name}"] = math.log2(10) - float(F.cross_entropy(said, truth)) / math.log(2)
        row[f"bits{name}"] = column_bits(*pair)
        row[f"bits_of_all_columns{name}"] = row[f"bits{name}"] - shared_by_columns(pair[0])
    mean, std = poses.mean(0), poses.std(0)
    said = probe(moved, (poses - mean) / std, view, len(POSE))
    explained = (1 - (said - (pose - mean) / std).square().mean(0)).clamp(0, 0.999)
    row["pose_explained"] = {name: round(float(share), 3) for name, share in zip(POSE, explained, strict=True)}
    row["pose_bits"] = float(-0.5 * (1 - explained).log2().sum())
    row["sample_bits"], row["sample_found"] = sample_bits(moved, again, view, other)
    return row


def draw(rows, file):
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt
    from matplotlib.ticker import LogFormatter

    from taskcodec.evaluation.report.colours import COLOURS

    figure, (left, right) = plt.subplots(1, 2, figsize=(15, 7), layout="constrained")
    for number, row in enumerate(rows):
        colour = COLOURS[0] if row["loss"] == "VIC" else COLOURS[1] if row["loss"] == "BINCE" else COLOURS[2]
        left.plot(row["bits"], 100 * (1 - row["accuracy"]), "o", color=colour)
        left.annotate(number + 1, (row["bits"], 100 * (1 - row["accuracy"])), fontsize=8, xytext=(4, 2),
                      textcoords="offset points")  # fmt: skip
        for part, key in enumerate(("class_bits_augmented", "pose_bits", "sample_bits")):
            label = key.split("_")[0] if number == 0 else None
            right.barh(number + 0.27 * (part - 1), row[key], 0.27, color=COLOURS[part + 3], label=label)
    left.set(xscale="log", yscale="log", xlabel="bits, tables for each column", ylabel="errors on the digits, %")
    left.grid(alpha=0.25, which="both")
    for axis in (left.xaxis, left.yaxis):
        axis.set_major_formatter("{x:g}")
        axis.set_minor_formatter(LogFormatter(minor_thresholds=(2, 0.6)))
    names = [row["name"] + (f", seed {row['seed']}" if row["seed"] else "") for row in rows]
    right.set_yticks(range(len(rows)), [f"{name}  {number}" for number, name in enumerate(names, 1)], fontsize=8)
    right.invert_yaxis()
    right.set_xlabel("bits that a view's code has of the class, of its pose, of which sample it is")
    right.legend(frameon=False)
    figure.savefig(file, dpi=110)
    plt.close(figure)


def read(folder):
    images, labels = read_idx_folder(folder, "train")
    x = F.avg_pool2d(torch.from_numpy(images.copy())[:, None].float() / 255, 2)
    y = torch.from_numpy(labels.astype(np.int64))
    return (x[:TRAINING], y[:TRAINING]), (x[TRAINING:], y[TRAINING:])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, help="folder of the IDX files")
    parser.add_argument("--work", type=Path, required=True, help="a file for each setting that is done")
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--only", nargs="+", default=list(SETTINGS), help="these settings alone, in this order")
    parser.add_argument("--minutes", type=float, default=math.inf, help="begin no setting after so many")
    parser.add_argument("--steps", type=int, default=None, help="instead of the usual number: a test that it works")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(1)
    options.work.mkdir(parents=True, exist_ok=True)
    digits, begun = read(options.data), time.monotonic()
    for name in options.only:
        setting = replace(SETTINGS[name], seed=options.seed)
        kept = options.work / f"{list(SETTINGS).index(name):02}-seed{options.seed}.json"
        if kept.exists() or time.monotonic() - begun > 60 * options.minutes:
            continue
        setting = setting if options.steps is None else replace(setting, steps=options.steps)
        model, losses = trained(setting, digits[0][0])
        row = {"name": name, **asdict(setting), **losses, **measured(model, digits)}
        kept.write_text(json.dumps(row))
        print(f"{name}: {row['bits']:.1f} bits, {100 * row['accuracy']:.2f} %", flush=True)
    rows = [json.loads(file.read_text()) for file in sorted(options.work.glob("*.json"))]
    options.out.mkdir(parents=True, exist_ok=True)
    content = {**stamp("torch", "numpy", seed=options.seed), "rows": rows}
    (options.out / "bince_diagnosis.json").write_text(json.dumps(content, indent=1) + "\n")
    draw(rows, options.out / "bince_diagnosis.png")


if __name__ == "__main__":
    main()
