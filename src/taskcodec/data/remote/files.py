"""Files under URLs, as readers of files take them: whole, or piece by piece, without a copy of them here."""

import errno
import io
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from taskcodec.errors import SourceError
from taskcodec.store.backend import is_url
from taskcodec.store.places.faults import read_fault

if TYPE_CHECKING:
    from taskcodec.store.places.clients import Client

BLOCK_BYTES, KEPT_BLOCKS = 2**22, 4
"""An open file reads blocks of so many bytes, and keeps so many of them: what follows is mostly there already."""
_KNOWN_FILES = 2**16


@dataclass(frozen=True)
class RemoteFile:
    """A file under a URL.

    Attributes:
        url: of it.
        path: the same as its service's client takes it.
        size: in bytes.
        stamp: what changes with its content; "" where the service tells nothing of the kind.
    """

    url: str
    path: str
    size: int
    stamp: str

    def __str__(self) -> str:
        return self.url

    @property
    def name(self) -> str:
        """Without the folders, and without what stands behind a `?` in an address of the web."""
        text = self.url.partition("?")[0] if is_web(self.url) else self.url
        return text.rpartition("/")[2]

    def read_bytes(self) -> bytes:
        """All of it. Raises FileNotFoundError, SourceError or NetworkError."""
        return read_whole(self.url, self.path)

    def read_range(self, start: int, length: int) -> bytes:
        """`length` bytes from `start` on, fewer at its end. Raises SourceError or NetworkError."""
        try:
            return _client(_root(self.url)).read_range(self.path, start, length)
        except FileNotFoundError as error:
            raise SourceError(f"{self.url}: no such file any more") from error
        except Exception as error:
            raise read_fault(self.url, error) from error

    def open(self, blocks: bool = True) -> io.RawIOBase:
        """It as an open file. Where not by `blocks`, each read is a request: for readers that have buffers."""
        return _Reader(self, blocks)


File = Path | RemoteFile
_known = OrderedDict[str, RemoteFile]()


def is_web(url: str) -> bool:
    """Whether a URL is one of the web: a file that can be read, in folders that cannot be listed."""
    return url.startswith(("http://", "https://"))


def read_url(url: str) -> bytes:
    """A file's bytes in one request, by its URL alone. Raises FileNotFoundError, SourceError or NetworkError."""
    return read_whole(url, _connect(url)[1])


def read_whole(url: str, path: str) -> bytes:
    """A file's bytes in one request. Raises FileNotFoundError, SourceError or NetworkError."""
    try:
        return _client(_root(url)).read(path).data
    except FileNotFoundError as error:
        raise FileNotFoundError(errno.ENOENT, "no such file") from error
    except Exception as error:
        raise read_fault(url, error) from error


def listed(url: str) -> Iterator[tuple[str, RemoteFile]]:
    """The files below a URL, by their names relative to it; in any order.

    Raises SourceError where it cannot be listed, NetworkError where the service does not answer.
    """
    root = url.rstrip("/")
    try:
        client, path = _connect(url)
        for entry in client.listed(path):
            name = entry.path[len(path) + 1 :]
            yield name, RemoteFile(f"{root}/{name}", entry.path, entry.size, entry.stamp)
    except FileNotFoundError as error:
        raise SourceError(f"{url}: no such bucket or folder") from error
    except Exception as error:
        raise read_fault(url, error) from error


def found_at(url: str) -> RemoteFile | None:
    """The file of this URL as it is now; None where there is none. Raises SourceError or NetworkError."""
    try:
        client, path = _connect(url)
        entry = client.entry(path)
    except (FileNotFoundError, IsADirectoryError):
        return None
    except Exception as error:
        raise read_fault(url, error) from error
    return remember(RemoteFile(url, path, entry.size, entry.stamp))


def remember(file: RemoteFile) -> RemoteFile:
    """Keep in mind what was told of a file, so that it is not asked again where it is opened by its URL."""
    _known[file.url] = file
    while len(_known) > _KNOWN_FILES:
        _known.popitem(last=False)
    return file


def file_at(path: str | File) -> File:
    """A file by its path or URL. Raises SourceError where there is none under that URL."""
    if isinstance(path, RemoteFile) or not is_url(path):
        return path if isinstance(path, RemoteFile) else Path(path)
    file = _known.get(str(path)) or found_at(str(path))
    if file is None:
        raise SourceError(f"{path}: no such file")
    return file


def opened(file: File, blocks: bool = True) -> Any:
    """A file open for reading, wherever it lies."""
    return open(file, "rb") if isinstance(file, Path) else file.open(blocks)


def size_of(file: File) -> int:
    """In bytes."""
    return file.stat().st_size if isinstance(file, Path) else file.size


def _root(url: str) -> str:
    """The part of a URL that decides who is asked."""
    protocol, _, rest = url.partition("://")
    return f"{protocol}://{rest.partition('/')[0]}"


@lru_cache(maxsize=32)
def _client(root: str) -> "Client":
    return _connect(root)[0]


def _connect(url: str) -> "tuple[Client, str]":
    from taskcodec.store.places.connect import connect  # and with it fsspec, which files here do not need

    return connect(url)


class _Reader(io.RawIOBase):
    """An open file of which blocks are read as they are needed."""

    def __init__(self, file: RemoteFile, blocks: bool) -> None:
        self._file, self._by_blocks, self._at = file, blocks, 0
        self._blocks, self._lock = OrderedDict[int, bytes](), Lock()

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._file.size}[whence]
        self._at = max(start + offset, 0)
        return self._at

    def read(self, size: int | None = -1) -> bytes:
        left = max(self._file.size - self._at, 0)
        wanted = left if size is None or size < 0 else min(size, left)
        data = self._piece(self._at, wanted) if wanted else b""
        if len(data) < wanted:
            raise OSError(f"changed while it was read: {len(data):,} of {wanted:,} bytes came")
        self._at += len(data)
        return data

    def readinto(self, buffer: Any) -> int:
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def _piece(self, start: int, length: int) -> bytes:
        if not self._by_blocks or length >= BLOCK_BYTES:
            return self._file.read_range(start, length)
        first, last = start // BLOCK_BYTES, (start + length - 1) // BLOCK_BYTES
        data = b"".join(self._block(number) for number in range(first, last + 1))
        return data[start - first * BLOCK_BYTES :][:length]

    def _block(self, number: int) -> bytes:
        with self._lock:
            if number not in self._blocks:
                self._blocks[number] = self._file.read_range(number * BLOCK_BYTES, BLOCK_BYTES)
                while len(self._blocks) > KEPT_BLOCKS:
                    self._blocks.popitem(last=False)
            self._blocks.move_to_end(number)
            return self._blocks[number]
