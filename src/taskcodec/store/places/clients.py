"""Files under URLs, through fsspec: one request for each thing that is asked, each tried again where its fault passes.

Whatever `fsspec` takes as settings holds here: the environment, its configuration files, and those of each service.
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import fsspec
from fsspec.utils import get_protocol

from taskcodec.errors import UsageError
from taskcodec.store.places.faults import FIRST_PATIENCE, PATIENCE, Changed, passes, patiently

Found = TypeVar("Found")
S3 = ("s3", "s3a")
"""Protocols that the extra `s3` brings; what others need fsspec says."""


@dataclass(frozen=True)
class Entry:
    """A file as a listing shows it.

    Attributes:
        path: as the client takes it.
        size: in bytes.
        stamp: what changes with its content (an ETag or a time); "" where the service tells nothing of the kind.
    """

    path: str
    size: int
    stamp: str


@dataclass(frozen=True)
class Read:
    """Bytes, and what tells this state of the file from others. `age`: seconds since it was written, where known."""

    data: bytes
    tag: str
    age: float | None = None


class Client(Protocol):
    """What is asked of a service. Paths are as `connect` gives them.

    Raises FileNotFoundError, and what the libraries raise; see `faults`.

    Attributes:
        conditional: whether the service itself sees to the condition of `write_if`, so that of two one wins for sure.
    """

    @property
    def conditional(self) -> bool: ...

    def read(self, path: str) -> Read:
        """All of a file."""

    def read_range(self, path: str, start: int, length: int) -> bytes:
        """`length` bytes from `start` on, fewer where the file ends; a negative `start` counts from its end."""

    def write(self, path: str, data: bytes) -> str:
        """Write a file; its tag."""

    def write_if(self, path: str, data: bytes, tag: str | None) -> str:
        """Write a file where it is in the state of this tag, None: where there is none; its new tag.

        Raises Changed where it is not. One that is as it was to be made is taken for this very write, whose answer may
        have been lost.
        """

    def listed(self, path: str) -> Iterator[Entry]:
        """The files below a folder, in any order; none where there is no such folder."""

    def entry(self, path: str) -> Entry:
        """One file."""

    def delete(self, path: str) -> None:
        """Remove a file; also one that is gone already."""

    def copy(self, source: str, target: str) -> None:
        """Copy a file, on the side of the service where it can."""


def read_or_none(client: Client, path: str) -> Read | None:
    """All of a file; None where there is none."""
    try:
        return client.read(path)
    except FileNotFoundError:
        return None


def compare_and_write(client: Client, path: str, data: bytes, tag: str | None) -> str:
    """`write_if` of a service that knows of no conditions: what lies there is looked at just before."""
    found = read_or_none(client, path)
    if (None if found is None else found.tag) != tag and (found is None or found.data != data):
        raise Changed(path)
    return client.write(path, data)


class Session:
    """An fsspec filesystem, made anew in each process: its connections and threads do not survive a fork."""

    def __init__(self, url: str) -> None:
        self._url, self._process = url, -1
        self._filesystem: Any = None
        self._answered = False
        self.path = self._open()

    def _open(self) -> str:
        settings: dict[str, Any] = {}
        protocol = get_protocol(self._url)
        if protocol in S3:  # one party alone tries again, or attempts would multiply
            own = fsspec.config.conf.get(protocol, {}).get("config_kwargs", {})
            settings["config_kwargs"] = {
                "retries": {"total_max_attempts": 1, "mode": "standard"},
                "max_pool_connections": 64,
                **own,
            }
        try:
            self._filesystem, path = fsspec.core.url_to_fs(self._url, **settings)
        except ImportError as error:
            advice = "run: pip install 'taskcodec[s3]'" if protocol in S3 else str(error)
            raise UsageError(f"{self._url}: {protocol}:// needs a package that is not installed; {advice}") from error
        except ValueError as error:
            raise UsageError(f"{self._url}: {error}; name a protocol that fsspec knows, such as s3://") from error
        if settings:
            self._filesystem.retries = 1
            if not str(path).partition("/")[0]:
                raise UsageError(f"{self._url}: names no bucket; {protocol}://BUCKET/NAME is expected")
        self._process = os.getpid()
        return str(path).rstrip("/")

    def ask(self, call: Callable[[Any], Found]) -> Found:
        """What a call of the filesystem gives, tried again where its fault passes; raises what the last try raised.

        Of a service that has never answered less is hoped for: its address may be wrong.
        """
        try:
            found = patiently(lambda: call(self.filesystem), PATIENCE if self._answered else FIRST_PATIENCE)
        except Exception as error:
            self._answered = self._answered or not passes(error)
            raise
        self._answered = True
        return found

    @property
    def filesystem(self) -> Any:
        """That of this process."""
        if self._process != os.getpid():
            self._open()
        return self._filesystem
