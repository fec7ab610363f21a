"""The certificate over rates and strengths of augmentation, on one folder of images through the default codec.

    python benchmarks/certificate.py FOLDER [--pairs 4000] [-o benchmarks/results/certificate.json]

For each strength, features of fresh views are computed once; for each rate, the bundled codec is refitted to the
images as `taskcodec encode` does it, and the bound is found as `taskcodec evaluate --certificate` finds it.
"""

import argparse
import json
import platform
from importlib.metadata import version
from pathlib import Path

import numpy as np

import taskcodec
from taskcodec.coding import encode_block
from taskcodec.data.augmentations.draws import AUGMENTATIONS
from taskcodec.data.sources import open_source
from taskcodec.engines.encode.augmented_views import views_of_squares
from taskcodec.engines.encode.local import Batches
from taskcodec.evaluation.certificate.bound import bound_excess, draw_items, fit_posterior, identity_bits
from taskcodec.evaluation.certificate.of_store import CALIBRATION
from taskcodec.fitting import default_bits
from taskcodec.transforms.backbones import load_backbone

SEED = 0


def originals(source, backbone):
    """(items that can be read, their features)."""
    records, features = Batches(source, backbone).whole()
    read = {record.id for record in records if record.status == "ok"}
    return [item for item in source.items if item.id in read], features


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--augmentations", nargs="+", default=["mild", "medium", "strong"], choices=list(AUGMENTATIONS))
    parser.add_argument("--bits", type=float, nargs="+", default=[default_bits(1280), 200, 100, 50, 25, 12])
    parser.add_argument("--pairs", type=int, default=4000)
    parser.add_argument("-o", "--output", type=Path)
    arguments = parser.parse_args()
    backbone, codec = load_backbone("lite0"), taskcodec.load_codec("lite0")
    items, features = originals(open_source(arguments.folder), backbone)
    n, rows = len(items), []
    few, again = (np.sort(np.random.default_rng([SEED, part]).permutation(n)[:CALIBRATION]) for part in (1, 2))
    tested = draw_items(n, arguments.pairs, SEED)
    numbers, cuts = np.concatenate([few, again, tested]), [len(few), len(few) + len(again)]
    for strength in arguments.augmentations:
        views = views_of_squares(items, numbers.tolist(), backbone, AUGMENTATIONS[strength], SEED)
        for bits in arguments.bits:
            used = taskcodec.adapt(codec, features, bits)
            codes = used.encode(features)
            noise, shape, fresh = np.split(used.decode(used.encode(views)), cuts)
            posterior = fit_posterior(used.decode(codes), noise, few, shape, again)
            found = bound_excess(posterior, fresh, tested, n)
            row = {
                "augmentations": strength,
                "bits_file": 8 * len(encode_block(codes, used.base.model)) / n,
                "excess_risk_bound_bits": found.bound_bits,
                "estimate_bits": found.mean_bits,
                "confidence": found.confidence,
                "samples": n,
                "views": found.pairs,
                "without_augmentations_bits": identity_bits(codes),
            }
            rows.append(row)
            print(json.dumps(row), flush=True)
    result = {
        "rows": rows,
        "words": {name: AUGMENTATIONS[name].words for name in arguments.augmentations},
        "seed": SEED,
        "command": "python benchmarks/certificate.py FOLDER",
        "folder": arguments.folder.resolve().parent.name + "/" + arguments.folder.resolve().name,
        "versions": {name: version(name) for name in ("numpy", "torch", "constriction")},
        "python": platform.python_version(),
    }
    if arguments.output:
        arguments.output.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
