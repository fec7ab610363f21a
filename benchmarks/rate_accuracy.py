"""Rate against accuracy of taskcodec's codecs and their peers, on cached features of labelled sets.

    python benchmarks/extract_features.py DATA CACHE
    python benchmarks/rate_accuracy.py CACHE --out OUT [--codecs MODULE:FUNCTION]

CACHE holds one .npz a set: `features` (n, d), `labels` (n,), and for some `price` and `house`. The file named
by --fit-set holds what codecs are fitted on, with `views` (v, n, d) of its images; every other file is a labelled set.
Two regimes, both without labels:

    zero-shot   fitted on the fit set and its views, never on the labelled set
    fitted      fitted on the labelled set's own training images; peers may use the fit set as background

The sets are split into folds; in the fitted regime every fold has its own codec. The whole set is coded, as a store of
it would be. A codec may refit its tables to what it codes (that is said in its name or docstring); what is stored once,
codebooks and tables alike, is not counted.

OUT gets results.json (a row a codec, setting and task), table.md, table.json, duels.json, run.json (command, versions,
hashes), rate_accuracy.png and .svg. Finished points are kept in OUT/points, so that a run which was stopped goes on;
after a change to a codec, name it with --refresh.
"""

import argparse
import hashlib
import importlib
import json
import os
import platform
import re
import sys
import threading
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from importlib.metadata import version
from multiprocessing import get_context, parent_process
from pathlib import Path

import numpy as np

from taskcodec.evaluation.curves import Point, against_best, as_records, markdown, rows, table
from taskcodec.evaluation.intervals import Scores
from taskcodec.evaluation.own import OwnCodec
from taskcodec.evaluation.peers import FitSet, standard_peers
from taskcodec.evaluation.plot import plot_rate_accuracy
from taskcodec.evaluation.tasks import LabelledSet, Task, make_splits, probe_scores
from taskcodec.fitting import bundled_within, fit

RATES = (128.0, 256.0, 384.0, 512.0, 768.0, 900.0, 1024.0, 1200.0)
OWN_BITS = (128.0, 256.0, 512.0, 768.0, 900.0, 1024.0, 1200.0)
REGIMES = ("zero-shot", "fitted")
RAW = "float32"


def own_codecs(regime):
    """taskcodec's codecs in a regime; --codecs names another function of this form, which may return peers too."""

    def dimensionwise(fit_set, bits):
        return fit(fit_set.features, bits=bits, method="dimensionwise")

    def bottleneck(fit_set, bits):
        return fit(fit_set.features, bits=bits, within=bundled_within("lite0"))

    if regime == "fitted":
        return [OwnCodec("taskcodec", bits, bottleneck, refit=True) for bits in OWN_BITS]
    shipped = [OwnCodec("taskcodec, tables as shipped", bits, dimensionwise) for bits in OWN_BITS]
    return [OwnCodec("taskcodec", bits, dimensionwise, refit=True) for bits in OWN_BITS] + shipped


@dataclass(frozen=True)
class Plan:
    """What every worker needs to know."""

    cache: Path
    fit_set: str
    own: str
    folds: int
    repeats: int
    seed: int
    predictor: str

    def roster(self, regime):
        """All codecs of a regime by (name, setting)."""
        module, function = self.own.split(":")
        found = [*standard_peers(), *getattr(importlib.import_module(module), function)(regime)]
        return {(codec.name, codec.setting): codec for codec in found}


def load_set(path):
    with np.load(path) as file:
        tasks = [Task("class", "accuracy", file["labels"])]
        if "price" in file.files:
            tasks.append(Task("log price", "r2", np.log(file["price"])))
        groups = file["house"] if "house" in file.files else None
        return LabelledSet(path.stem, file["features"].astype(np.float32), tuple(tasks), groups)


def set_paths(plan):
    return [path for path in sorted(plan.cache.glob("*.npz")) if path.stem != plan.fit_set]


def load_fit_set(plan):
    with np.load(plan.cache / f"{plan.fit_set}.npz") as file:
        features = file["features"].astype(np.float32)
        return FitSet(features, features[:0], file["views"].astype(np.float32))


def measure(plan, labelled, encode_decode_of_split):
    """One codec setting on one set: its bits, and for each task the parts of its Scores."""
    splits = make_splits(labelled, plan.folds, plan.repeats, plan.seed)
    coded = [encode_decode_of_split(split) for split in splits]
    arrays = {"bits": np.array(np.mean([bits for _, bits in coded]))}
    for task in labelled.tasks:
        scores = probe_scores(labelled, task, splits, [decoded for decoded, _ in coded], plan.predictor)
        parts = {name: getattr(scores, name) for name in ("units", "targets", "predictions", "metric")}
        arrays |= {f"{task.name}/{name}": np.asarray(part) for name, part in parts.items()}
    return arrays


def work(plan, regime, key, files):
    """Measure one codec setting on the sets whose files are missing; a zero-shot codec is fitted once for all."""
    import faiss

    faiss.omp_set_num_threads(1)
    codec, general = plan.roster(regime)[key], load_fit_set(plan)
    fitted = codec.fit(general) if regime == "zero-shot" else None
    for set_name, path in files.items():
        if path.exists():
            continue
        labelled = load_set(plan.cache / f"{set_name}.npz")
        if fitted is not None:
            coded = fitted.encode_decode(labelled.features)
            arrays = measure(plan, labelled, lambda split, coded=coded: coded)
        else:

            def of_split(split, labelled=labelled):
                own = FitSet(labelled.features[split.train], general.features, general.views)
                return codec.fit(own).encode_decode(labelled.features)

            arrays = measure(plan, labelled, of_split)
        partial = path.with_suffix(".partial.npz")
        np.savez_compressed(partial, **arrays)
        partial.replace(path)


def read_point(regime, key, paths):
    bits, scores = {}, {}
    for set_name, path in paths.items():
        with np.load(path) as file:
            bits[set_name] = float(file["bits"])
            for task in sorted({name.split("/")[0] for name in file.files if "/" in name}):
                parts = [file[f"{task}/{part}"] for part in ("units", "targets", "predictions")]
                scores[set_name, task] = Scores(*parts, str(file[f"{task}/metric"]))
    return Point(regime, *key, bits, scores)


def end_with_parent():
    """A worker whose parent was killed would go on with the jobs it has been handed."""

    def watch():
        parent_process().join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def run(plan, paths, processes):
    """Measure what is missing, one thread a process, and say how it goes."""
    jobs = []
    for (regime, key), files in paths.items():
        parts = [files] if regime == "zero-shot" else [{name: file} for name, file in files.items()]
        jobs += [(regime, key, part) for part in parts if not all(file.exists() for file in part.values())]
    print(f"{len(paths)} codec settings, {len(jobs)} jobs to do", flush=True)
    start = time.monotonic()
    with ProcessPoolExecutor(processes, get_context("spawn"), initializer=end_with_parent) as pool:
        futures = {pool.submit(work, plan, *job): job for job in jobs}
        for done, future in enumerate(as_completed(futures), 1):
            future.result()
            regime, key, files = futures[future]
            left = (time.monotonic() - start) / done * (len(jobs) - done) / 60
            print(
                f"{done}/{len(jobs)} {regime} {' '.join(key)} {'/'.join(files)}, about {left:.0f} min left", flush=True
            )


def check_config(plan, folder):
    """Points of other features or splits must not be mixed with these."""
    hashes = {path.stem: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(plan.cache.glob("*.npz"))}
    config = {"folds": plan.folds, "repeats": plan.repeats, "seed": plan.seed, "probe": plan.predictor, "sets": hashes}
    file = folder / "config.json"
    if file.exists() and json.loads(file.read_text()) != config:
        sys.exit(f"{folder}: holds points of other features or splits; use another --out")
    folder.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(config, indent=1))
    return config


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cache", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--fit-set", default="imagenet_sample_1000")
    parser.add_argument("--codecs", default="rate_accuracy:own_codecs", help="MODULE:FUNCTION, a regime -> codecs")
    parser.add_argument("--regimes", nargs="+", choices=REGIMES, default=REGIMES)
    parser.add_argument("--only", nargs="+", help="curves to run and show, by name")
    parser.add_argument("--refresh", nargs="+", default=[], help="curves to measure again, by name")
    parser.add_argument("--folds", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--predictor", choices=("ridge", "logistic"), default="ridge")
    parser.add_argument("--processes", type=int, default=2)
    return parser.parse_args()


def main():
    arguments = parse()
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"
    plan = Plan(
        arguments.cache, arguments.fit_set, arguments.codecs,
        arguments.folds, arguments.repeats, arguments.seed, arguments.predictor,
    )  # fmt: skip
    folder = arguments.out / "points"
    config = check_config(plan, folder)
    keys = [
        (regime, key)
        for regime in arguments.regimes
        for key in plan.roster(regime)
        if key[0] == RAW or not arguments.only or key[0] in arguments.only
    ]
    keys = [(regime, key) for regime, key in keys if key[0] != RAW or regime == arguments.regimes[0]]
    paths = {}
    for regime, key in keys:
        for place in set_paths(plan):
            slug = re.sub(r"[^\w.]+", "-", " ".join((regime, *key, place.stem)))
            paths.setdefault((regime, key), {})[place.stem] = folder / f"{slug}.npz"
            if key[0] in arguments.refresh:
                (folder / f"{slug}.npz").unlink(missing_ok=True)
    run(plan, paths, arguments.processes)
    points = [read_point(*key, files) for key, files in paths.items()]
    report(points, arguments.out, config)


def report(points, out, config):
    raw = next(point for point in points if point.codec == RAW)
    split = f"{config['folds']} folds x {config['repeats']}, seed {config['seed']}"
    cells = table(points, raw, RATES)
    duels = []
    for regime, codec in dict.fromkeys((p.regime, p.codec) for p in points if p.codec.startswith("taskcodec")):
        for factor in (1.0, 2.0):
            duels += against_best(points, codec, regime, [256.0, 512.0, 1024.0], factor)
    versions = {name: version(name) for name in ("numpy", "scikit-learn", "faiss-cpu", "constriction")}
    record = {"command": sys.argv, "python": platform.python_version(), "versions": versions, **config}
    (out / "results.json").write_text(json.dumps(as_records(rows(points, raw, config["probe"], split)), indent=1))
    (out / "table.json").write_text(json.dumps(as_records(cells), indent=1))
    (out / "duels.json").write_text(json.dumps(as_records(duels), indent=1))
    (out / "run.json").write_text(json.dumps(record, indent=1))
    lines = [
        "Mean accuracy over sets in %, in brackets the difference to raw features with its 95 % interval (paired).",
        f"Probe: {config['probe']}, {split}. Rates between two settings are interpolated.",
        "",
        markdown(cells, RATES),
        "### Against the best peer",
        "",
        *(
            f"- {duel.regime}: {duel.codec} at {duel.rate_bits:g} bits - {duel.peer} at {duel.peer_rate_bits:g} bits: "
            f"{100 * duel.difference.value:+.2f} [{100 * duel.difference.low:+.2f}, {100 * duel.difference.high:+.2f}]"
            for duel in duels
        ),
        "",
    ]
    (out / "table.md").write_text("\n".join(lines))
    print("\n".join(lines))
    files = [out / "rate_accuracy.png", out / "rate_accuracy.svg"]
    plot_rate_accuracy(points, raw, files, f"Mean accuracy over {len(raw.bits)} sets, {config['probe']} probe")


if __name__ == "__main__":
    main()
