"""A store whose samples say which they are."""

import numpy as np

import taskcodec
from taskcodec.store import SampleRecord, StoreWriter

D = 4


def stored(place, labels, chunk=16):
    """A store whose sample i decodes to a first feature that says i."""
    x = np.zeros((len(labels), D), "f4")
    x[:, 0] = np.arange(len(labels))
    codec = taskcodec.fit(np.concatenate([x, x + 1]), step=0.5, method="dimensionwise")
    with StoreWriter.create(place, codec, chunk_rows=chunk) as writer:
        writer.append(codec.encode(x), [SampleRecord(str(i), i, 16, label=label) for i, label in enumerate(labels)])
        writer.finish()
    return taskcodec.open(place)
