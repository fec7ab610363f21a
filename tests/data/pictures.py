"""Pictures, and a stand-in for a backbone, for the tests of sources."""

import io

import numpy as np
from PIL import Image

import taskcodec
from taskcodec.engines.encode.decide import EncodeOptions
from taskcodec.engines.encode.execute import encode_job
from taskcodec.engines.encode.records import read_item
from taskcodec.transforms.pictures.images import Preprocessing
from taskcodec.transforms.spec import BackboneSpec


class Eyes:
    """Stands where a backbone would: reads the image, looks at four of its numbers."""

    spec = BackboneSpec("eyes", "0" * 64, 4)
    preprocess = Preprocessing(64, 56, "bicubic", (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))

    def __call__(self, batch):
        return batch.reshape(len(batch), -1)[:, :4].astype(np.float32)


def noise(seed=0, width=40, height=30):
    """A picture of random pixels."""
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8))


def as_bytes(picture, kind="PNG", **options):
    """The bytes of a picture's file."""
    sink = io.BytesIO()
    picture.save(sink, format=kind, **options)
    return sink.getvalue()


def put(folder, files):
    """Write files, by their names, into folders that are made as needed."""
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)


def statuses(source):
    """What becomes of each item of a source, by its id."""
    return {item.id: read_item(item, i, Eyes())[0].status for i, item in enumerate(source.items)}


def encoded(place, store, **options):
    """Encode a source of images; the store, and the lines that were said."""
    codec = taskcodec.fit(np.random.default_rng(0).uniform(0, 255, (300, 4)).astype("f4"), bits=20)
    found = encode_job(place, store, EncodeOptions(codec=codec, backbone=Eyes(), **options))
    return found.store, list(found.notes)
