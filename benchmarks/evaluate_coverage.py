"""Do evaluate's intervals cover the truth, training included? Repeats whole evaluations on sets whose law is known.

    python benchmarks/evaluate_coverage.py [--trials 200] [--samples 200] [--repeats 2]

Four "codecs" on 10 useful and 20 useless features: fresh (the useless features drawn anew: no loss on average), noise,
quantized, tiny noise. For each predictor and metric: `spread`, the standard deviation of the excess over trials against
what the bootstrap of test samples alone says (what `widening` must make up for); `cover`, the share of intervals that
hold the mean excess over all trials; `lossy`, how often "not lossless" was said.
"""

import argparse

import numpy as np

from taskcodec.evaluation.scores.verdict import LOSSY, widening
from taskcodec.evaluation.survival.of_features import Coded, Compared, EvaluationPlan, evaluate_features
from taskcodec.evaluation.tasks.targets import make_target

USEFUL, USELESS = 10, 20


def draw(rng, n, task):
    """Raw features, labels, and the decoded features of each codec."""
    if task == "class":
        classes = rng.integers(0, 4, n)
        useful = (2 * np.eye(4, USEFUL))[classes] + rng.normal(size=(n, USEFUL))
        labels = [f"c{c}" for c in classes]
    else:
        useful = rng.normal(size=(n, USEFUL))
        labels = [f"{v:.5f}" for v in useful[:, 0] + 0.5 * useful[:, 1] + 0.7 * rng.normal(size=n)]
    raw = np.hstack([useful, rng.normal(size=(n, USELESS))])
    decoded = {
        "fresh": np.hstack([useful, rng.normal(size=(n, USELESS))]),
        "noise": raw + 0.3 * rng.normal(size=raw.shape),
        "quantized": 1.5 * np.round(raw / 1.5),
        "tiny": raw + 0.03 * rng.normal(size=raw.shape),
    }
    return raw.astype("f4"), labels, {name: x.astype("f4") for name, x in decoded.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--samples", type=int, default=200)
    parser.add_argument("--repeats", type=int, default=2)
    options = parser.parse_args()
    print("| task | codec | predictor | metric | spread | cover % | lossy % |\n|---|---|---|---|---|---|---|")
    for task in ("class", "number"):
        found = {}
        for trial in range(options.trials):
            raw, labels, codecs = draw(np.random.default_rng(trial), options.samples, task)
            ids, target = [str(i) for i in range(len(raw))], make_target(task, labels)
            plan = EvaluationPlan(repeats=options.repeats, seed=trial)
            for name, decoded in codecs.items():
                for row in evaluate_features(
                    Compared(raw, decoded, ids), [target], Coded(name, name, "", 1.0), plan=plan
                ):
                    found.setdefault((name, row.probe, row.metric), []).append(row)
        for (name, probe, metric), rows in found.items():
            excess = np.array([row.difference for row in rows])
            width = np.mean([row.difference_high - row.difference_low for row in rows]) / widening(probe, metric) / 3.92
            cover = np.mean([row.difference_low <= excess.mean() <= row.difference_high for row in rows])
            lossy = np.mean([row.verdict == LOSSY for row in rows])
            spread = excess.std() / width
            print(
                f"| {task} | {name} | {probe} | {metric} | {spread:.2f} | {100 * cover:.1f} | {100 * lossy:.1f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
