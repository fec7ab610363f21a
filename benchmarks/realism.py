"""A second synthesis on a finished code: KID on a backbone's features and squared error from faithful to realistic.

    python benchmarks/realism.py SOURCE CODEC [--layer NAME] [--samples 1000] [--backbone lite0] [-o RESULT.json]
                                 [--picture SHOWN.png]

SOURCE holds pictures that chose nothing: a folder, list, shards or IDX files (for MNIST those of the test set alone).
The first half of the pictures taken is coded; the other half, which is not, is what they are held against, so that both
sides are other pictures. `kid` is the unbiased kernel distance on features of a backbone, best one that no judge saw
through, with that between the uncoded first half and the second beside it: what is left where all is real. Squared
error is of values in [0, 1]; bits are of the packets, the same for every realism. Intervals come from drawing halves of
the coded pictures anew.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from stamp import stamp

import taskcodec
from taskcodec.data import open_source
from taskcodec.evaluation.scores.kernel_distance import kernel_distance
from taskcodec.stack.pictures import pixels_of
from taskcodec.transforms.backbones import load_backbone

REALISM = (0.0, 0.5, 0.75, 0.9, 1.0)
DRAWS = 40
AT_ONCE = 32
SHOWN, WIDE = 8, 512


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source")
    parser.add_argument("codec", type=Path)
    parser.add_argument("--layer")
    parser.add_argument("--samples", type=int, default=1000, help="coded; as many others are compared with")
    parser.add_argument("--side", type=int, help="crop pictures in the middle to this side, in pixels")
    parser.add_argument("--backbone", default="lite0", help="whose features tell what looks real")
    parser.add_argument("-o", "--output", type=Path)
    parser.add_argument("--picture", type=Path, help="the first pictures: original, then a row for each realism")
    options = parser.parse_args()
    torch.set_num_threads(1)
    codec, backbone, rng = (
        taskcodec.load_codec(options.codec),
        load_backbone(options.backbone),
        np.random.default_rng(0),
    )
    items = open_source(options.source).items
    chosen = rng.permutation(len(items))[: 2 * options.samples]
    pictures = [middle(pixels_of(items[place].read()), options.side) for place in chosen]
    coded, others = pictures[: len(pictures) // 2], features(backbone, pictures[len(pictures) // 2 :])
    packets = codec.compress(coded)
    own = features(backbone, coded)
    rows = [{"realism": "uncoded", **distances(own, others, rng), "mse": 0.0}]
    print(json.dumps(rows[0]), flush=True)
    shown = [coded[:SHOWN]]
    for realism in REALISM:
        decoded = [codec.decompress(packet, options.layer, realism) for packet in packets]
        errors = [np.square((x.astype(np.float64) - y) / 255).mean() for x, y in zip(coded, decoded, strict=True)]
        shown.append(decoded[:SHOWN])
        found = features(backbone, decoded)
        rows.append({"realism": realism, **distances(found, others, rng), "mse": float(np.mean(errors))})
        print(json.dumps(rows[-1]), flush=True)
    for row in rows[2:]:
        kid, error = (row[key] / rows[1][key] for key in ("kid", "mse"))
        print(f"realism {row['realism']}: KID x{kid:.2f}, squared error x{error:.2f}")
    if options.picture:
        show(options.picture, shown)
    if options.output:
        bits = float(np.mean([8 * len(packet) for packet in packets]))
        result = {"stamp": stamp("numpy", "torch", "pillow", seed=0), "bits_per_picture": bits, "coded": len(coded)}
        options.output.write_text(json.dumps({**result, "features": options.backbone, "rows": rows}, indent=1) + "\n")


def middle(x, side):
    if side is None:
        return x
    top, left = (max(0, (whole - side) // 2) for whole in x.shape[:2])
    return np.ascontiguousarray(x[top : top + side, left : left + side])


def show(path, rows):
    """Rows of as many pictures of one size as find place, each at least 56 pixels wide, in 256 colours."""
    grown = max(1, 56 // rows[0][0].shape[1])
    framed = [[np.pad(x, ((1, 1), (1, 1), (0, 0))).repeat(grown, 0).repeat(grown, 1) for x in row] for row in rows]
    count = max(1, WIDE // framed[0][0].shape[1])
    whole = np.concatenate([np.concatenate(row[:count], 1) for row in framed])
    Image.fromarray(whole).quantize(256).save(path, optimize=True)


def features(backbone, pictures):
    parts = [pictures[first : first + AT_ONCE] for first in range(0, len(pictures), AT_ONCE)]
    return np.concatenate([backbone(np.stack([backbone.preprocess(x) for x in part])) for part in parts])


def distances(found, others, rng):
    half = len(found) // 2
    drawn = [kernel_distance(found[rng.permutation(len(found))[:half]], others) for _ in range(DRAWS)]
    return {"kid": kernel_distance(found, others), "kid_low": min(drawn), "kid_high": max(drawn)}


if __name__ == "__main__":
    main()
