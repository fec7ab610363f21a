"""How far codecs are from the limit, on a report's page: what `taskcodec limits -o` wrote, read again.

limits.json, limits.svg --> LimitsPicture --> a section of HTML
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from taskcodec.errors import SourceError
from taskcodec.evaluation.rates.curves import is_text
from taskcodec.evaluation.report.tables import bits, table

FILE, PLOT = "limits.json", "limits.svg"
EARLIER = "excess_bits"
"""What the distortion of a task was called in earlier files."""
NAMES = {"fitted": "taskcodec", "store": "the store's codec"}


@dataclass(frozen=True)
class LimitsRow:
    """A codec and the bound at its error; None where nothing is known.

    Attributes:
        codec: its name, as people read it.
        ours: whether it is one of this package's.
        error: a sum of squares, or bits of excess log loss.
        codec_bits: bits a sample, in real bytes.
        bound_bits: so many would do.
        bound_error_bits: the standard error of that.
        granular_bits: how much of the distance is granular loss.
    """

    codec: str
    ours: bool
    error: float
    codec_bits: float
    bound_bits: float | None
    bound_error_bits: float | None
    granular_bits: float | None


@dataclass(frozen=True)
class LimitsPicture:
    """The limits of a source or store. plot: the bytes of an SVG file, empty without one."""

    name: str
    error_is: str
    method: str
    rows: tuple[LimitsRow, ...]
    plot: bytes = b""


def read_limits(place: Path) -> LimitsPicture:
    """What `taskcodec limits -o` left in a folder, or its JSON file. Raises SourceError where it is something else."""
    file = place / FILE if place.is_dir() else place
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise SourceError(f"{file}: cannot be read as JSON ({error})") from error
    expected = f"{file}: expected what `taskcodec limits -o` writes"
    if not isinstance(found, dict) or not all(is_text(found.get(key)) for key in ("name", "method")):
        raise SourceError(f"{expected}, found no name and method")
    task = "classes" in found
    errors_of = "" if task else found.get("errors_of")
    if not is_text(errors_of):
        raise SourceError(f"{expected}, found no errors_of")
    rows = list[LimitsRow]()
    for key in ("points", "peers"):
        points = found.get(key, [])
        if not isinstance(points, list) or not all(isinstance(point, dict) for point in points):
            raise SourceError(f"{expected}, found no list of {key}")
        rows += [_row(point, key == "points", expected) for point in points]
    plot = file.with_name(PLOT)
    try:
        drawn = plot.read_bytes() if plot.exists() else b""
    except OSError as error:
        raise SourceError(f"{plot}: cannot be read ({error.strerror})") from error
    words = "bits of excess log loss" if task else f"sum of squared errors of {errors_of}"
    return LimitsPicture(found["name"], words, found["method"], tuple(rows), drawn)


def _row(point: Mapping[str, Any], ours: bool, expected: str) -> LimitsRow:
    error = EARLIER if EARLIER in point else "distortion"
    codec, numbers = point.get("codec"), dict[str, float | None]()
    needed = (error, "codec_bits")
    for name in (*needed, "rate_upper_bits", "rate_upper_error_bits", "granular_bits"):
        value = point.get(name)
        good = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        if not good and (value is not None or name in needed):
            raise SourceError(f"{expected}, found {name} {value!r}")
        numbers[name] = value
    if not is_text(codec):
        raise SourceError(f"{expected}, found codec {codec!r}")
    assert isinstance(codec, str)
    first, second = numbers[error], numbers["codec_bits"]
    assert first is not None
    assert second is not None
    bound, spread, granular = (numbers[name] for name in ("rate_upper_bits", "rate_upper_error_bits", "granular_bits"))
    return LimitsRow(NAMES.get(codec, codec) if ours else codec, ours, first, second, bound, spread, granular)


def limits_section(pictures: Sequence[LimitsPicture]) -> str:
    """As HTML; nothing without any."""
    if not pictures:
        return ""
    words = (
        "In how many bits the same error could be had, by the best known upper bound on the rate-distortion function, "
        "on samples that fitted neither codec nor bound. The truth may lie lower still."
    )
    return f"<h2>How far from the limit</h2><p>{words}</p>" + "".join(map(_picture, pictures))


def _picture(picture: LimitsPicture) -> str:
    parts = [f"<h3>{escape(picture.name)}</h3>"]
    if picture.plot:
        data, label = base64.b64encode(picture.plot).decode("ascii"), escape(f"Limits of {picture.name}")
        parts.append(f'<figure><img src="data:image/svg+xml;base64,{data}" alt="{label}" width="100%"></figure>')
    head = ["codec", escape(picture.error_is), "bits a sample", "would do", "above", "of it granular loss"]
    body = [("ours" if row.ours else "", _cells(row)) for row in picture.rows]
    return "".join([*parts, table(head, body), f'<p class="small">{escape(picture.method)}.</p>'])


def _cells(row: LimitsRow) -> list[str]:
    never = '<span class="never">–</span>'
    start = [escape(row.codec), f"{row.error:.4g}", bits(row.codec_bits)]
    if row.bound_bits is None:
        return [*start, never, never, never]
    above = row.codec_bits - row.bound_bits
    share = f" ({100 * above / row.bound_bits:+,.0f}\u00a0%)" if row.bound_bits > 0 else ""
    spread = "" if row.bound_error_bits is None else f" <small>± {row.bound_error_bits:.1f}</small>"
    granular = never if row.granular_bits is None else bits(row.granular_bits)
    return [*start, f"{bits(row.bound_bits)}{spread}", f"{above:+,.1f}{share}", granular]
