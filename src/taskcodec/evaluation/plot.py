"""Rate-accuracy plots: one panel a regime, one line a codec, 95 % intervals, raw features as a line across."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from taskcodec.errors import UsageError
from taskcodec.evaluation.curves import Point, curve
from taskcodec.evaluation.intervals import mean_over_sets

# Okabe and Ito's palette: told apart with any colour vision, and in grey by the markers.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#8C6D31", "#7F7F7F")
MARKERS = "osD^vP*Xhd<>"


def plot_rate_accuracy(
    points: Sequence[Point], raw: Point, files: Sequence[Path], title: str, most_bits: float = 6000
) -> None:
    """Draw the mean accuracy over sets against bits a sample (log scale) into each of the files (.png, .svg).

    Codecs named taskcodec... are drawn heavier. Points above most_bits are left out.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    shown = [point for point in points if point.mean_bits <= most_bits]
    regimes = list(dict.fromkeys(point.regime for point in shown))
    if not regimes:
        raise UsageError(f"plot: no points at or below {most_bits:g} bits")
    names = list(dict.fromkeys(point.codec for point in shown))
    figure, axes = pyplot.subplots(
        1, len(regimes), figsize=(6.4 * len(regimes), 5), sharey=True, squeeze=False, layout="constrained"
    )
    for panel, regime in zip(axes[0], regimes, strict=True):
        reference = mean_over_sets(raw.accuracies)
        panel.axhline(100 * reference.value, color="#444444", linestyle="--", linewidth=1, label="raw float32")
        for index, name in enumerate(names):
            line = curve(shown, regime, name)
            if not line:
                continue
            means = [mean_over_sets(point.accuracies) for point in line]
            ours = name.startswith("taskcodec")
            panel.errorbar(
                [point.mean_bits for point in line],
                [100 * mean.value for mean in means],
                yerr=[
                    [100 * (mean.value - mean.low) for mean in means],
                    [100 * (mean.high - mean.value) for mean in means],
                ],
                label=name,
                color=COLOURS[index % len(COLOURS)],
                marker=MARKERS[index % len(MARKERS)],
                markersize=6 if ours else 4,
                linewidth=2.4 if ours else 1,
                elinewidth=0.7,
                capsize=2,
                zorder=3 if ours else 2,
            )
        panel.set_xscale("log", base=2)
        panel.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        panel.set_xlabel("bits per sample (real bytes)")
        panel.set_title(regime)
        panel.grid(alpha=0.25)
    axes[0][0].set_ylabel("mean accuracy over sets, %")
    axes[0][-1].legend(fontsize=8, loc="lower right")
    figure.suptitle(title)
    for file in files:
        figure.savefig(file, dpi=150)
    pyplot.close(figure)
