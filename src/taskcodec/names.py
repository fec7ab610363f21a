"""Names of samples: text, whatever bytes a file system has in its names, and no two alike."""

import re
from collections import Counter
from collections.abc import Sequence

_LITERAL = re.compile(r"\\(?=(?:x5c)*udc[89a-f][0-9a-f])")
"""The backslash of what is an escape, or would be one, and stands in the name of a file as it is."""
_ESCAPE = re.compile(r"\\x5c(?=(?:x5c)*udc[89a-f][0-9a-f])|\\udc[89a-f][0-9a-f]")


def readable(text: str) -> str:
    """Names may hold bytes that are no UTF-8 (they come from file systems): these as escapes, so that none fails.

    Sources, tables of labels and stores all name samples so, and one is found in another by equal names.
    """
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


def name_of_file(raw: str) -> str:
    """The id of a file, by the name that a file system has for it; `file_of_name` gives that name back.

    A name that holds the text of an escape gets another backslash there, as an escape itself: it is another file than
    the one whose byte is escaped so.
    """
    return readable(_LITERAL.sub(r"\\x5c", raw))


def file_of_name(name: str) -> str:
    """The name of the file of an id, with bytes that are no UTF-8 as Python writes them."""
    return _ESCAPE.sub(lambda found: chr(int(found[0][2:], 16)), name)


def distinct_names(names: Sequence[str]) -> list[str]:
    """Give a second NAME the name `NAME#2`, and so on; names that are there already are passed over."""
    taken, seen, last = set(names), set[str](), Counter[str]()
    found = []
    for name in names:
        given = name
        while given in seen or (given != name and given in taken):
            last[name] += 1
            given = f"{name}#{last[name] + 1}"
        seen.add(given)
        found.append(given)
    return found
