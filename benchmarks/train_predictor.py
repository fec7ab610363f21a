"""Train a small predictor, and measure it on pictures that it did not see.

    python benchmarks/train_predictor.py osd --data osd_rgbd_seg --work W --out FILE.safetensors --results R.json
    python benchmarks/train_predictor.py detection --work W --out FILE.safetensors --results R.json  # scenes

osd is the depth network that ships: DATA is the unpacked Object Segmentation Database, train/ and test/ with rgb/ and
depth_mm/. camvid names the pixels of driving scenes: DATA is camvid12, unpacked; coco those of photographs at half
their side, by groups of categories: DATA is coco256_multitask. detection, segmentation, depth and classification are
tasks on scenes of 64 x 64; others of their kind have another --seed and --widths. A run goes on from the last
checkpoint in WORK. Writes FILE, and its figures to RESULTS. About 10 minutes on one core.
"""

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from stamp import stamp
from torch import nn
from torch.nn.functional import interpolate

sys.path.insert(0, str(Path(__file__).parent / "layers"))
from machine.sets import Halved, grouped

from taskcodec.data.dense.batches import truth_of
from taskcodec.data.dense.folder import FolderLayout, read_folder
from taskcodec.data.dense.scenes import Scenes
from taskcodec.data.dense.views import Relabelled
from taskcodec.distortions.tasks import Classification, Depth, Detection, Segmentation, Task, Truth
from taskcodec.engines.train.pictures.data import known
from taskcodec.errors import SourceError
from taskcodec.evaluation.dense.depth import depth_errors
from taskcodec.evaluation.dense.of_task import PictureTask, score_pictures
from taskcodec.evaluation.dense.segmentation import CAMVID_CLASSES
from taskcodec.fitting.gradient.pictures.data import Crops, PictureSet
from taskcodec.transforms.predictors.saved import SmallPredictor, load_small, save_small

CHECKPOINT = 100
LAYOUT = FolderLayout("rgb", "depth_mm", None)
TASKS = {"detection": Detection, "segmentation": Segmentation, "depth": Depth, "classification": Classification}
UNSEEN = Scenes(500, 64, 64, seed=2)


@dataclass(frozen=True)
class Training:
    """What is trained. batch: number of a step -> pictures and their truth; measure: task -> figures."""

    of: SmallPredictor
    steps: int
    rate: float
    batch: Callable[[int], Truth]
    measure: Callable[[Task], dict]


def zoomed(picture, depth, generator):
    """A part of the frame at the frame's size: what is so many times larger is so many times nearer."""
    height, width = depth.shape
    factor = 1 + 0.3 * torch.rand(1, generator=generator).item()
    rows, columns = int(height / factor), int(width / factor)
    top = torch.randint(0, height - rows + 1, (1,), generator=generator).item()
    left = torch.randint(0, width - columns + 1, (1,), generator=generator).item()
    part = np.s_[..., top : top + rows, left : left + columns]
    picture = interpolate(picture[part][None], (height, width), mode="bilinear", align_corners=False)[0]
    return picture, interpolate(depth[part][None, None], (height, width), mode="nearest")[0, 0] / factor


def varied(picture, depth, generator):
    """Another view of a scene: mirrored, zoomed, in another light, with noise."""
    chance = torch.rand(3, generator=generator).tolist()
    if chance[0] < 0.5:
        picture, depth = picture.flip(-1), depth.flip(-1)
    if chance[1] < 0.6:
        picture, depth = zoomed(picture, depth, generator)
    gain = 1 + 0.15 * torch.randn(1, generator=generator) + 0.08 * torch.randn(3, 1, 1, generator=generator)
    shift = 0.05 * torch.randn(1, generator=generator)
    noise = 0.02 * chance[2] * torch.randn(picture.shape, generator=generator)
    return (picture * gain + shift + noise).clamp(0, 1), depth


def of_table(data):
    """The depth network that ships."""
    kept = {split: readable(read_folder(data / split, LAYOUT)) for split in ("train", "test")}
    whole = {split: truth_of(pictures) for split, (pictures, _) in kept.items()}
    train = whole["train"]

    def batch(step):
        generator = torch.Generator().manual_seed(step)
        rows = torch.randint(0, len(train.pictures), (4,), generator=generator)
        pairs = [varied(train.pictures[row], train.depth[row], generator) for row in rows]
        pictures, depth = (torch.stack(each) for each in zip(*pairs, strict=True))
        return Truth(pictures, depth=depth)

    def measure(task):
        known = train.depth > 0
        mean = train.depth.sum(dim=0) / known.sum(dim=0).clamp(min=1)
        mean = torch.where(mean > 0, mean, train.depth[known].mean())  # no scene is known there
        with torch.no_grad():
            found = {split: [task.predict(p[None])[0] for p in truth.pictures] for split, truth in whole.items()}
        return {
            "scenes": {split: len(pictures) for split, (pictures, _) in kept.items()},
            "left out, since their maps are not of their pictures' size": kept["train"][1] + kept["test"][1],
            "errors": {split: mean_errors(found[split], truth.depth) for split, truth in whole.items()},
            "errors of the mean depth of each pixel": {
                split: mean_errors([mean] * len(truth.depth), truth.depth) for split, truth in whole.items()
            },
        }

    note = "the 45 training scenes of osd_rgbd_seg (Richtsfeld et al. 2012, from PointCloudLibrary/data), 320 x 240"
    return Training(SmallPredictor("depth", (16, 32, 48, 64, 96), (), 0.8, note), 2000, 2e-3, batch, measure)


def readable(pictures):
    """Those whose maps fit them, and the names of the others: some clouds of the set have no rows and columns."""
    found, left = [], []
    for place, name in enumerate(pictures.ids):
        try:
            found.append(pictures[place])
        except SourceError:
            left.append(name)
    return found, left


def mean_errors(found, depths):
    """Means over scenes."""
    each = [asdict(depth_errors(f.numpy(), d.numpy())) for f, d in zip(found, depths, strict=True)]
    return {key: round(float(np.mean([errors[key] for errors in each])), 4) for key in each[0]}


def of_driving(data):
    """Classes of pixels of driving scenes."""
    kept = {
        split: _named(read_folder(data, FolderLayout(split, None, f"{split}_label"))) for split in ("train", "test")
    }
    train = truth_of([kept["train"][place] for place in range(len(kept["train"]))])

    def batch(step):
        generator = torch.Generator().manual_seed(step)
        rows = torch.randint(0, len(train.pictures), (4,), generator=generator)
        pictures, labels = train.pictures[rows], train.labels[rows]
        if torch.rand(1, generator=generator).item() < 0.5:
            pictures, labels = pictures.flip(-1), labels.flip(-1)
        return Truth((pictures * (1 + 0.15 * torch.randn(4, 1, 1, 1, generator=generator))).clamp(0, 1), labels=labels)

    def measure(task):
        test = kept["test"]
        scores = score_pictures(PictureTask(test, task, "small"), (test[i].pixels for i in range(len(test))))
        return {f"{task.metric} on {len(test)} test frames": round(scores.value, 4)}

    note = "the 367 training frames of camvid12 (Brostow et al. 2009, classes of SegNet), 240 x 180"
    of = SmallPredictor("segmentation", (16, 32, 48, 64, 96), CAMVID_CLASSES, 1.0, note)
    return Training(of, 1000, 2e-3, batch, measure)


def of_photographs(data):
    """Groups of classes of the pixels of photographs, at half their side."""
    train, test = (Halved(grouped(data, part)) for part in ("train2017", "val2017"))
    crops = Crops(PictureSet([known(train[place]) for place in range(len(train))], {}), 128, 0)

    def batch(step):
        generator = torch.Generator().manual_seed(step)
        truth = crops[step, torch.randint(0, len(train), (4,), generator=generator)].truth
        pictures, labels = truth.pictures, truth.labels
        if torch.rand(1, generator=generator).item() < 0.5:
            pictures, labels = pictures.flip(-1), labels.flip(-1)
        return Truth((pictures * (1 + 0.15 * torch.randn(4, 3, 1, 1, generator=generator))).clamp(0, 1), labels=labels)

    def measure(task):
        scores = score_pictures(PictureTask(test, task, "small"), (test[i].pixels for i in range(len(test))))
        return {f"{task.metric} on {len(test)} unseen photographs": round(scores.value, 4)}

    note = f"the {len(train)} photographs with classes of coco256's train2017, at half their side"
    of = SmallPredictor("segmentation", (16, 32, 48, 64, 96), train.label_classes, 1.0, note)
    return Training(of, 1000, 2e-3, batch, measure)


def _named(frames):
    """Without the last class, which is of pixels that have none."""
    return Relabelled(frames, (), frames.label_classes[: len(CAMVID_CLASSES)])


def of_scenes(kind, seed, widths):
    """A task on scenes, each seen once."""
    scenes = Scenes(10**9, 64, 64, seed=seed)
    classes = {"segmentation": scenes.label_classes, "depth": ()}.get(kind, scenes.box_classes)
    of = SmallPredictor(kind, widths, classes, 4.0, f"procedural scenes of 64 x 64, seed {seed}")

    def batch(step):
        return truth_of([scenes[16 * step + place] for place in range(16)])

    def measure(task):
        scores = score_pictures(PictureTask(UNSEEN, task, kind), (UNSEEN[i].pixels for i in range(len(UNSEEN))))
        return {f"{task.metric} on {len(UNSEEN)} unseen scenes": round(scores.value, 4)}

    return Training(of, 2500, 3e-3, batch, measure)


def train(training, work, seed):
    """The network after all steps, from the last checkpoint on."""
    torch.manual_seed(seed)
    network = training.of.build().to(memory_format=torch.channels_last)  # a fifth quicker on a processor
    task = TASKS[training.of.kind](network, frozen=False)
    optimizer = torch.optim.AdamW(task.parameters(), training.rate, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, training.rate, training.steps, pct_start=0.1)
    file, first = work / "last.pt", 0
    if file.exists():
        kept = torch.load(file, weights_only=True)
        for part, state in zip((task, optimizer, schedule), kept["states"], strict=True):
            part.load_state_dict(state)
        first = kept["step"]
    for step in range(first, training.steps):
        truth = training.batch(step)
        loss = task.loss(truth.pictures, truth).mean()
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(task.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if (step + 1) % CHECKPOINT == 0:
            states = [part.state_dict() for part in (task, optimizer, schedule)]
            torch.save({"step": step + 1, "states": states}, file.with_suffix(".new"))
            file.with_suffix(".new").replace(file)
            print(f"{step + 1} of {training.steps} steps, loss {loss.item():.5f}", flush=True)
    return network


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["osd", "camvid", "coco", *TASKS])
    parser.add_argument("--data", type=Path, help="of osd, camvid and coco")
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--results", type=Path, required=True, help="a .json file")
    parser.add_argument("--steps", type=int, help="of the training; fewer for a try")
    parser.add_argument("--seed", type=int, default=0, help="of the weights; scenes have the next one")
    parser.add_argument("--widths", type=int, nargs="+", default=[16, 32, 48, 64], help="of networks for scenes")
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    real = {"osd": of_table, "camvid": of_driving, "coco": of_photographs}
    if arguments.what in real:
        training = real[arguments.what](arguments.data)
    else:
        training = of_scenes(arguments.what, arguments.seed + 1, tuple(arguments.widths))
    training = replace(training, steps=arguments.steps or training.steps)
    save_small(train(training, arguments.work, arguments.seed), training.of, arguments.out)
    network, of = load_small(arguments.out)
    content = {
        "network": asdict(of),
        "weights": sum(value.numel() for value in network.state_dict().values()),
        "bytes": arguments.out.stat().st_size,
        "steps": training.steps,
        "made by": stamp("torch", "numpy", seed=arguments.seed),
        **training.measure(TASKS[of.kind](network)),
    }
    arguments.results.write_text(json.dumps(content, indent=1) + "\n")
    print(json.dumps(content, indent=1))


if __name__ == "__main__":
    main()
