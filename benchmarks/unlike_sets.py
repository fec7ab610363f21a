"""Labelled sets unlike ImageNet, written as folders CLASS/NUMBER.png from clones of public repositories.

    python benchmarks/unlike_sets.py CLONES DATA OUT

CLONES holds clones (bare or not) named OWNER+NAME, of those that are there:

    abin24/Magnetic-tile-defect-datasets.     magnetic_tiles     faults on tiles, 6 classes, at most 500 of each
    muhammedtalo/COVID-19                     chest_xray         X-rays, 3 classes
    brendenlake/omniglot                      drawn_letters_a, _b   drawn letters, by alphabet: 5 classes each
    ardamavi/Sign-Language-Digits-Dataset     sign_digits        hands, 10 classes
    Shenggan/BCCD_Dataset                     blood_cells        cells cut out of smears, 3 classes

DATA holds recordings (spoken_digits: DIGIT_SPEAKER_TAKE.wav), objects of aerial lidar (dales_objects.npz) and pictures
with boxes (coco256_multitask) as zip or npz files, of those that are there: speech_spectrograms, lidar_renders,
coco_crops.

Constants were chosen on sign_digits, blood_cells, coco_crops, speech_spectrograms, lidar_renders and drawn_letters_a;
nothing was chosen on magnetic_tiles, chest_xray and drawn_letters_b (whose Greek and Latin letters are in _a too).
Licences are the origins'.
"""

import argparse
import csv
import io
import random
import re
import subprocess
import xml.etree.ElementTree as ElementTree
import zipfile
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
from PIL import Image

SIDE, MOST_OF_A_CLASS, MOST_OF_AN_ALPHABET, MOST_OF_A_BOX_CLASS, BOX_CLASSES = 256, 500, 300, 150, 14
LEAST_BOX, LEAST_CELL, RED_CELLS = 20, 12, 2


class Clone:
    """Files of a clone's newest commit, also where it has no work tree."""

    def __init__(self, folder):
        self.git = ["git", "-C", str(folder / "repo" if (folder / "repo").exists() else folder)]
        names = subprocess.run([*self.git, "ls-tree", "-r", "--name-only", "HEAD"], capture_output=True, check=True)
        self.names = sorted(names.stdout.decode("utf-8", "surrogateescape").split("\n"))

    def read(self, name):
        return subprocess.run([*self.git, "show", f"HEAD:{name}"], capture_output=True, check=False).stdout


def save(folder, label, number, image):
    """Write a picture of a class, its short side at most SIDE."""
    picture = Image.open(io.BytesIO(image)) if isinstance(image, bytes) else image
    scale = SIDE / min(picture.size)
    if scale < 1:
        picture = picture.resize(
            (round(picture.width * scale), round(picture.height * scale)), Image.Resampling.LANCZOS
        )
    path = folder / str(label) / f"{number:05d}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    (picture if picture.mode in ("L", "RGB") else picture.convert("RGB")).save(path)


def some(groups, most, generator):
    """(label, number, name) of at most so many of each group, drawn."""
    for label, names in sorted(groups.items()):
        names = sorted(names)
        generator.shuffle(names)
        yield from ((label, number, name) for number, name in enumerate(names[:most]))


def magnetic_tiles(clone, out, generator):
    groups = defaultdict(list)
    for name in clone.names:
        if name.endswith(".jpg") and "/Imgs/" in name:
            groups[name.split("/")[0]].append(name)
    for label, number, name in some(groups, MOST_OF_A_CLASS, generator):
        save(out / "magnetic_tiles", label, number, clone.read(name))


def chest_xray(clone, out, generator):
    number = 0
    for name in clone.names:
        if "X-Ray Image DataSet/" in name:
            try:
                save(out / "chest_xray", name.split("/")[1], number, clone.read(name))
            except OSError:
                continue
            number += 1


def drawn_letters(clone, out, generator):
    for part, to in (("small1", "drawn_letters_a"), ("small2", "drawn_letters_b")):
        groups = defaultdict(list)
        with zipfile.ZipFile(io.BytesIO(clone.read(f"python/images_background_{part}.zip"))) as archive:
            for name in archive.namelist():
                if name.endswith(".png"):
                    groups[name.split("/")[1]].append(name)
            for label, number, name in some(groups, MOST_OF_AN_ALPHABET, generator):
                save(out / to, label, number, archive.read(name))


def sign_digits(clone, out, generator):
    for number, name in enumerate(clone.names):
        if found := re.match(r"Dataset/(\d)/.*\.JPG$", name):
            save(out / "sign_digits", found[1], number, clone.read(name))


def blood_cells(clone, out, generator):
    number = 0
    for name in clone.names:
        if not re.match(r"BCCD/Annotations/.*\.xml$", name):
            continue
        picture = Image.open(io.BytesIO(clone.read(name.replace("Annotations", "JPEGImages").replace(".xml", ".jpg"))))
        seen = Counter()
        for cell in ElementTree.fromstring(clone.read(name)).iter("object"):
            label, box = cell.findtext("name"), cell.find("bndbox")
            left, top, right, bottom = (int(float(box.findtext(side))) for side in ("xmin", "ymin", "xmax", "ymax"))
            seen[label] += 1
            if min(right - left, bottom - top) >= LEAST_CELL and not (label == "RBC" and seen[label] > RED_CELLS):
                save(out / "blood_cells", label, number, picture.crop((left, top, right, bottom)))
                number += 1


def speech_spectrograms(data, out):
    from scipy.io import wavfile
    from scipy.signal import stft

    with zipfile.ZipFile(data / "spoken_digits" / "spoken_digits.zip") as archive:
        names = sorted(name for name in archive.namelist() if name.endswith(".wav"))
        for number, name in enumerate(names):
            rate, sound = wavfile.read(io.BytesIO(archive.read(name)))
            power = np.log1p(np.abs(stft(sound.astype(float), rate, nperseg=256, noverlap=192)[2]))
            picture = Image.fromarray((power[::-1] / power.max() * 255).astype(np.uint8)).resize((128, 128))
            save(out / "speech_spectrograms", name.split("/")[-1].split("_")[0], number, picture)


def lidar_renders(data, out):
    """Objects seen from the side, brighter where more points lie."""
    with np.load(data / "dales_objects" / "dales_objects.npz") as kept:
        points, offsets, labels = kept["points_cm"], kept["offsets"], kept["label"]
    for number, label in enumerate(labels.tolist()):
        cloud = points[offsets[number] : offsets[number + 1]].astype(float)
        cloud -= cloud.min(axis=0)
        across, up = 0.8 * cloud[:, 0] + 0.6 * cloud[:, 1], cloud[:, 2]
        across -= across.min()
        scale, seen = 118 / max(across.max(), up.max(), 1), np.zeros((128, 128))
        np.add.at(seen, (123 - (up * scale).astype(int), (across * scale).astype(int) + 4), 1)
        save(
            out / "lidar_renders",
            label,
            number,
            Image.fromarray((255 * np.log1p(seen) / np.log1p(seen).max()).astype(np.uint8)),
        )


def coco_crops(data, out):
    with zipfile.ZipFile(data / "coco256_multitask" / "coco256_multitask.zip") as archive:
        table = next(name for name in archive.namelist() if name.endswith("boxes_yolo.csv"))
        boxes = list(csv.DictReader(io.StringIO(archive.read(table).decode())))
        files = {name.rsplit("/", 1)[-1]: name for name in archive.namelist() if "/images/" in name}
        wanted = [label for label, _ in Counter(box["class"] for box in boxes).most_common(BOX_CLASSES)]
        number, seen = 0, Counter()
        for box in (box for box in boxes if box["class"] in wanted):
            picture = Image.open(
                io.BytesIO(archive.read(files[box["name"] if box["name"] in files else f"{box['name']}.jpg"]))
            )
            x, y, w, h = (float(box[key]) for key in ("xc", "yc", "w", "h"))
            corners = (
                (x - w / 2) * picture.width,
                (y - h / 2) * picture.height,
                (x + w / 2) * picture.width,
                (y + h / 2) * picture.height,
            )
            if min(corners[2] - corners[0], corners[3] - corners[1]) < LEAST_BOX:
                continue
            seen[box["class"]] += 1
            if seen[box["class"]] <= MOST_OF_A_BOX_CLASS:
                save(out / "coco_crops", box["class"], number, picture.crop(tuple(int(corner) for corner in corners)))
                number += 1


CLONES = {
    "abin24+Magnetic-tile-defect-datasets.": magnetic_tiles,
    "muhammedtalo+COVID-19": chest_xray,
    "brendenlake+omniglot": drawn_letters,
    "ardamavi+Sign-Language-Digits-Dataset": sign_digits,
    "Shenggan+BCCD_Dataset": blood_cells,
}
DATA = {"spoken_digits": speech_spectrograms, "dales_objects": lidar_renders, "coco256_multitask": coco_crops}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("clones", "data", "out"):
        parser.add_argument(name, type=Path)
    arguments = parser.parse_args()
    for name, write in CLONES.items():
        if (arguments.clones / name).exists():
            write(Clone(arguments.clones / name), arguments.out, random.Random(0))
    for name, write in DATA.items():
        if (arguments.data / name).exists():
            write(arguments.data, arguments.out)
    for folder in sorted(arguments.out.iterdir()):
        print(folder.name, sum(1 for _ in folder.rglob("*.png")))


if __name__ == "__main__":
    main()
