"""The keys of a YAML file, checked before anything heavy is loaded; what is wrong is one line with file and key."""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import MISSING, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from taskcodec.errors import SourceError, TaskcodecError, UsageError, unreadable

WHOLE, WHOLES, NUMBER, WORD, FLAG, WIDTHS, NUMBERS, WORDS, SECTION = (
    "a whole number",
    "a list of whole numbers",
    "a number",
    "a word",
    "true or false",
    "a list of two whole numbers",
    "a number or a list of numbers",
    "a list of words",
    "a section of keys",
)
MAX_WHOLE = 2**63 - 1


@contextmanager
def said_of(where: str) -> Iterator[None]:
    """What is wrong inside is said with file and section before it."""
    try:
        yield
    except TaskcodecError as error:
        raise type(error)(f"{where}{error}") from error


def check_fields(
    name: str, section: str, found: Any, of: type, kinds: Mapping[Any, str], beside: Sequence[str] = ()
) -> None:
    """Raise UsageError unless a section has the fields of a dataclass, but for those beside it."""
    own = [field for field in fields(of) if field.name not in beside]
    needed = [field.name for field in own if field.default is MISSING]
    check_keys(name, section, found, {field.name: kinds[field.type] for field in own}, needed)


def check_keys(name: str, section: str, found: Any, known: Mapping[str, str], needed: Sequence[str]) -> None:
    """Raise UsageError unless `found` has the keys it needs, no others, and values of their kinds."""
    prefix = f"{section}." if section else ""
    for key, value in found.items():
        if key not in known:
            near = get_close_matches(str(key), known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}"
            raise UsageError(f"{name}: {prefix}{key}: no such key; {hint}")
        if not _is(value, known[key]):
            raise UsageError(f"{name}: {prefix}{key}: expected {known[key]}, found {_short(value, known[key])}")
    for key in needed:
        if key not in found:
            raise UsageError(f"{name}: {prefix}{key}: missing")


def _is(value: Any, kind: str) -> bool:
    whole = isinstance(value, int) and not isinstance(value, bool) and abs(value) <= MAX_WHOLE
    number = whole or isinstance(value, float)
    if kind == NUMBERS and isinstance(value, list):
        return bool(value) and all(_is(item, NUMBER) for item in value)
    if kind == WORDS:
        return isinstance(value, list) and all(isinstance(item, str) for item in value)
    if kind == WHOLES:
        return isinstance(value, list) and bool(value) and all(_is(item, WHOLE) for item in value)
    if kind == WIDTHS:
        return isinstance(value, list) and len(value) == 2 and all(_is(item, WHOLE) for item in value)
    return {
        WHOLE: whole,
        NUMBER: number,
        NUMBERS: number,
        WORD: isinstance(value, str),
        FLAG: isinstance(value, bool),
        SECTION: isinstance(value, dict),
    }[kind]


def _short(value: Any, kind: str) -> str:
    """A value as found; of a number in another notation also how to write it."""
    if isinstance(value, int) and abs(value) > MAX_WHOLE:
        return "one that is too large"  # and may have more digits than Python turns into text
    hint, number = "", _number(value)
    if number is not None and kind == WHOLE and number.is_integer() and abs(number) <= MAX_WHOLE:
        hint = f" (write {number:.0f})"
    elif number is not None and isinstance(value, str) and kind in (NUMBER, NUMBERS):
        written = _as_yaml(value)
        hint = f" (a word to YAML: {'leave out the quotes' if written == value else f'write {written}'})"
    return f"{str(value)[:40]!r}" + hint


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, str | float):
        return None
    try:
        found = float(value)
    except ValueError:
        return None
    return found if math.isfinite(found) else None


def _as_yaml(text: str) -> str:
    """A number as YAML 1.1 knows it: a digit and a dot before an exponent, and a sign in it."""
    mantissa, mark, exponent = text.strip().lower().partition("e")
    if not re.fullmatch(r"[-+]?[0-9]+\.[0-9]*" if mark else r"[-+]?[0-9]+(\.[0-9]*)?", mantissa):
        mantissa = str(float(mantissa))
    return f"{mantissa}{mark}{'+' if exponent[:1].isdigit() else ''}{exponent}"


def read_yaml(path: str | Path) -> Any:
    """The content of a YAML file in which no key is given twice: YAML itself would take the last one."""
    try:
        import yaml
    except ImportError as error:
        raise UsageError("training needs PyYAML; run: pip install 'taskcodec[train]'") from error
    try:
        text = Path(path).read_text(encoding="utf-8")
        twice = _given_twice(yaml.compose(text, Loader=yaml.SafeLoader))
        content = yaml.safe_load(text)
    except OSError as error:
        raise unreadable(path, error) from error
    except RecursionError as error:
        raise SourceError(f"{path}: not a configuration (nested too deeply)") from error
    except (yaml.YAMLError, ValueError) as error:  # ValueError: no text, no date, a number of thousands of digits
        mark = getattr(error, "problem_mark", None)
        where = "" if mark is None else f" in line {mark.line + 1}"
        reason = "not text" if isinstance(error, UnicodeDecodeError) else getattr(error, "problem", None) or str(error)
        raise SourceError(f"{path}: not YAML{where} ({reason})") from error
    if twice is not None:
        key, first, again = twice
        raise UsageError(f"{path}: {key}: given twice, in line {first} and in line {again}")
    return content


def _given_twice(root: Any) -> tuple[str, int, int] | None:
    """The first key that a mapping among YAML's nodes has twice, and its two lines."""
    waiting, seen = [("", root)], set[int]()
    while waiting:
        where, node = waiting.pop(0)
        if id(node) in seen or not isinstance(getattr(node, "value", None), list):
            continue  # an anchor may be used many times, even inside itself
        seen.add(id(node))
        lines: dict[tuple[str, str], int] = {}
        for item in node.value:
            key, value = item if isinstance(item, tuple) else (None, item)
            name = where if key is None else f"{where}.{key.value}".lstrip(".")
            if key is not None and isinstance(key.value, str):
                line, same = key.start_mark.line + 1, (key.tag, key.value)
                if same in lines:
                    return name, lines[same], line
                lines[same] = line
            waiting.append((name, value))
    return None
