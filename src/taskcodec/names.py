"""Names of samples: text, whatever bytes a file system has in its names, and no two alike."""

from collections import Counter
from collections.abc import Sequence


def readable(text: str) -> str:
    """Names may hold bytes that are no UTF-8 (they come from file systems): these as escapes, so that none fails.

    Sources, tables of labels and stores all name samples so, and one is found in another by equal names.
    """
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


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
