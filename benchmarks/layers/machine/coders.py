"""What codes the pictures: our codecs, and pixel codecs over qualities and sizes, their file's header told apart."""

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

import taskcodec
from taskcodec.codec import Codec
from taskcodec.coding.picture import split_picture
from taskcodec.evaluation.peers.pixels import PillowCodec, scale_down

FORMATS = ("jpeg", "webp", "avif", "jxl")
SWEEPS = {
    "coco256": {
        "jpeg": ((40, None), (55, None), (75, 224)),
        "webp": ((18, None), (32, None), (40, 224), (60, 224)),
        "avif": ((25, None), (35, None), (45, None), (45, 224)),
        "jxl": ((40, None), (55, None), (70, None), (65, 224)),
    },
    "osd_rgbd": dict.fromkeys(
        FORMATS, ((5, None), (20, None), (10, 120), (30, 120), (10, 60), (30, 60), (60, 60), (20, 32), (60, 32))
    ),
    "camvid12": dict.fromkeys(FORMATS, ((10, None), (30, None), (60, None), (30, 120), (60, 120), (30, 80), (60, 80))),
    "scenes": dict.fromkeys(FORMATS, ((20, None), (50, None), (80, None), (92, None), (60, 48), (85, 48), (70, 32))),
}
"""(quality, short side) of each format on each set: around where its task begins to suffer, at several sizes."""


@dataclass(frozen=True)
class Coded:
    """A picture as it comes back, or answers (channels, H, W); bytes of file or packet; of these what is no header."""

    image: Image.Image | None
    size: int
    payload: int
    values: np.ndarray | None = None


@dataclass(frozen=True)
class Peer:
    """A pixel codec at one setting, tuned as `PillowCodec` says."""

    codec: PillowCodec
    answers = False

    @property
    def name(self):
        return self.codec.name

    @property
    def setting(self):
        return self.codec.setting

    @property
    def key(self):
        return f"{self.codec.format}-q{self.codec.quality}-s{self.codec.short_side or 0}"

    def code(self, image):
        file = self.codec.encode(image)
        with Image.open(io.BytesIO(file)) as decoded:
            return Coded(decoded.convert("RGB"), len(file), payload(self.codec.format, file))


@dataclass(frozen=True)
class Ours:
    """A codec of pictures; its kind and its price of a bit name it.

    Attributes:
        file_bytes: its networks and tables, sent once.
        short_side: what larger pictures are scaled down to first, as for peers; None: never.
    """

    codec: Codec
    name: str
    setting: str
    file_bytes: int
    short_side: int | None

    @property
    def key(self):
        return f"{self.name}-{self.setting}-{self.codec.fingerprint[:12]}"

    @property
    def answers(self):
        """Whether it gives the task's answers, and no picture."""
        return self.name == "answers"

    def code(self, image):
        packet = self.codec.compress(np.asarray(scale_down(image, self.short_side)))
        values = self.codec.pictures.values(self.codec.begin(packet), self.codec.layers[-1].name)
        layers = split_picture(packet, len(self.codec.layers))
        bare = sum(len(layers.layer(place)) for place in range(len(self.codec.layers)))
        if self.answers:
            return Coded(None, len(packet), bare, values)
        pixels = np.rint(values.clip(0, 1) * 255).astype(np.uint8).transpose(1, 2, 0)
        return Coded(Image.fromarray(pixels), len(packet), bare)


def peers(name):
    """Those of a set."""
    sweep = SWEEPS[name]
    return [Peer(PillowCodec(each, *setting)) for each in FORMATS for setting in sweep[each]]


def ours(folder: Path, names):
    """Codecs of a folder: {kind: (pattern of files, short side)}; * is what tells one price from another."""
    found = []
    for kind, (pattern, short_side) in names.items():
        before, after = pattern.split("*")
        for file in sorted(folder.glob(pattern)):
            setting = file.name.removeprefix(before).removesuffix(after)
            found.append(Ours(taskcodec.load_codec(file), kind, setting, file.stat().st_size, short_side))
    return found


def payload(image_format, file):
    """Bytes of a file that are not its container, its tables or its size: the coded picture."""
    return {"jpeg": _of_jpeg, "webp": _of_webp, "avif": _of_avif, "jxl": len}[image_format](file)


def _of_jpeg(file):
    """Of all scans; a marker has its length behind it."""
    place, total = 2, 0
    while place < len(file):
        marker, length = file[place + 1], int.from_bytes(file[place + 2 : place + 4], "big")
        if marker == 0xD9:
            break
        place += 2 + length
        if marker == 0xDA:
            start = place
            while not (file[place] == 0xFF and file[place + 1] not in (0, *range(0xD0, 0xD8))):
                place += 1
            total += place - start
    return total


def _of_webp(file):
    """Without RIFF's and the chunk's names and lengths, and a key frame's ten bytes."""
    return len(file) - 12 - 8 - 10


def _of_avif(file):
    """What lies in the box "mdat"."""
    place = 0
    while place < len(file):
        length, kind = int.from_bytes(file[place : place + 4], "big"), file[place + 4 : place + 8]
        if kind == b"mdat":
            return (length or len(file) - place) - 8
        place += length
    raise ValueError("no box mdat in this AVIF file")
