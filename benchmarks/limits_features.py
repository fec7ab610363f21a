"""How far the default codec is from the best known bound on R(D), on features of real sets.

    python benchmarks/limits_features.py FEATURES.npy ... [--effort 3] [-o benchmarks/results/limits_features.json]

Each file holds (n, d) features of a set, as `taskcodec features` writes them; at most 2,000 of them are looked at. Four
ways for each: errors of features and of their square roots, codecs as they are by default and for the least squared
error; with an effort beyond 1 errors of square roots alone, which are what codecs quantize. What is in the result
already is not reckoned again, so that a run that was stopped goes on.
"""

import argparse
import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
from stamp import stamp

from taskcodec.evaluation.limits.of_features import RATES, LimitsPlan, limits_of_features

MOST, SEED = 2000, 0
WAYS = [(companded, least) for companded in (True, False) for least in (False, True)]


def few(features):
    """At most MOST rows, in an order of their own."""
    return features[np.random.default_rng(SEED).permutation(len(features))[:MOST]]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("features", type=Path, nargs="+")
    parser.add_argument("-o", "--output", type=Path, default=Path("benchmarks/results/limits_features.json"))
    parser.add_argument("--bits", type=float, nargs="+", default=list(RATES))
    parser.add_argument("--effort", type=int, default=1)
    arguments = parser.parse_args()
    more = {"effort": arguments.effort} if arguments.effort > 1 else {}
    known = json.loads(arguments.output.read_text())["rows"] if arguments.output.exists() else []
    made_by = stamp("numpy", "scipy", "constriction", seed=SEED)
    for companded, least in WAYS[:2] if more else WAYS:
        for file in arguments.features:
            x = few(np.load(file))
            for bits in arguments.bits:
                key = {"set": file.stem, "companded": companded, "least_error": least, "asked_bits": bits, **more}
                if any(key.items() <= row.items() and ("effort" in row) == bool(more) for row in known):
                    continue
                plan = LimitsPlan((bits,), companded, least, effort=arguments.effort, peers=False)
                found = limits_of_features(file.stem, x, plan)
                whole = {"samples": found.samples, "held_out": found.held_out, "variance": found.variance}
                known += [{**key, **whole, **asdict(point)} for point in found.points]
                arguments.output.write_text(json.dumps({**made_by, "rows": known}, indent=1) + "\n")
                print(json.dumps(known[-1]), flush=True)


if __name__ == "__main__":
    main()
