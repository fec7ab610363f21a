import json
from dataclasses import dataclass, replace
from importlib.util import find_spec

import numpy as np
import pytest
from PIL import Image

from taskcodec.data.dense.boxes import Boxes
from taskcodec.errors import SourceError, UsageError
from taskcodec.evaluation.dense.detection import DetectionScores, DetectionTask, coco256_task, coco_task, match
from taskcodec.evaluation.dense.frozen import (
    COCO_CLASSES,
    clip,
    load_detector,
    load_segmenter,
    overlaps,
    prepare_torchmetrics,
    suppress,
)
from taskcodec.evaluation.dense.run import ORIGINAL, dense_pixel_codecs, limits, run_dense
from taskcodec.evaluation.dense.segmentation import SegmentationScores, SegmentationTask, camvid_task, confusion
from taskcodec.evaluation.peers.pixels import PillowCodec
from taskcodec.evaluation.rates.curves import Row

MISSING = [name for name in ("torchmetrics", "pycocotools", "torchvision") if find_spec(name) is None]
pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")
ONCE = np.ones((1, 1))


def scores(found, truth):
    return DetectionScores(tuple(found), tuple(truth))


def test_perfect_boxes_have_ap_1_and_none_have_0():
    truth = [Boxes.of([[0, 0, 10, 10], [20, 5, 40, 40]], [0, 3]), Boxes.of([[1, 2, 30, 9]], [3])]
    perfect, nothing = scores(truth, truth), scores([Boxes.of([], [])] * 2, truth)
    assert perfect.value == pytest.approx(1)
    assert perfect.values(np.ones((1, 2))) == pytest.approx(1)
    assert nothing.value == nothing.values(np.ones((1, 2)))[0] == 0


def test_ap_of_a_known_ranking():
    # IoU of [0, 0, 10, 8] with [0, 0, 10, 10] is 0.8: right at 0.5, 0.55 ... 0.8, 7 of 10 thresholds.
    truth = [Boxes.of([[0, 0, 10, 10]], [0])]
    assert scores([Boxes.of([[0, 0, 10, 8]], [0], [0.9])], truth).values(ONCE) == pytest.approx(0.7)
    # A wrong box ranked above the right one halves the precision at every recall.
    both = Boxes.of([[50, 50, 60, 60], [0, 0, 10, 10]], [0, 0], [0.9, 0.8])
    assert scores([both], truth).values(ONCE) == pytest.approx(0.5)
    # One of two found: precision 1 at recalls 0 ... 0.5, 51 of 101.
    two = [Boxes.of([[0, 0, 10, 10], [30, 30, 50, 50]], [0, 0])]
    assert scores(truth, two).values(ONCE) == pytest.approx(51 / 101)


def random_boxes(rng, count, classes, crowd=False):
    corner = rng.uniform(0, 60, (count, 2))
    corners = np.concatenate([corner, corner + rng.uniform(5, 40, (count, 2))], axis=1)
    flags = rng.random(count) < 0.2 if crowd else None
    return Boxes.of(corners, rng.integers(0, classes, count), rng.permutation(count) / count + rng.random(), flags)


@pytest.mark.parametrize("seed", range(4))
def test_weighted_ap_equals_torchmetrics(seed):
    rng = np.random.default_rng(seed)
    truth = [random_boxes(rng, rng.integers(0, 9), 3, crowd=seed % 2 == 1) for _ in range(12)]
    found = []
    for boxes in truth:
        near = boxes.corners + rng.uniform(-2, 2, boxes.corners.shape)  # sides of 5 stay above 0
        more = random_boxes(rng, 6, 4)
        labels = np.concatenate([boxes.labels, more.labels])
        found.append(Boxes.of(np.concatenate([near, more.corners]), labels, rng.random(len(labels))))
    result = scores(found, truth)
    assert result.values(np.ones((1, 12)))[0] == pytest.approx(result.value, abs=1e-6)
    # An image that is left out, or taken twice, is as if it were so.
    some = [0, 2, 3, 7, 8, 11]
    weights = np.isin(np.arange(12), some)[None].astype(float)
    part = scores([found[i] for i in some], [truth[i] for i in some])
    assert result.values(weights)[0] == pytest.approx(part.value, abs=1e-6)


def test_matching_takes_each_true_box_once_and_a_crowd_often():
    truth, crowd = np.array([[0, 0, 10, 10], [20, 20, 60, 60.0]]), np.array([False, True])
    found = np.array([[0, 0, 10, 10], [0, 0, 10, 9.9], [20, 20, 30, 30], [40, 40, 60, 60.0]])
    right, ignored = match(found, truth, crowd)
    assert right[0].tolist() == [True, False, False, False]
    assert ignored[0].tolist() == [False, False, True, True]


def test_overlap_clip_and_suppression():
    one = np.array([[0, 0, 10, 10.0]])
    assert overlaps(one, np.array([[5, 0, 15, 10.0]]))[0, 0] == pytest.approx(1 / 3)
    boxes = Boxes.of(
        [[0, 0, 10, 10], [0, 0, 10, 9], [0, 0, 10, 9], [-5, -5, 5, 5], [50, 0, 60, 9]],
        [0, 0, 1, 0, 0],
        [0.5, 0.9, 0.8, 0.1, 1],
    )
    inside = clip(boxes, (40, 40))
    assert len(inside) == 4
    kept = suppress(inside)
    assert kept.scores.tolist() == pytest.approx([0.9, 0.8, 0.1])
    with pytest.raises(UsageError, match="boxes"):
        Boxes.of([[0, 0, 1, 1]], [1, 2])


def test_miou_of_a_known_confusion_and_of_torchmetrics():
    prepare_torchmetrics()
    counts = np.array([[[3, 1], [2, 4]]])
    assert SegmentationScores(counts).value == pytest.approx((3 / 6 + 4 / 7) / 2)
    import torch
    from torchmetrics.classification import MulticlassJaccardIndex

    rng = np.random.default_rng(0)
    truth, named = rng.integers(0, 6, (5, 9, 8)), rng.integers(0, 5, (5, 9, 8))
    counts = np.stack([confusion(a, b, 5) for a, b in zip(named, truth, strict=True)])
    metric = MulticlassJaccardIndex(6, average="none", ignore_index=5)
    metric.update(torch.from_numpy(named), torch.from_numpy(truth))
    ours = SegmentationScores(counts)
    assert ours.value == pytest.approx(float(metric.compute()[:5].mean()), abs=1e-6)
    weights = np.array([[1, 0, 2, 0, 0]])
    twice = SegmentationScores(counts[[0, 2, 2]])
    assert ours.values(weights)[0] == pytest.approx(twice.value)
    assert confusion(named[0], np.full((9, 8), 5), 5).sum() == 0


@dataclass(frozen=True)
class BrightBox:
    """Finds the box around what is brighter than half, and calls it class 0."""

    name: str = "bright box"
    classes: tuple[str, ...] = COCO_CLASSES

    def __call__(self, image):
        bright = np.asarray(image.convert("L")) > 127
        if not bright.any():
            return Boxes.of([], [])
        rows, columns = np.flatnonzero(bright.any(axis=1)), np.flatnonzero(bright.any(axis=0))
        return Boxes.of([[columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]], [0], [0.9])


@dataclass(frozen=True)
class Darkness:
    """A codec that keeps nothing of the pixels, or everything, of every second image."""

    name: str = "darkness"
    share: int = 1

    @property
    def setting(self):
        return f"every {self.share}"

    def encode_decode(self, image):
        dark = hash(image.tobytes()) % self.share == 0
        return (Image.new("RGB", image.size) if dark else image), 100


@pytest.fixture
def coco(tmp_path):
    """A folder in COCO's format: one bright box an image."""
    rng, root = np.random.default_rng(0), tmp_path / "boxes"
    (root / "images").mkdir(parents=True)
    images, annotations = [], []
    for i in range(12):
        left, top, width, height = (int(v) for v in rng.integers(8, 30, 4))
        pixels = np.zeros((64, 80, 3), np.uint8)
        pixels[top : top + height, left : left + width] = 250
        Image.fromarray(pixels).save(root / "images" / f"bild {i} ü.png")
        images.append({"id": 100 + i, "file_name": f"bild {i} ü.png", "width": 80, "height": 64})
        annotations.append({"image_id": 100 + i, "category_id": 7, "bbox": [left, top, width, height]})
        annotations.append({"image_id": 100 + i, "category_id": 9, "bbox": [0, 0, 5, 5]})
    names = [{"id": 7, "name": "Person"}, {"id": 9, "name": "unheard of"}]
    content = {"images": images, "annotations": annotations, "categories": names}
    (root / "annotations.json").write_text(json.dumps(content))
    return root


def test_rows_of_a_lossless_and_of_a_destroying_codec(coco, tmp_path):
    task, calls = coco_task(coco, BrightBox()), []
    codecs = [PillowCodec("png"), PillowCodec("jpeg", 90), Darkness()]
    rows = run_dense(task, codecs, tmp_path / "cache", lambda *at: calls.append(at))
    original, png, jpeg, dark = rows
    assert [row.codec for row in rows] == [ORIGINAL, "PNG", "JPEG", "darkness"]
    assert (original.metric, original.samples, original.set, original.probe) == ("map", 12, "boxes", "bright box")
    assert original.value == png.value == pytest.approx(1)
    assert original.bits_per_sample == np.mean([8 * file.stat().st_size for file in task.files])
    assert (png.difference, png.difference_low, png.difference_high) == (0, 0, 0)
    assert jpeg.value > 0.8
    assert dark.value == 0
    assert dark.difference_high < -0.9
    assert dark.bits_per_sample == 800
    assert calls[-1] == (48, 48)
    again = run_dense(replace(task, detector=replace(task.detector)), codecs, tmp_path / "cache")
    assert again == rows


def test_boxes_found_in_a_smaller_image_are_scaled_back(coco):
    rows = run_dense(coco_task(coco, BrightBox()), [PillowCodec("png", None, 32)])
    assert rows[1].value > 0.5


def test_difference_is_paired(coco):
    rows = run_dense(coco_task(coco, BrightBox()), [PillowCodec("png"), PillowCodec("jpeg", 60)])
    assert all(row.difference_low <= row.difference <= row.difference_high for row in rows)
    assert all(row.low <= row.value <= row.high for row in rows)


def test_faults_are_one_line(coco, tmp_path):
    file = coco / "annotations.json"
    with pytest.raises(UsageError, match="no box of a class"):
        coco_task(coco, replace(BrightBox(), classes=("nothing",)))
    (coco / "second.json").write_text("{}")
    with pytest.raises(SourceError, match=r"one \.json file"):
        coco_task(coco, BrightBox())
    with pytest.raises(SourceError, match="not in COCO's format"):
        coco_task(coco, BrightBox(), coco / "second.json")
    with pytest.raises(SourceError, match=r"none\.json: cannot be read"):
        coco_task(coco, BrightBox(), coco / "none.json")
    whole = coco / "images" / "bild 3 ü.png"
    whole.write_bytes(whole.read_bytes()[:60])
    with pytest.raises(SourceError, match=r"bild 3 ü\.png: "):
        run_dense(coco_task(coco, BrightBox(), file), [])
    whole.unlink()
    with pytest.raises(SourceError, match=r"bild 3 ü\.png of annotations\.json is not there"):
        coco_task(coco, BrightBox(), file)
    for load, name in ((load_detector, "x.onnx"), (load_segmenter, "x.tflite")):
        with pytest.raises(SourceError, match=f"{name}: cannot be read"):
            load(tmp_path / name)
        (tmp_path / name).write_bytes(b"nothing of the kind")
        with pytest.raises(SourceError, match=f"{name}: not a"):
            load(tmp_path / name)


def test_an_image_turned_against_its_boxes_is_refused():
    task = DetectionTask("toy", BrightBox(), ("a.png",), ((30, 20),), (Boxes.of([[0, 0, 5, 5]], [0]),))
    with pytest.raises(SourceError, match=r"a\.png: 20x30"):
        task.examine(0, Image.new("RGB", (20, 30)))


@dataclass(frozen=True)
class Threshold:
    """Names bright pixels 1 and dark ones 0."""

    name: str = "threshold"

    def __call__(self, image):
        return (np.asarray(image.convert("L")) > 127).astype(np.int64)


@pytest.fixture
def halves(tmp_path):
    """Frames of a bright and a dark half, with two void rows; CamVid's layout."""
    (tmp_path / "test").mkdir()
    (tmp_path / "test_label").mkdir()
    for i in range(6):
        labels = np.zeros((20, 30), np.uint8)
        labels[:, 8 + 3 * i :] = 1
        Image.fromarray(np.repeat((labels * 220)[..., None], 3, axis=2)).save(tmp_path / "test" / f"{i}.png")
        labels[:2] = 11
        Image.fromarray(labels).save(tmp_path / "test_label" / f"{i}.png")
    return tmp_path


def test_segmentation_rows(halves):
    files = camvid_task(halves, Threshold()).files
    labels = camvid_task(halves, Threshold()).labels
    task = SegmentationTask("halves", Threshold(), files, labels, ("dark", "bright"), (0, 1))
    original, png, dark = run_dense(task, [PillowCodec("png", None, 10), Darkness()])
    assert (original.metric, original.value) == ("miou", 1)
    assert png.value > 0.9
    # Everything is named dark: IoU of dark is its share of the pixels, of bright 0.
    shares = [(8 + 3 * i) / 30 for i in range(6)]
    assert dark.value == pytest.approx(np.mean(shares) / 2)
    assert dark.difference_high < 0
    swapped = run_dense(replace(task, mapping=(1, 0)), [])
    assert swapped[0].value == 0
    assert len(camvid_task(halves, Threshold(), limit=3).files) == 3
    with pytest.raises(UsageError, match="gives class 1"):
        run_dense(replace(task, mapping=(0,)), [])
    labels[0].unlink()
    with pytest.raises(SourceError, match=r"0\.png: no such file of labels"):
        camvid_task(halves, Threshold())
    with pytest.raises(SourceError, match=r"no \.jpg or \.png"):
        camvid_task(halves, Threshold(), split="val")


def test_limits_walk_down_the_settings_that_no_cheaper_one_equals():
    def row(bits, value, low, high):
        return Row(
            "frozen", "JPEG", str(bits), "s", "t", "map", "p", "", 9, bits, value, 0, 1, 0.5, value - 0.5, low, high
        )

    rows = [
        row(1000, 0.50, -0.010, 0.010),
        row(900, 0.40, -0.12, -0.08),  # dominated by the next
        row(500, 0.495, -0.015, 0.005),
        row(250, 0.485, -0.025, -0.005),
        row(100, 0.30, -0.25, -0.15),
    ]
    (found,) = limits(rows)
    assert (found.unnoticed_bits, found.noticed_bits) == (500, 250)
    assert found.loss_bits == pytest.approx(np.sqrt(500 * 250))
    (never,) = limits(rows[:1])
    assert (never.unnoticed_bits, never.noticed_bits, never.loss_bits) == (1000, None, None)
    (always,) = limits(rows[3:])
    assert (always.unnoticed_bits, always.noticed_bits, always.loss_bits) == (None, 250, None)


def test_sweep_has_distinct_settings():
    codecs = dense_pixel_codecs()
    assert len({(codec.name, codec.setting) for codec in codecs}) == len(codecs) >= 9


def test_frozen_predictors_find_what_is_there(data_dir):
    """The real files, on two pictures each of real sets."""
    pytest.importorskip("onnxruntime")
    folder = data_dir / "frozen_predictors"
    sets = data_dir / "coco256_multitask"
    if not (folder / "yolox_nano_416.onnx").is_file() or not (sets / "coco256_multitask.zip").is_file():
        pytest.skip(f"no frozen predictors or pictures in {data_dir}")
    import zipfile

    with zipfile.ZipFile(sets / "coco256_multitask.zip") as archive:
        name = next(n for n in archive.namelist() if n.endswith("val2017/images/000000000724.jpg"))
        picture = Image.open(archive.open(name)).convert("RGB")
    for file in ("yolox_nano_416.onnx", "FastestDet.onnx"):
        detector = load_detector(folder / file)
        boxes = detector(picture)
        best = boxes.scores.argmax()
        assert detector.classes[boxes.labels[best]] == "stop sign"
        assert boxes.scores[best] > 0.8
        assert (boxes.corners[:, 2:] <= np.array(picture.size)).all()


def test_coco256_layout(tmp_path):
    (tmp_path / "index.csv").write_text("name,split,w,h\na,val2017,100,50\nb,train2017,9,9\n")
    (tmp_path / "boxes_yolo.csv").write_text("name,split,class,xc,yc,w,h\na,val2017,2,0.5,0.5,0.2,0.4\n")
    task = coco256_task(tmp_path, BrightBox())
    assert task.truth[0].corners.tolist() == pytest.approx(np.array([[40, 15, 60, 35]]))
    assert task.truth[0].labels.tolist() == [2]
    with pytest.raises(SourceError, match="lists no image"):
        coco256_task(tmp_path, BrightBox(), split="test")
    with pytest.raises(UsageError, match="80 classes"):
        coco256_task(tmp_path, replace(BrightBox(), classes=("one",)))
