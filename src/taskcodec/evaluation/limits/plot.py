"""Codecs, peers and bounds on one plot."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from taskcodec.atomic import replacing
from taskcodec.evaluation.limits.of_features import LimitPoint, Limits
from taskcodec.evaluation.limits.of_tasks import TaskLimits, TaskPoint
from taskcodec.evaluation.report.files import COLOURS
from taskcodec.words import counted

OTHERS, PEERS = "#6E7781", ("^-", "v-", "D-", "P-", "X-")
"""The colour of peers, and their marks."""
OWN = {"fitted": ("o-", "taskcodec"), "store": ("s", "the store's codec")}


@dataclass(frozen=True)
class _Curve:
    """What is drawn: bits and errors, and how. spread: two standard errors of the bits."""

    label: str
    line: str
    colour: str
    bits: list[float]
    errors: list[float]
    spread: list[float] | None = None


def write_plot(found: Limits | TaskLimits, file: Path) -> None:
    """Draw error against rate into an .svg; the same bytes for the same limits. Needs matplotlib."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    with pyplot.rc_context({"svg.hashsalt": "taskcodec", "text.parse_math": False}):
        figure, axis = pyplot.subplots(figsize=(7.2, 4.8), layout="constrained")
        curves = [*_bounds(found), *_codecs(found)]
        for each in curves:
            axis.errorbar(
                each.bits, each.errors, xerr=each.spread, fmt=each.line, color=each.colour, capsize=2, label=each.label
            )
        if curves:
            axis.set_xscale("log", base=2)
            axis.set_yscale("log")
            axis.legend(fontsize=8, frameon=False)
        axis.xaxis.set_major_formatter(lambda value, _: f"{value:,.4g}")
        axis.set_xlabel("bits a sample")
        axis.set_ylabel(
            f"sum of squared errors of {found.errors_of}" if isinstance(found, Limits) else "bits of excess log loss"
        )
        axis.set_title(f"{found.name}: {counted(found.held_out, 'sample')} held out"[-90:])
        axis.grid(alpha=0.25)
        with replacing(file) as temporary:
            figure.savefig(temporary, format="svg", metadata={"Date": None})
        pyplot.close(figure)


def _bounds(found: Limits | TaskLimits) -> Iterator[_Curve]:
    """The bounds at the errors of all codecs."""
    upper, lower = list[tuple[float, float, float]](), list[tuple[float, float]]()
    for point in (*found.points, *found.peers):
        if point.rate_upper_bits and point.rate_upper_error_bits is not None:
            upper.append((point.rate_upper_bits, point.distortion, 2 * point.rate_upper_error_bits))
        if point.rate_lower_bits:
            lower.append((point.rate_lower_bits, point.distortion))
    if upper:
        bits, errors, spread = (list(column) for column in zip(*sorted(upper), strict=True))
        yield _Curve("best known upper bound", "--", COLOURS[1], bits, errors, spread)
    if lower:
        bits, errors = (list(column) for column in zip(*sorted(lower), strict=True))
        yield _Curve("lower bound", ":", COLOURS[2], bits, errors)


def _codecs(found: Limits | TaskLimits) -> Iterator[_Curve]:
    """Peers below, ours above."""
    for number, name in enumerate(dict.fromkeys(point.codec for point in found.peers)):
        yield _curve(found.peers, name, name, PEERS[number % len(PEERS)], OTHERS)
    for kind, (line, words) in OWN.items():
        if any(point.codec == kind for point in found.points):
            yield _curve(found.points, kind, f"{words}, real bytes", line, COLOURS[0])


def _curve(points: Sequence[LimitPoint | TaskPoint], codec: str, label: str, line: str, colour: str) -> _Curve:
    own = [(point.codec_bits, point.distortion) for point in points if point.codec == codec]
    return _Curve(label, line, colour, [bits for bits, _ in own], [error for _, error in own])
