"""What made a result: the command, the seed and the versions, to be kept beside its rows."""

import platform
import sys
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).parents[1]


def stamp(*packages, seed):
    """Of the command that runs, with these packages."""
    return {
        "command": [_named(part) for part in sys.argv],
        "seed": seed,
        "versions": {name: version(name) for name in packages},
        "python": platform.python_version(),
    }


def _named(part):
    """A part of a command, a path without what is of this machine alone."""
    path = Path(part)
    if not path.is_absolute():
        return part
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else path.name
