"""Codecs and bounds on one plot."""

from pathlib import Path

from taskcodec.atomic import replacing
from taskcodec.evaluation.limits.of_features import Limits
from taskcodec.evaluation.report.files import COLOURS


def write_plot(found: Limits, file: Path) -> None:
    """Draw error against rate into an .svg; the same bytes for the same limits. Needs matplotlib."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    with pyplot.rc_context({"svg.hashsalt": "taskcodec", "text.parse_math": False}):
        figure, axis = pyplot.subplots(figsize=(7.2, 4.8), layout="constrained")
        errors = [point.distortion for point in found.points]
        upper = [point.rate_upper_bits for point in found.points]
        spread = [2 * point.rate_upper_error_bits for point in found.points]
        axis.errorbar(upper, errors, xerr=spread, fmt="--", color=COLOURS[1], capsize=2, label="best known upper bound")
        lower = [(p.rate_lower_bits, p.distortion) for p in found.points if p.rate_lower_bits]
        if lower:
            axis.plot(*zip(*lower, strict=True), ":", color=COLOURS[2], label="lower bound")
        for kind, marker, words in (("fitted", "o-", "taskcodec"), ("store", "s", "the store's codec")):
            own = [(point.codec_bits, point.distortion) for point in found.points if point.codec == kind]
            if own:
                axis.plot(*zip(*own, strict=True), marker, color=COLOURS[0], label=f"{words}, real bytes")
        if found.points:
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
