"""What readers find in decoded pictures, kept in a folder: a measurement that was stopped goes on."""

from dataclasses import dataclass

import numpy as np

from taskcodec.evaluation.npz import read_arrays, write_arrays


@dataclass(frozen=True, eq=False)
class Read:
    """One codec at one setting on one set.

    Attributes:
        name, setting: the codec's.
        sizes, payloads: (n,) bytes of each picture, and those that are no header.
        scores: by reader, over the n pictures.
    """

    name: str
    setting: str
    sizes: np.ndarray
    payloads: np.ndarray
    scores: dict


def read(measured, coder, readers, folder):
    """A `Read` of a `MeasuredSet` by some of its readers. coder: None for pictures as they are.

    Answers go to the metric of those readers that a codec can answer in the place of.
    """
    answers = coder is not None and coder.answers
    if answers:
        readers = [name for name in readers if name in measured.answered]
    key = "original" if coder is None else coder.key
    count = len(measured.pictures)
    file = folder / f"{measured.name}-{count}-{key}.npz"
    kept = read_arrays(file) or {}
    lacking = [name for name in readers if f"{name}/{count - 1}" not in kept]
    if lacking or "sizes" not in kept:
        sizes, payloads = np.zeros(count), np.zeros(count)
        for place, image in enumerate(measured.pictures):
            if coder is not None:
                coded = coder.code(image)
                image, sizes[place], payloads[place] = coded.image, coded.size, coded.payload
            for name in lacking:
                kept[f"{name}/{place}"] = (
                    measured.answered[name].examine_values(place, coded.values)
                    if answers
                    else measured.readers[name].examine(place, image)
                )
        kept |= {"sizes": sizes, "payloads": payloads}
        folder.mkdir(parents=True, exist_ok=True)
        write_arrays(file, kept)
    scores = {name: measured.readers[name].score([kept[f"{name}/{i}"] for i in range(count)]) for name in readers}
    name, setting = ("stored", "as they are") if coder is None else (coder.name, coder.setting)
    return Read(name, setting, kept["sizes"], kept["payloads"], scores)
