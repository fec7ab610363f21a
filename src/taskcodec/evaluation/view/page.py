"""One page on a store, that asks nothing of other sites. Names and labels come from anywhere: all are escaped."""

import base64
from collections.abc import Iterable
from html import escape

from taskcodec.evaluation.report.document import document
from taskcodec.evaluation.view.content import Neighbours, Shown, ViewContent
from taskcodec.words import counted, human_bytes

LONGEST = 120
"""Characters of a name or a label that are shown."""
PER_PAGE = 100
"""Samples that are open at once; others are behind a line that opens them."""
OPEN_ROWS = 12
"""Of neighbours."""
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
_STYLE = """
.tiles { display:grid; grid-template-columns:repeat(auto-fill,minmax(120px,1fr)); gap:10px; margin:12px 0 }
.tile { font-size:.75rem; line-height:1.35; color:var(--soft); overflow-wrap:anywhere; content-visibility:auto }
.seen { aspect-ratio:1; border-radius:6px; background:var(--card) center/cover no-repeat }
.tile b { color:var(--ink) } .tile.first { border-right:2px solid var(--line); padding-right:8px }
.near { grid-template-columns:repeat(7,minmax(0,1fr)) }
@media (max-width:640px) { .near { grid-template-columns:repeat(4,minmax(0,1fr)) } }
summary { cursor:pointer; color:var(--soft); margin:10px 0 }
meter { width:100% }
"""


def page(content: ViewContent) -> str:
    """The whole file."""
    own = _STYLE + _pictures([*content.shown, *content.others.values()])
    title = text(content.name)
    sections = [f"<h1>{title}</h1>", _counts(content), _gallery(content), _near(content), _labels(content)]
    sections.append(_failures(content))
    return document(content.name, sections, own, _POLICY)


def text(value: str) -> str:
    """A name or a label as a page shows it: short, escaped, its control characters and turns of direction visible."""
    plain = "".join(c if c.isprintable() else repr(c)[1:-1] for c in value[:LONGEST])
    return f"<bdi>{escape(plain)}{'…' * (len(value) > LONGEST)}</bdi>"


def _pictures(shown: Iterable[Shown]) -> str:
    """A rule for each picture: however often it is seen, its bytes are there once."""
    return "".join(
        f".p{each.row} {{ background-image:url(data:image/avif;base64,{base64.b64encode(each.picture).decode()}) }}\n"
        for each in shown
        if each.picture
    )


def _counts(content: ViewContent) -> str:
    cards = [
        (f"{content.samples:,}", "samples"),
        (f"{content.failures:,}", "could not be coded"),
        (human_bytes(content.source_bytes), "of files, as they were"),
    ]
    for name, size in content.layers.items():
        cards.append(("?", f"of {text(name)}, not read") if size is None else (human_bytes(size), f"of {text(name)}"))
    return '<div class="cards">' + "".join(_card(*card) for card in cards) + "</div>"


def _card(value: str, words: str) -> str:
    return f'<div class="card"><b>{value}</b><span>{words}</span></div>'


def _gallery(content: ViewContent) -> str:
    shown = content.shown
    every = (
        "All samples" if len(shown) == content.samples else f"{len(shown):,} of {counted(content.samples, 'sample')}"
    )
    parts = [f"<h2>{every}</h2>"]
    for start in range(0, len(shown), PER_PAGE):
        tiles = _tiles(_tile(each) for each in shown[start : start + PER_PAGE])
        words = f"samples {start + 1:,} to {min(start + PER_PAGE, len(shown)):,} of those shown"
        parts.append(tiles if start == 0 else f"<details><summary>{words}</summary>{tiles}</details>")
    return "".join(parts) if shown else ""


def _near(content: ViewContent) -> str:
    if not content.neighbours:
        return ""
    by_row = {each.row: each for each in content.shown} | content.others
    rows = [_tiles(_row_of(each, by_row), "tiles near") for each in content.neighbours]
    words = "A sample, and the six that a predictor finds most like it, with the cosine to each."
    first, more = "".join(rows[:OPEN_ROWS]), "".join(rows[OPEN_ROWS:])
    rest = f"<details><summary>{len(rows) - OPEN_ROWS} more</summary>{more}</details>" if more else ""
    return f"<h2>Nearest in decoded features</h2><p>{words}</p>{first}{rest}"


def _row_of(found: Neighbours, by_row: dict[int, Shown]) -> Iterable[str]:
    yield _tile(by_row[found.row], " first")
    for row, cosine in found.nearest:
        yield _tile(by_row[row], "", f"{cosine:.3f}")


def _tiles(tiles: Iterable[str], kind: str = "tiles") -> str:
    return f'<div class="{kind}">{"".join(tiles)}</div>'


def _tile(shown: Shown, kind: str = "", more: str = "") -> str:
    picture = f'<div class="seen p{shown.row}"></div>'
    label = "" if shown.label is None else f"<b>{text(shown.label)}</b><br>"
    note = f"{more}<br>" if more else ""
    return f'<div class="tile{kind}">{picture}{label}{note}{text(shown.id)}</div>'


def _labels(content: ViewContent) -> str:
    if not content.labels:
        return ""
    most = max(count for _, count in content.labels)
    rows = "".join(
        f"<tr><td>{text(label)}</td><td>{count:,}</td>"
        f'<td class="text"><meter min="0" max="{most}" value="{count}"></meter></td></tr>'
        for label, count in content.labels
    )
    more = f"<p>... and {counted(content.more_labels, 'more label')}.</p>" if content.more_labels else ""
    return f'<h2>Labels</h2><div class="scroll"><table>{rows}</table></div>{more}'


def _failures(content: ViewContent) -> str:
    if not content.failed:
        return ""
    rows = "".join(f'<tr><td>{text(name)}</td><td class="text">{text(why)}</td></tr>' for name, why in content.failed)
    left = content.failures - len(content.failed)
    more = f"<p>... and {left:,} more.</p>" if left else ""
    return f'<h2>Not coded</h2><div class="scroll"><table>{rows}</table></div>{more}'
