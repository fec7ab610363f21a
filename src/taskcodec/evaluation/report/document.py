"""The shell of a page in one file, that asks nothing of other sites."""

from collections.abc import Iterable
from html import escape
from importlib import resources


def document(title: str, sections: Iterable[str], style: str = "", policy: str = "") -> str:
    """The whole file; empty sections are left out.

    Args:
        title: as text.
        sections: of the page, as HTML.
        style: more than all pages have.
        policy: what the page may load.
    """
    own = resources.files("taskcodec").joinpath("evaluation/report.css").read_text(encoding="utf-8") + style
    guard = f'<meta http-equiv="Content-Security-Policy" content="{policy}">' if policy else ""
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">{guard}'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<link rel="icon" href="data:,">'  # or browsers ask for /favicon.ico
        f"<title>{escape(title)}</title>\n<style>\n{own}</style></head>\n<body><main>\n"
        + "\n".join(section for section in sections if section)
        + "\n</main></body></html>\n"
    )
