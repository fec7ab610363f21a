"""Pictures of the results: what tasks lose over bytes, and the matrix of codecs and readers."""

import matplotlib
import numpy as np
from machine.least import front

from taskcodec.evaluation.report.colours import COLOURS, MARKERS

matplotlib.use("Agg")
from matplotlib import pyplot

OURS = ("mse", "detection", "depth", "segmentation", "answers")
CODECS = (*OURS, "JPEG", "WebP", "AVIF", "JPEG XL")


def plot_least(contents, file):
    """A panel a set and reader: loss in points over bytes, the limit dashed."""
    panels = [(content, each) for content in contents for each in content["least"]]
    columns = min(4, len(panels))
    lines = -(-len(panels) // columns)
    figure, axes = pyplot.subplots(lines, columns, figsize=(4.4 * columns, 3.4 * lines), squeeze=False)
    for axis in axes.flat[len(panels) :]:
        axis.axis("off")
    for axis, (content, panel) in zip(axes.flat, panels, strict=False):
        rows = [row for row in content["rows"] if (row["set"], row["reader"]) == (panel["set"], panel["reader"])]
        for place, name in enumerate(CODECS):
            some = [(row["bytes"], 100 * row["loss"]["value"]) for row in rows if row["codec"] == name]
            if some:
                some = [some[place] for place in front(*zip(*some, strict=True))]
                style = "-" if name in OURS else ":"
                axis.plot(
                    *zip(*some, strict=True), style, marker=MARKERS[place % len(MARKERS)], markersize=4,
                    color=COLOURS[place % len(COLOURS)], label=name,
                )  # fmt: skip
        axis.axhline(100 * content["loss"], color="#444444", linestyle="--", linewidth=1)
        axis.set_xscale("log")
        axis.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        axis.xaxis.set_minor_formatter("")
        axis.set_yscale("symlog", linthresh=2)
        seen = "" if panel["seen in training"] else ", unseen"
        axis.set_title(f"{panel['set']}: {panel['reader']}{seen}", fontsize=9)
        axis.set_xlabel("bytes a picture")
        axis.set_ylabel("points lost")
        axis.grid(alpha=0.25)
        axis.legend(fontsize=6)
    figure.tight_layout()
    figure.savefig(file, dpi=110)
    pyplot.close(figure)


def plot_matrix(contents, file):
    """A table a set: points that each reader loses by each codec."""
    tables = [content["matrix"] for content in contents if content["matrix"] is not None]
    if not tables:
        return
    figure, axes = pyplot.subplots(1, len(tables), figsize=(5.4 * len(tables), 4.6), squeeze=False)
    for axis, table in zip(axes[0], tables, strict=True):
        codecs = [name for name in CODECS if name in table["losses"]]
        readers = [name for name in next(iter(table["losses"].values())) if name != "PSNR"]
        losses = table["losses"]
        values = 100 * np.array([[losses[c].get(r, {"value": np.nan})["value"] for r in readers] for c in codecs])
        axis.imshow(np.clip(values, 0, 30), cmap="Reds", vmin=0, vmax=40, aspect="auto")
        for (row, column), value in np.ndenumerate(values):
            axis.text(column, row, "" if np.isnan(value) else f"{value:.1f}", ha="center", va="center", fontsize=8)
        names = [f"{name}\n(unseen)" if name in table["unseen"] else name for name in readers]
        axis.set_xticks(range(len(readers)), names, rotation=30, ha="right", fontsize=8)
        sizes = [next(iter(losses[codec].values()))["bytes"] for codec in codecs]
        axis.set_yticks(
            range(len(codecs)), [f"{c}, {s:,.0f} B" for c, s in zip(codecs, sizes, strict=True)], fontsize=8
        )
        axis.set_title(f"{table['set']}: points lost at about {table['bytes']:,.0f} bytes", fontsize=9)
    figure.tight_layout()
    figure.savefig(file, dpi=110)
    pyplot.close(figure)
