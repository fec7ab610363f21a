"""Any protocol that fsspec knows, by what all of its filesystems can do."""

import hashlib
from collections.abc import Iterator
from typing import Any

from taskcodec.store.places.clients import Entry, Read, Session, compare_and_write


class FsspecClient:
    """Any protocol that fsspec knows. States are told by content, and conditions are checked before writing only."""

    conditional = False

    def __init__(self, session: Session) -> None:
        self._session = session

    def read(self, path: str) -> Read:
        data = bytes(self._session.ask(lambda fs: fs.cat_file(path)))
        return Read(data, _tag(data))

    def read_range(self, path: str, start: int, length: int) -> bytes:
        if length <= 0:
            return b""
        if start < 0:
            start = max(self.entry(path).size + start, 0)
        data = bytes(self._session.ask(lambda fs: fs.cat_file(path, start=start, end=start + length)))
        # A web server that knows of no ranges sends the whole.
        return data if len(data) <= length else data[start : start + length]

    def write(self, path: str, data: bytes) -> str:
        def put(filesystem: Any) -> None:
            try:
                filesystem.pipe_file(path, data)
            except FileNotFoundError:  # a service with real folders
                filesystem.makedirs(path.rpartition("/")[0], exist_ok=True)
                filesystem.pipe_file(path, data)

        self._session.ask(put)
        return _tag(data)

    def write_if(self, path: str, data: bytes, tag: str | None) -> str:
        return compare_and_write(self, path, data, tag)

    def listed(self, path: str) -> Iterator[Entry]:
        def find(filesystem: Any) -> Any:
            filesystem.invalidate_cache()
            return filesystem.find(path, detail=True)

        for found, entry in self._session.ask(find).items():
            yield Entry(str(found), int(entry.get("size") or 0), _stamp(entry))

    def entry(self, path: str) -> Entry:
        found = self._session.ask(lambda fs: fs.info(path))
        if found.get("type") == "directory":
            raise IsADirectoryError(path)
        if found.get("size") is None:
            raise OSError("the server does not tell its size")
        return Entry(path, int(found["size"]), _stamp(found))

    def delete(self, path: str) -> None:
        def remove(filesystem: Any) -> None:
            try:
                filesystem.rm_file(path)
            except FileNotFoundError:
                return

        self._session.ask(remove)

    def copy(self, source: str, target: str) -> None:
        self.write(target, self.read(source).data)


def _tag(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _stamp(entry: dict[str, Any]) -> str:
    known = ("ETag", "etag", "md5Hash", "mtime", "LastModified", "updated", "created")
    return next((str(entry[key]) for key in known if entry.get(key)), "")
