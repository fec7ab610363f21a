"""The files in zip and tar archives, in their order; packed or not, which the content tells, not the name."""

import bz2
import gzip
import lzma
import os
import struct
import tarfile
import threading
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from taskcodec.data.remote.files import File, RemoteFile, opened
from taskcodec.errors import SourceError

_MAX_HEADER_BYTES = 2**20
_KEPT_BYTES = 2**26
_SCANNED_BYTES = 2**20
_WINDOWS = 0
"""The system that wrote a zip file's member, as its header has it."""
# What the readers of archives raise on damaged ones, found by damaging some.
DAMAGE = (
    zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, ValueError, RuntimeError, struct.error,
    OverflowError, IndexError, KeyError,
)  # fmt: skip


@dataclass(frozen=True)
class Member:
    """A file in an archive. `read` raises SourceError or OSError."""

    name: str
    size: int
    read: Callable[[], bytes]


_PACKED: dict[bytes, Callable[[Any], Any]] = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\0": lzma.open}
"""How a packed file begins, and what unpacks it."""


def members(path: File) -> Iterator[Member]:
    """The files in an archive. Raises one of DAMAGE, or OSError, where it is damaged, once it has given what it can."""
    with opened(path) as file:
        start = file.read(8)
    if start.startswith((b"PK\x03\x04", b"PK\x05\x06")) or path.name.lower().endswith(".zip"):
        return _zip_members(path)
    unpack = next((unpack for magic, unpack in _PACKED.items() if start.startswith(magic)), None)
    return _tar_members(path, unpack)


def _zip_members(path: File) -> Iterator[Member]:
    written = path.stamp if isinstance(path, RemoteFile) else os.stat(path).st_mtime_ns

    def reader(info: zipfile.ZipInfo) -> Callable[[], bytes]:
        def read() -> bytes:
            try:
                return _open_zip(path, written).read(info)
            except DAMAGE as error:
                raise SourceError(f"cannot be read from its zip file ({error or type(error).__name__})") from error

        return read

    infos = _open_zip(path, written).infolist()
    slashes = any("/" in info.filename for info in infos)
    for info in infos:
        # Zip files have slashes between folders by rule; some that were made on Windows have backslashes.
        windows = info.create_system == _WINDOWS or not slashes
        name = info.filename.replace("\\", "/") if windows else info.filename
        if not name.endswith("/"):
            yield Member(name, info.file_size, reader(info))
    _check_start(path, min((info.header_offset for info in infos), default=0))


def _check_start(path: File, first: int) -> None:
    """Raise BadZipFile where another zip file lies before the first member: zipfile itself passes it over."""
    with opened(path) as file:
        if first and file.read(4) == b"PK\x03\x04":
            raise zipfile.BadZipFile(
                f"its first {first:,} bytes are another zip file, or members that it does not list"
            )


@lru_cache(maxsize=8)
def _open_zip(path: File, written: int | str) -> zipfile.ZipFile:
    """An open archive, shared by the threads that read from it: opening one reads its whole list of members."""
    return zipfile.ZipFile(_given(path))


def _tar_members(path: File, unpack: Callable[[Any], Any] | None) -> Iterator[Member]:
    stream = None if unpack is None else _Unpacked(path, unpack)
    with opened(path) if unpack is None else unpack(_given(path)) as raw:
        bounded = _Bounded(raw)
        start: int | None = 0
        while start is not None:
            bounded.seek(start)
            # Headers only: the members' bytes are read later, straight from their places.
            with tarfile.open(fileobj=bounded, mode="r:") as archive:  # type: ignore[call-overload]
                before = -1
                while (member := archive.next()) is not None:
                    archive.members.clear()  # tarfile would keep them all
                    if archive.offset <= before:
                        raise tarfile.ReadError("a header that points backwards")
                    before = archive.offset
                    if not member.isdir():
                        yield Member(member.name, member.size, _tar_reader(path, stream, member))
                start = _next_archive(bounded, archive.offset)


def _next_archive(stream: "_Bounded", end: int) -> int | None:
    """Where another archive begins behind the end of one, as after `cat a.tar b.tar`; None where only padding follows.

    Raises tarfile.ReadError on anything else, which tarfile itself passes over without a word.
    """
    stream.seek(end)
    mark = stream.read(tarfile.BLOCKSIZE)
    if not mark:
        raise tarfile.ReadError("cut off: no mark of its end")
    if mark.strip(b"\0"):
        raise tarfile.ReadError("a damaged header")
    at = end + len(mark)
    while block := stream.read(_SCANNED_BYTES):
        if rest := block.lstrip(b"\0"):
            at += len(block) - len(rest)  # a header begins with a name, not with a zero
            stream.seek(at)
            try:
                tarfile.TarInfo.frombuf(stream.read(tarfile.BLOCKSIZE), tarfile.ENCODING, "surrogateescape")
            except tarfile.HeaderError as error:
                raise tarfile.ReadError(f"what lies behind its end, from byte {at:,} on, is not a tar file") from error
            return at
        at += len(block)
    return None


def _tar_reader(path: File, stream: "_Unpacked | None", member: tarfile.TarInfo) -> Callable[[], bytes]:
    plain, offset, size = member.isreg() and not member.issparse(), member.offset_data, member.size

    def read() -> bytes:
        if not plain:
            raise SourceError("not a regular file, but a link or a special one, in its tar file")
        try:
            if stream is not None:
                data = stream.read(offset, size)
            elif isinstance(path, RemoteFile):
                data = path.read_range(offset, size)  # each thread its own
            else:
                with open(path, "rb") as file:
                    file.seek(offset)
                    data = file.read(size)
        except DAMAGE as error:
            raise SourceError(f"cannot be read from its tar file ({error or type(error).__name__})") from error
        if len(data) < size:
            raise SourceError("cut short in its tar file")
        return data

    return read


def _given(path: File) -> Any:
    """A file as readers of archives take it: by its path, or open."""
    return path.open() if isinstance(path, RemoteFile) else path


class _Bounded:
    """A stream that hands out no more at once than an honest header has: a false length allocates nothing."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self.seek, self.tell = stream.seek, stream.tell

    def read(self, size: int) -> bytes:
        if not 0 <= size <= _MAX_HEADER_BYTES:
            raise tarfile.ReadError(f"a header of {size} bytes")
        return bytes(self._stream.read(size))


class _Unpacked:
    """Pieces of a packed file, read by several threads roughly in order: the last _KEPT_BYTES stay at hand.

    A read that goes back further starts from the beginning again, as unpacking must.
    """

    def __init__(self, path: File, unpack: Callable[[Any], Any]) -> None:
        self._path, self._unpack, self._lock = path, unpack, threading.Lock()
        self._file: Any = None
        self._start, self._kept = 0, bytearray()

    def read(self, offset: int, size: int) -> bytes:
        """`size` bytes of the unpacked stream, fewer where it ends."""
        with self._lock:
            if self._file is None or offset < self._start:
                if self._file is not None:
                    self._file.close()
                self._file, self._start, self._kept = self._unpack(_given(self._path)), 0, bytearray()
            # read1 hands out what lies before damage; a full read would lose it.
            while self._start + len(self._kept) < offset + size and (more := self._file.read1(2**20)):
                self._kept += more
                surplus = min(len(self._kept) - _KEPT_BYTES, offset - self._start)
                if surplus > 0:
                    del self._kept[:surplus]
                    self._start += surplus
            place = offset - self._start
            return bytes(self._kept[place : place + size])
