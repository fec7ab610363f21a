"""What made a result: the command, the seed and the versions, to be kept beside its rows."""

import platform
import sys
from importlib.metadata import version


def stamp(*packages, seed):
    """Of the command that runs, with these packages."""
    return {
        "command": sys.argv,
        "seed": seed,
        "versions": {name: version(name) for name in packages},
        "python": platform.python_version(),
    }
