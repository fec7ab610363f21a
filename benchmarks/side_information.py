"""What bits-back could take off a lossy codec's side information: the entropy that it has left, given the latent.

    python benchmarks/side_information.py CODEC PICTURES [--count 24] [--crop 128] [-o RESULT.json]

A hyperprior sends z and then y by p(y | z): -log p(z) - log p(y | z), more than -log p(y) by -log p(z | y), since z
follows from y. Bits-back would get that back, in the mean the entropy of z given y ("lossy bits-back", Yang, Bamler
and Mandt, "Improving inference for neural image compression", NeurIPS 2020, section 3.3). Here it is summed over the
symbols of z, each given y and the other symbols of z, over values up to REACH from the one that is sent: exact where
symbols of z tell nothing of one another once y is known. Pictures are cut in the middle; symbols are the nearest.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from realism import middle
from stamp import stamp

import taskcodec
from taskcodec.coding.models.runs import bits_of
from taskcodec.data import open_source
from taskcodec.stack.pictures import pixels_of
from taskcodec.symbol_choice.nearest import nearest

REACH = 3


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("codec")
    parser.add_argument("pictures")
    parser.add_argument("--count", type=int, default=24, help="pictures, drawn by chance")
    parser.add_argument("--crop", type=int, default=128, help="pixels along a side")
    parser.add_argument("-o", "--output", type=Path)
    options = parser.parse_args()
    layer = taskcodec.load_codec(options.codec).layers[0]
    items = open_source(options.pictures).items
    rows = []
    for place in np.random.default_rng(0).permutation(len(items))[: options.count]:
        rows.append(measure(layer, middle(pixels_of(items[place].read()), options.crop)))
        print(json.dumps(rows[-1]), flush=True)
    whole, side, left = (np.array([row[key] for row in rows]) for key in ("bits", "side_bits", "left_bits"))
    told = {"pictures": len(rows), "crop": options.crop, "bits": whole.mean(), "side_bits": side.mean()}
    told |= {"left_bits": left.mean(), "share_percent": 100 * left.sum() / whole.sum()}
    print(json.dumps(told))
    if options.output:
        found = json.loads(options.output.read_text())["rows"] if options.output.exists() else []
        row = {"codec": Path(options.codec).stem, **told, "stamp": stamp("numpy", "torch", seed=0)}
        options.output.write_text(json.dumps({"rows": [*found, row]}, indent=1) + "\n")


def measure(layer, x):
    """Bits of a picture, of its side information, and of what that has left given the latent."""
    model = layer.model
    y = layer.encode(np.moveaxis(x, 2, 0)[None].astype(np.float32) / 255, None, [], nearest)
    z = model.side_of(y)
    tables = model._own(z)
    side, latent = bits_of(z, tables, model.bank), model.costs(y).sum()
    left = 0.0
    for place in range(z.size):
        joint = []
        for move in range(-REACH, REACH + 1):
            other = z.copy()
            other.ravel()[place] += move
            cost = latent if not move else model.sending(other).costs(y).sum()
            joint.append(cost + bits_of(other, tables, model.bank).ravel()[place])
        share = 2.0 ** -(np.array(joint) - min(joint))
        share /= share.sum()
        left -= (share * np.log2(np.maximum(share, 1e-300))).sum()
    return {"bits": side.sum() + latent, "side_bits": side.sum(), "left_bits": left}


if __name__ == "__main__":
    main()
