"""Of the rows of `run.py`: rates against quality, what conditioning saves, what a reward does; tables and plots."""

import json

import numpy as np

from taskcodec.errors import UsageError
from taskcodec.evaluation.rates.bd import RateCurve, bd_metric, bd_rate


def write_summary(rows, made, out):
    """results.json, and a plot for each experiment."""
    out.mkdir(parents=True, exist_ok=True)
    summary = {name: of_experiment(some) for name, some in by(rows, "experiment").items()}
    kept = [{key: value for key, value in row.items() if key != "drawn"} for row in rows]
    content = {"made": made, "summary": summary, "estimate": of_estimate(rows), "rows": kept}
    (out / "results.json").write_text(json.dumps(content, indent=1) + "\n")
    for name, some in by(rows, "experiment").items():
        plot(name, some, out / f"{name}.png")
    for name, figures in summary.items():
        print(name, json.dumps(figures, indent=1))


def by(rows, key):
    found = {}
    for row in rows:
        found.setdefault(row[key], []).append(row)
    return found


def curve(rows, bits, value="value"):
    """Bits a pixel of what `bits` takes of a row, against its quality; None of fewer than two points."""
    points = sorted((bits(row) / row["pixels"], row[value]) for row in rows)
    return None if len(points) < 2 else RateCurve(*(tuple(part) for part in zip(*points, strict=True)))


def own(row):
    return row["bits"][list(row["bits"])[-1]]


def total(row):
    return sum(row["bits"].values())


def compared(anchor, test, of=bd_rate):
    """BD-rate (per cent) or BD-metric of test against anchor, and why to doubt it; None where they do not compare."""
    if anchor is None or test is None:
        return None
    try:
        found = of(anchor, test)
    except UsageError as error:
        return {"value": None, "doubts": [str(error)]}
    return {"value": found.value, "overlap_percent": found.overlap_percent, "doubts": list(found.warnings)}


def of_experiment(rows):
    """Each figure's mean over the seeds; BD by PCHIP, with doubts.

    conditional_percent: bits of the conditional top against those of the unconditional one, at equal quality.
    total_percent: base and conditional top against base and unconditional top (simulcast).
    scalability_percent: base and conditional top against the unconditional top alone (standalone).
    long_percent: as conditional_percent, where the unconditional top has had all the steps of the other and its base.
    reward_*: with reward against the baseline without: base at equal task, preview in dB at equal bits of the base,
    enhancement, and both together.

    low, high: of scenes drawn at random, the same for all codecs; as the draws' spread about their own mean, since
    what is averaged over classes is biased in a draw. each: of the seeds.
    """
    measured, drawn = figures_of(rows), [figures_of(at(rows, draw)) for draw in range(draws_of(rows))]
    return {name: told(found, [other[name] for other in drawn]) for name, found in measured.items()}


def told(found, drawn):
    """One figure in all: its mean over the seeds that have it, and an interval from the same mean of each draw."""
    doubts = sorted({doubt for each in found if each is not None for doubt in each["doubts"]})
    values = of_seeds(found)
    if not values:
        return {"seeds": 0, "doubts": doubts}
    mean = float(np.mean(values))
    means = [np.mean(each) for each in map(of_seeds, drawn) if each]
    low, high = np.quantile(means, [0.025, 0.975]) - np.mean(means) + mean
    figure = {"mean": mean, "low": float(low), "high": float(high), "seeds": len(values), "each": values}
    overlap = min(each["overlap_percent"] for each in found if each is not None and each["value"] is not None)
    return {**figure, "least_overlap_percent": overlap, "doubts": doubts}


def of_seeds(found):
    return [each["value"] for each in found if each is not None and each["value"] is not None]


def draws_of(rows):
    return min(len(row["drawn"]["value"]) for row in rows)


def at(rows, draw):
    """The rows as they would be, had these scenes been drawn."""
    changed = []
    for row in rows:
        figures = {name: values[draw] for name, values in row["drawn"].items()}
        bits = {name: figures.pop(f"bits {name}") for name in row["bits"]}
        changed.append({**row, **figures, "bits": bits})
    return changed


def figures_of(rows):
    """Each figure of each seed: lists of what `compared` gives."""
    figures, seeds = {}, by(rows, "seed").values()
    rewards = sorted({row["reward"] for row in rows})
    for reward in rewards:
        found = {"conditional_percent": [], "total_percent": [], "scalability_percent": []}
        for some in seeds:
            tops, free = chosen(some, "top", reward), chosen(some, "free")
            both = [{**row, "bits": {"base": base_bits(some, reward), **row["bits"]}} for row in free]
            found["conditional_percent"].append(compared(curve(free, own), curve(tops, own)))
            found["total_percent"].append(compared(curve(both, total), curve(tops, total)))
            found["scalability_percent"].append(compared(curve(free, own), curve(tops, total)))
        if chosen(rows, "long"):
            found["long_percent"] = [
                compared(curve(chosen(some, "long"), own), curve(chosen(some, "top", reward), own)) for some in seeds
            ]
        figures |= {f"{name}, reward {reward:g}": each for name, each in found.items()}
    for reward in rewards[1:]:
        for name, (kind, bits, value, of) in {
            "reward_base_percent": ("base", own, "value", bd_rate),
            "reward_preview_db": ("base", own, "preview_psnr", bd_metric),
            "reward_enhancement_percent": ("top", own, "value", bd_rate),
            "reward_total_percent": ("top", total, "value", bd_rate),
        }.items():
            pairs = [[curve(chosen(some, kind, r), bits, value) for r in (0.0, reward)] for some in seeds]
            figures[f"{name}, reward {reward:g}"] = [compared(*pair, of) for pair in pairs]
    return figures


def chosen(rows, kind, reward=0.0):
    return [row for row in rows if row["kind"] == kind and row["reward"] == reward]


def base_bits(rows, reward):
    """Of the base that tops of this reward lie on; 0 where there is none yet."""
    return next((row["bits"]["base"] for row in chosen(rows, "top", reward)), 0.0)


def of_estimate(rows):
    """How far the bytes of layers are from what their tables estimate, check values included: per cent."""
    pairs = [(row["bits"][name], bits) for row in rows for name, bits in row["estimate_bits"].items()]
    found = [100 * (bits - estimate) / estimate for bits, estimate in pairs]
    return {"most_percent": max(found, key=abs), "mean_percent": float(np.mean(found))} if found else {}


def plot(name, rows, file):
    """Quality against rate: the base for its task and its preview, the top conditional, free, and with the base.

    A panel without a curve, where there is one price alone, is left out.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    lines = (
        (0, "base", own, "value", "base"),
        (1, "base", own, "preview_psnr", "preview of the base"),
        (2, "free", own, "value", "alone"),
        (2, "long", own, "value", "alone, with the steps of both"),
        (2, "top", own, "value", "conditional, without its base"),
        (2, "top", total, "value", "conditional, with its base"),
    )
    panels = {}
    for reward, marker in zip(sorted({row["reward"] for row in rows}), "osv", strict=False):
        for place, kind, bits, value, words in lines:
            points = {}
            for row in chosen(rows, kind, reward):
                points.setdefault(row["beta"], []).append((bits(row) / row["pixels"], row[value]))
            mean = sorted(np.mean(each, axis=0).tolist() for each in points.values())
            if len(mean) > 1:
                panels.setdefault(place, []).append((mean, marker, f"{words}, reward {reward:g}"))
    figure, axes = pyplot.subplots(1, len(panels), figsize=(5 * len(panels), 4.2), squeeze=False)
    for axis, (place, curves) in zip(axes[0], sorted(panels.items()), strict=True):
        for mean, marker, words in curves:
            axis.plot(*zip(*mean, strict=True), marker=marker, label=words)
        kind = "top" if place == 2 else "base"
        metric = next((row["metric"] for row in rows if row["kind"] == kind), "")
        axis.set_xlabel("bits a pixel, in packets")
        axis.set_ylabel("preview, PSNR in dB" if place == 1 else metric)
        axis.grid(alpha=0.3)
        axis.legend(fontsize=7)
    figure.suptitle(name.replace("_", " "))
    figure.tight_layout()
    figure.savefig(file, dpi=110)
    pyplot.close(figure)
