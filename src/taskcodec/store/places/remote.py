"""A store under a URL: an object for each key."""

from dataclasses import dataclass
from typing import Any, Protocol

from taskcodec.errors import StorageError
from taskcodec.store.places.blobs import BUSY, COMMIT_KEY, LOCK_KEY
from taskcodec.store.places.clients import Read
from taskcodec.store.places.connect import connect
from taskcodec.store.places.faults import Changed, lacks_bucket, read_fault, write_fault


class Held(Protocol):
    """A writer's hold on a place."""

    def check(self) -> None:
        """Raise StorageError where it may have been lost."""


@dataclass(frozen=True)
class _Seen:
    """The tag of the commit key as it was last seen, None where there was no such key."""

    tag: str | None


class RemoteBlobs:
    """Objects below a URL.

    Attributes:
        held: by the writer, where this is one's: nothing is put once that hold may be lost.
    """

    def __init__(self, url: str) -> None:
        self.name = url.rstrip("/")
        self.client, self.root = connect(url)
        self.held: Held | None = None
        self._seen: _Seen | None = None

    def get(self, key: str) -> bytes | None:
        found = self.read(key)
        if key == COMMIT_KEY:
            self._seen = _Seen(None if found is None else found.tag)
        return None if found is None else found.data

    def read(self, key: str) -> Read | None:
        """The bytes at a key with what tells their state, or None."""
        try:
            return self.client.read(self._path(key))
        except FileNotFoundError as error:
            if lacks_bucket(error):
                raise StorageError(f"{self.name}: no such bucket; make it first, or mend its name") from error
            return None
        except Exception as error:  # the libraries of each service have their own
            raise read_fault(f"{self.name}/{key}", error) from error

    def get_range(self, key: str, start: int, length: int) -> bytes | None:
        try:
            return self.client.read_range(self._path(key), start, length)
        except FileNotFoundError:
            return None
        except Exception as error:
            raise read_fault(f"{self.name}/{key}", error) from error

    def put(self, key: str, data: bytes) -> None:
        if self.held is not None:
            self.held.check()
        if key == COMMIT_KEY and self._seen is not None:
            try:
                self._seen = _Seen(self.put_if(key, data, self._seen.tag))
            except Changed as error:
                raise StorageError(
                    f"{self.name}: {BUSY}, and has committed to it since: what it wrote is kept; run the same command "
                    "again once it is done"
                ) from error
            return
        try:
            tag = self.client.write(self._path(key), data)
        except Exception as error:
            raise write_fault(f"{self.name}/{key}", error) from error
        if key == COMMIT_KEY:
            self._seen = _Seen(tag)

    def put_if(self, key: str, data: bytes, tag: str | None) -> str:
        """Put where the key is in the state of `tag` (None: absent); its new tag. Raises Changed where it is not."""
        try:
            return self.client.write_if(self._path(key), data, tag)
        except Changed:
            raise
        except Exception as error:
            raise write_fault(f"{self.name}/{key}", error) from error

    def sizes(self, folder: str = "") -> dict[str, int]:
        below = f"{self.root}/{folder}" if folder else self.root
        try:
            found = {entry.path[len(self.root) + 1 :]: entry.size for entry in self.client.listed(below)}
        except FileNotFoundError:
            return {}
        except Exception as error:
            raise read_fault(self.name, error) from error
        return {key: size for key, size in found.items() if key and key != LOCK_KEY}

    def delete(self, key: str) -> None:
        try:
            self.client.delete(self._path(key))
        except Exception as error:
            raise write_fault(f"{self.name}/{key}", error) from error

    def copy_from(self, other: "RemoteBlobs", key: str) -> None:
        """Copy what lies at a key of another place of the same service."""
        if self.held is not None:
            self.held.check()
        try:
            self.client.copy(other._path(key), self._path(key))
        except Exception as error:
            raise write_fault(f"{self.name}/{key}", error) from error

    def close(self) -> None: ...

    def __reduce__(self) -> tuple[Any, ...]:
        return RemoteBlobs, (self.name,)  # in another process: with connections of its own, and without the hold

    def _path(self, key: str) -> str:
        return f"{self.root}/{key}"
