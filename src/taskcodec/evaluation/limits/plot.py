"""Codecs and bounds on one plot."""

from pathlib import Path

from taskcodec.atomic import replacing
from taskcodec.evaluation.limits.of_features import Limits
from taskcodec.evaluation.report.files import COLOURS

OTHERS, PEERS = "#6E7781", ("^-", "v-", "D-", "P-", "X-")
"""The colour of peers, and their marks."""


def write_plot(found: Limits, file: Path) -> None:
    """Draw error against rate into an .svg; the same bytes for the same limits. Needs matplotlib."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    with pyplot.rc_context({"svg.hashsalt": "taskcodec", "text.parse_math": False}):
        figure, axis = pyplot.subplots(figsize=(7.2, 4.8), layout="constrained")
        every = sorted((*found.points, *found.peers), key=lambda point: point.distortion)
        every = [point for point in every if point.rate_upper_bits > 0]
        errors = [point.distortion for point in every]
        upper = [point.rate_upper_bits for point in every]
        spread = [2 * point.rate_upper_error_bits for point in every]
        axis.errorbar(upper, errors, xerr=spread, fmt="--", color=COLOURS[1], capsize=2, label="best known upper bound")
        lower = [(p.rate_lower_bits, p.distortion) for p in every if p.rate_lower_bits]
        if lower:
            axis.plot(*zip(*lower, strict=True), ":", color=COLOURS[2], label="lower bound")
        for number, name in enumerate(dict.fromkeys(point.codec for point in found.peers)):
            peer = [(point.codec_bits, point.distortion) for point in found.peers if point.codec == name]
            axis.plot(*zip(*peer, strict=True), PEERS[number % len(PEERS)], color=OTHERS, linewidth=1, label=name)
        for kind, marker, words in (("fitted", "o-", "taskcodec"), ("store", "s", "the store's codec")):
            own = [(point.codec_bits, point.distortion) for point in found.points if point.codec == kind]
            if own:
                axis.plot(*zip(*own, strict=True), marker, color=COLOURS[0], label=f"{words}, real bytes")
        if every:
            axis.set_xscale("log", base=2)
            axis.set_yscale("log")
        axis.xaxis.set_major_formatter(lambda value, _: f"{value:,.4g}")
        axis.set_xlabel("bits a sample")
        axis.set_ylabel(f"sum of squared errors of {found.errors_of}")
        axis.set_title(f"{found.name}: {found.held_out:,} samples held out"[-90:])
        axis.grid(alpha=0.25)
        axis.legend(fontsize=8, frameon=False)
        with replacing(file) as temporary:
            figure.savefig(temporary, format="svg", metadata={"Date": None})
        pyplot.close(figure)
