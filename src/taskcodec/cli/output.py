"""What commands print: progress on stderr where it is a terminal, results on stdout, JSON where asked."""

import json
import os
import sys
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, is_dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from taskcodec.cli.exit_codes import BROKEN_PIPE
from taskcodec.errors import StorageError

if TYPE_CHECKING:
    from taskcodec.engines.encode.local import Progress as Report

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON")]


@contextmanager
def progress_bar(title: str) -> "Iterator[Report]":
    """A bar with rate and time left; silent where stderr is no terminal."""
    from taskcodec.cli.bar import drawn_bar

    with drawn_bar(title) as report:
        yield report


def show(result: Any, as_json: bool, lines: list[str]) -> None:
    """Print `result` (a dataclass or dict) as JSON, or the lines for people."""
    if as_json:
        content = asdict(result) if is_dataclass(result) and not isinstance(result, type) else result
        lines = [json.dumps(content, indent=2)]
    try:
        print("\n".join(lines if as_json else map(printable, lines)), flush=True)
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the interpreter flushes once more as it ends
        if isinstance(error, BrokenPipeError):  # `| head` has read what it wanted
            raise typer.Exit(BROKEN_PIPE) from error
        raise StorageError(f"standard output: cannot be written ({error.strerror})") from error


def tell(notes: Iterable[str]) -> None:
    """Say on stderr what a verb has to say beside its result."""
    for note in notes:
        print(f"taskcodec: {printable(note)}", file=sys.stderr)


def printable(line: str) -> str:
    """Escapes of control characters and of what is no text: names of files come from anywhere, and must not drive the
    terminal, nor end the command that prints them.
    """
    return "".join(repr(c)[1:-1] if unicodedata.category(c) in ("Cc", "Cs") else c for c in line)


def times_smaller(ratio: float) -> str:
    """Source over result -> "950x smaller", "2.4x smaller", "2.1x larger"; "" where there is nothing to compare."""
    if not ratio > 0:
        return ""
    factor = max(ratio, 1 / ratio)
    number = f"{factor:,.0f}" if factor >= 10 else f"{factor:.1f}"
    return "as large" if number == "1.0" else f"{number}x {'smaller' if ratio > 1 else 'larger'}"
