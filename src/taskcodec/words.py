"""Numbers, and lists of names, as people read them."""

from collections.abc import Sequence


def human_bytes(number: float) -> str:
    """1234567 -> "1.2 MB"."""
    for unit in ("B", "kB", "MB", "GB"):
        if abs(number) < 1000:
            return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1000
    return f"{number:.1f} TB"


def few(names: Sequence[str], most: int = 3) -> str:
    """The first of some names, and how many more there are."""
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def counted(number: int, one: str, more: str | None = None) -> str:
    """Such as "1 file" or "2,000 files"; `more` is said of any number but 1, and ends in s where it is not given."""
    return f"{number:,} {one if number == 1 else more or f'{one}s'}"
