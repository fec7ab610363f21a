"""The answer that saw no picture, in no bytes: at each pixel the mean over the training pictures."""

import numpy as np
from machine.sets import driving, tables

from taskcodec.distortions.tasks.depth import LEAST_METRES, USUAL_METRES


def blind_answer(name, data):
    """(channels, H, W) for the reader of a set that answers are measured on, which `Metres` gives back as metres."""
    if name == "camvid12":
        frames = driving(data, "train")
        labels = np.stack([frames[place].labels for place in range(len(frames))])
        return np.stack([(labels == of).mean(axis=0) for of in range(len(frames.label_classes))]).astype(np.float32)
    scenes = tables(data, "train")
    depth = np.stack([scenes[place].depth for place in range(len(scenes))]).astype(np.float64)
    known = depth > 0
    logs = np.log(np.where(known, depth, 1)).sum(axis=0) / known.sum(axis=0).clip(1)
    return inverse_metres(np.exp(logs))[None].astype(np.float32)


def inverse_metres(metres):
    """The inverse of `taskcodec.distortions.tasks.Metres`."""
    return np.log(np.expm1(metres - LEAST_METRES)) - np.log(np.expm1(USUAL_METRES))
