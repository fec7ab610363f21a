"""Encoding a folder of JPEG files end to end, against the backbone alone on pixels already in memory.

    python benchmarks/encode_throughput.py IMAGES [-o benchmarks/encode_throughput.json]

Paired rounds: each times both on the same images, with the same number of threads. The ratio is what counts.
"""

import argparse
import json
import platform
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch

from taskcodec.data import open_source
from taskcodec.engines.encode.decide import EncodeOptions
from taskcodec.engines.encode.execute import encode_job
from taskcodec.engines.encode.local import BATCH
from taskcodec.transforms.backbones import load_backbone

ROUNDS = 3


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("images", type=Path)
    parser.add_argument("-o", "--output", type=Path)
    arguments = parser.parse_args()
    backbone, source = load_backbone("lite0"), open_source(arguments.images)
    pixels = np.stack([backbone.preprocess(item.read()) for item in source.items])
    alone, whole = [], []
    for round_number in range(ROUNDS + 1):
        start = time.perf_counter()
        for i in range(0, len(pixels), BATCH):
            backbone(pixels[i : i + BATCH])
        middle = time.perf_counter()
        with tempfile.TemporaryDirectory() as folder:
            encode_job(source, f"{folder}/x.tcz", EncodeOptions(codec="lite0", backbone=backbone, bits=850))
        if round_number:  # the first round warms up
            alone.append(len(source) / (middle - start))
            whole.append(len(source) / (time.perf_counter() - middle))
    result = {
        "images": len(source),
        "threads": torch.get_num_threads(),
        "backbone_alone_images_per_second": float(np.median(alone)),
        "end_to_end_images_per_second": float(np.median(whole)),
        "ratio": float(np.median(np.array(whole) / np.array(alone))),
        "command": sys.argv,
        "versions": {name: version(name) for name in ("torch", "numpy", "pillow")},
        "python": platform.python_version(),
    }
    print(json.dumps(result, indent=1))
    if arguments.output:
        arguments.output.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
