"""What a file is known by, without reading all of it: pieces, evenly spread."""

import os
from collections.abc import Iterator, Sequence

from taskcodec.errors import unreadable

_PIECES, _PIECE_BYTES = 256, 4096
"""So many pieces of all files together, of so many bytes each."""
_LEAST_PIECES = 2


def pieces(files: Sequence[str]) -> Iterator[bytes]:
    """Some content of each file, its first and last bytes among it. Raises SourceError where one cannot be read."""
    count = max(_PIECES // max(len(files), 1), _LEAST_PIECES)
    for name in files:
        try:
            with open(name, "rb") as file:
                size = os.fstat(file.fileno()).st_size
                for part in range(count):
                    file.seek(part * max(size - _PIECE_BYTES, 0) // (count - 1))
                    yield file.read(_PIECE_BYTES)
        except OSError as error:
            raise unreadable(name, error) from error
