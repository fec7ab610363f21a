"""What the reader and the writer need of the place where a store lies, whatever it is."""

from typing import Protocol

COMMIT_KEY = "zarr.json"
"""The one key whose bytes say what the others are."""
LOCK_KEY = ".lock"
BUSY = "another process is writing this store"


class Blobs(Protocol):
    """What the reader and the writer need of a place."""

    name: str

    def get(self, key: str) -> bytes | None:
        """The bytes at a key, or None."""

    def get_range(self, key: str, start: int, length: int) -> bytes | None:
        """`length` bytes from `start` on, fewer where the key ends before them; None where there is no such key.

        A negative `start` counts from the end, as in a slice: the last bytes are read without asking for the size.
        """

    def put(self, key: str, data: bytes) -> None:
        """Replace the bytes at a key, atomically.

        COMMIT_KEY is put only where it is as this object last read or put it, as far as the place can tell: of two
        writers one wins, and the other gets a StorageError.
        """

    def sizes(self, folder: str = "") -> dict[str, int]:
        """Every key (below a folder, without a slash at its end) and its size in bytes as stored; locks are none."""

    def delete(self, key: str) -> None:
        """Remove a key that exists."""

    def close(self) -> None:
        """Let go of what is open; it is opened again where it is needed."""
