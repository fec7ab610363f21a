"""The pictures that codecs are measured on, and who reads them: predictors they were trained for, and unseen ones.

A reader is a `taskcodec.evaluation.dense.run.DenseTask` without files: it examines each decoded picture and scores all.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image
from torch import nn

from taskcodec.data.dense.folder import FolderLayout, FolderPictures, read_folder
from taskcodec.data.dense.picture import DensePicture, DensePictures
from taskcodec.data.dense.scenes import Scenes
from taskcodec.data.dense.views import Chosen, Relabelled
from taskcodec.distortions.tasks import Depth, Detection, Metres, Segmentation, SquaredError
from taskcodec.errors import SourceError
from taskcodec.evaluation.dense.detection import coco256_task
from taskcodec.evaluation.dense.frozen import load_detector, load_segmenter
from taskcodec.evaluation.dense.of_task import PictureTask
from taskcodec.evaluation.dense.segmentation import CAMVID_CLASSES, CITYSCAPES_TO_CAMVID
from taskcodec.evaluation.dense.unseen import UnseenSegmenter
from taskcodec.samples import VOID, spread_rows
from taskcodec.transforms.predictors.load import load_predictor
from taskcodec.transforms.predictors.saved import load_small

DRIVING, AFTER = 48, 2
"""Frames of camvid12 to measure on, spread over its test part, and how many frames each lies after those on which
trainings were looked at before their settings were final."""

GROUPS = {
    "person": (1,),
    "animal": range(16, 26),
    "vehicle": range(2, 10),
    "sky": (187,),
    "plant": (64, 119, 184, 193),
    "ground": (118, 125, 144, 145, 147, 149, 154, 159, 190, 191, 192, 194, 198, 200),
    "water": (148, 155, 178),
    "building": (95, 112, 128, 151, 161, 171, 175, 176, 177, 180, 181, 185, 186, 197, 199),
    "thing": (*range(10, 16), *range(27, 64), *range(65, 91), 107, 109, 122, 130, 133, 141, 156, 188, 189, 196),
}
"""COCO's panoptic categories, by what a small network can tell apart that saw a hundred photographs."""


@dataclass(frozen=True, eq=False)
class MeasuredSet:
    """Pictures, and who reads them.

    Attributes:
        name: of the set.
        pictures: RGB images, as they are stored.
        stored: mean bytes of a stored file; None where pictures are made.
        trained: readers that codecs are trained for, by name; the first is the set's task.
        unseen: readers that no codec was trained for.
        answered: what measures answers that are given in the place of a reader, by its name.
    """

    name: str
    pictures: list
    stored: float | None
    trained: dict
    unseen: dict
    answered: dict

    @property
    def readers(self):
        return {**self.trained, **self.unseen}


def photographs(data):
    """coco256's validation part: objects for a detector that gave gradients, and for another."""
    folder, predictors = data / "coco256_multitask", data / "frozen_predictors"
    yolox = coco256_task(folder, load_detector(predictors / "yolox_nano_416.onnx"))
    pictures = read_folder(folder / "val2017", FolderLayout("images", None, None))
    assert pictures.files == yolox.files
    return MeasuredSet(
        "coco256",
        [opened(file) for file in yolox.files],
        float(np.mean([file.stat().st_size for file in yolox.files])),
        {"YOLOX-nano": yolox, "PSNR": PictureTask(pictures, SquaredError(), "PSNR")},
        {"FastestDet": coco256_task(folder, load_detector(predictors / "FastestDet.onnx"))},
        {},
    )


def scenes_of_tables(data):
    """osd_rgbd's test part: depth."""
    pictures = tables(data, "test")
    return of_dense("osd_rgbd", pictures, {"osd_depth": Depth(load_predictor("osd_depth")), "PSNR": SquaredError()}, {})


def frames(data, work):
    """Frames of camvid12's test part: classes of pixels."""
    test = driving(data, "test")
    seen = spread_rows(len(test), DRIVING, nearest=True)
    pictures = Chosen(test, tuple((int(row) + AFTER) % len(test) for row in seen))
    deeplab = load_segmenter(data / "frozen_predictors" / "deeplab_mobilenet_edgetpu_slim_cityscapes_quant.tflite")
    trained = {"PSNR": SquaredError()}
    if (work / "camvid.safetensors").exists():
        trained = {"small segmenter": Segmentation(load_small(work / "camvid.safetensors")[0]), **trained}
    unseen = {"DeepLab Cityscapes": Segmentation(UnseenSegmenter(deeplab, CITYSCAPES_TO_CAMVID, len(CAMVID_CLASSES)))}
    return of_dense("camvid12", pictures, trained, unseen)


def made_scenes(count, layers, work):
    """Procedural scenes. layers: where `run.py` keeps its predictors; work: where unseen ones are."""
    tasks = {"detection": Detection, "depth": Depth, "segmentation": Segmentation}
    trained = {
        kind: of(load_small(layers / f"{kind}.safetensors")[0])
        for kind, of in tasks.items()
        if (layers / f"{kind}.safetensors").exists()
    }
    unseen = {
        f"unseen {kind}": of(load_small(work / f"unseen-{kind}.safetensors")[0])
        for kind, of in tasks.items()
        if (work / f"unseen-{kind}.safetensors").exists()
    }
    return of_dense("scenes", Scenes(count, 64, 64, seed=3), {**trained, "PSNR": SquaredError()}, unseen)


def of_dense(name, pictures, trained, unseen):
    """Of pictures with their truth, and tasks by their readers' names."""
    files = getattr(pictures, "files", None)
    own = {Depth: lambda: Depth(Metres()), Segmentation: lambda: Segmentation(nn.Identity())}
    answered = {key: own[type(task)]() for key, task in trained.items() if type(task) in own}
    return MeasuredSet(
        name,
        [Image.fromarray(pictures[place].pixels) for place in range(len(pictures))],
        None if files is None else float(np.mean([file.stat().st_size for file in files])),
        *(
            {key: PictureTask(pictures, task, key) for key, task in tasks.items()}
            for tasks in (trained, unseen, answered)
        ),
    )


def tables(data, part):
    """The scenes of osd_rgbd's part ("train" or "test") whose maps are of their pictures' size."""
    pictures = read_folder(data / "osd_rgbd_seg" / part, FolderLayout("rgb", "depth_mm", None))
    return Chosen(pictures, tuple(place for place in range(len(pictures)) if readable(pictures, place)))


@dataclass(frozen=True)
class Halved:
    """Pictures with their labels and depth at half their side, which saves most of a codec's work."""

    pictures: DensePictures
    box_classes: tuple = ()

    @property
    def name(self):
        return self.pictures.name

    @property
    def label_classes(self):
        return self.pictures.label_classes

    def __len__(self):
        return len(self.pictures)

    def __getitem__(self, place):
        picture = self.pictures[place]
        width, height = (side // 2 for side in picture.size)
        small = np.asarray(Image.fromarray(picture.pixels).resize((width, height), Image.Resampling.LANCZOS))
        labels, depth = (
            None if each is None else each[: 2 * height : 2, : 2 * width : 2]
            for each in (picture.labels, picture.depth)
        )
        return DensePicture(picture.id, small, labels=labels, depth=depth)


def readable(pictures, place):
    try:
        return pictures[place] is not None
    except SourceError:
        return False


def driving(data, part):
    """The frames of camvid12's part, with their classes."""
    pictures = read_folder(data / "camvid12", FolderLayout(part, None, f"{part}_label"))
    return Relabelled(pictures, (), pictures.label_classes[: len(CAMVID_CLASSES)])  # the last one is of no class


@dataclass(frozen=True)
class Grouped:
    """Photographs with COCO's panoptic categories, merged into GROUPS; others are void."""

    photographs: FolderPictures
    box_classes: tuple = ()
    label_classes: tuple = tuple(GROUPS)

    @property
    def name(self):
        return self.photographs.name

    def __len__(self):
        return len(self.photographs)

    def __getitem__(self, place):
        picture, group_of = self.photographs[place], np.full(256, VOID, np.uint8)
        for number, categories in enumerate(GROUPS.values()):
            group_of[list(categories)] = number
        return replace(picture, labels=group_of[picture.labels])


def grouped(data: Path, part):
    """The photographs of coco256's part ("train2017" or "val2017") whose pixels have categories: 100."""
    folder = data / part
    labels = tuple(sorted((folder / "semantic").glob("*.png")))
    files = tuple(folder / "images" / f"{file.stem}.jpg" for file in labels)
    return Grouped(FolderPictures("coco256", tuple(file.name for file in files), files, (), labels, 0.001))


def opened(file: Path):
    with Image.open(file) as image:
        return image.convert("RGB")
