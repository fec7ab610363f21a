"""A variational autoencoder with levels of latents of one's choice, for `benchmarks/lossless.py` to measure.

    python benchmarks/lossless_levels.py FOLDER 2:8 1:8 -o two.codec

FOLDER holds the pictures that it is trained on, as `taskcodec fit` takes them. A level is how often places are halved
from those below, and the latents of a place, the lowest level first; all else is as in `fit --lossless --model vae`.
"""

import argparse
import sys
from pathlib import Path

from taskcodec.data import open_source
from taskcodec.engines.values.gather import gather
from taskcodec.entropy_models.of_bytes.variational import VariationalSizes
from taskcodec.fitting.lossless.fit import lossless_codec
from taskcodec.fitting.lossless.vae import VariationalRecipe, fit_variational


def told(step, steps):
    print(f"\r{step} of {steps} steps", end="", file=sys.stderr, flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("levels", nargs="+", metavar="HALVINGS:LATENTS")
    parser.add_argument("-o", "--output", type=Path, required=True)
    options = parser.parse_args()
    levels = tuple(tuple(map(int, level.split(":"))) for level in options.levels)
    found = gather(open_source(options.folder))
    symbols = found.transform.to_symbols(found.pixels)
    recipe = VariationalRecipe(sizes=VariationalSizes(levels=levels))
    model = fit_variational(symbols, found.transform.byte_shape, recipe, told)
    lossless_codec(found.transform, model, symbols, f"vae {' '.join(options.levels)}").save(options.output)


if __name__ == "__main__":
    main()
