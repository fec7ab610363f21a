"""S3, and what speaks its protocol: through s3fs, whose own short cuts would ask for sizes first and keep listings."""

from collections.abc import Callable, Coroutine, Iterator
from email.utils import parsedate_to_datetime
from typing import Any

from fsspec.asyn import sync

from taskcodec.store.places.clients import Entry, Found, Read, Session, compare_and_write, read_or_none
from taskcodec.store.places.faults import Changed, Torn, lacks_conditions, status_of, was_other

_LARGEST_PUT = 2**26


class S3Client:
    """One request for each thing that is asked; states are told by ETags."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.conditional = True

    def _ask(self, call: Callable[[Any], Coroutine[Any, Any, Found]]) -> Found:
        def once(filesystem: Any) -> Found:
            found: Found = sync(filesystem.loop, call, filesystem)
            return found

        return self._session.ask(once)

    def read(self, path: str) -> Read:
        async def get(filesystem: Any) -> Read:
            data, answer = await _body(filesystem, _named(filesystem, path))
            return Read(data, str(answer["ETag"]), _age(answer))

        return self._ask(get)

    def read_range(self, path: str, start: int, length: int) -> bytes:
        wanted = f"bytes={start}-{start + length - 1}" if start >= 0 else f"bytes={start}"

        async def get(filesystem: Any) -> bytes:
            try:
                data, _ = await _body(filesystem, {**_named(filesystem, path), "Range": wanted})
            except OSError as error:
                if error.__cause__ is not None and status_of(error.__cause__) == 416:  # it begins behind the end
                    return b""
                raise
            return data[:length]

        return self._ask(get) if length > 0 else b""

    def write(self, path: str, data: bytes) -> str:
        async def put(filesystem: Any) -> Any:
            if len(data) > _LARGEST_PUT:  # in parts, each of its own request
                return await filesystem._pipe_file(path, data)
            return await filesystem._call_s3("put_object", **_named(filesystem, path), Body=data)

        found = self._ask(put)
        return str(found["ETag"]) if found else self.entry(path).stamp

    def write_if(self, path: str, data: bytes, tag: str | None) -> str:
        condition = {"IfNoneMatch": "*"} if tag is None else {"IfMatch": tag}

        async def put(filesystem: Any) -> Any:
            return await filesystem._call_s3("put_object", **_named(filesystem, path), Body=data, **condition)

        if not self.conditional:
            return compare_and_write(self, path, data, tag)
        try:
            return str(self._ask(put)["ETag"])
        except Exception as error:
            if lacks_conditions(error):
                self.conditional = False
                return compare_and_write(self, path, data, tag)
            gone = tag is not None and isinstance(error, FileNotFoundError)
            if not was_other(error) and not gone:
                raise
            found = read_or_none(self, path)
            if found is None or found.data != data:
                raise Changed(path) from error
            return found.tag

    def listed(self, path: str) -> Iterator[Entry]:
        page: dict[str, Any] = {}
        while True:
            page = self._page(f"{path}/" if "/" in path else path, page.get("NextContinuationToken"))
            bucket = path.partition("/")[0]
            for entry in page.get("Contents", []):
                yield Entry(f"{bucket}/{entry['Key']}", int(entry["Size"]), str(entry.get("ETag", "")))
            if not page.get("IsTruncated"):
                return

    def _page(self, path: str, after: str | None) -> dict[str, Any]:
        async def ask(filesystem: Any) -> dict[str, Any]:
            bucket, _, prefix = path.partition("/")
            more = {} if after is None else {"ContinuationToken": after}
            found: dict[str, Any] = await filesystem._call_s3(
                "list_objects_v2", Bucket=bucket, Prefix=prefix, **more, **filesystem.req_kw
            )
            return found

        return self._ask(ask)

    def entry(self, path: str) -> Entry:
        async def head(filesystem: Any) -> Any:
            return await filesystem._call_s3("head_object", **_named(filesystem, path))

        found = self._ask(head)
        return Entry(path, int(found["ContentLength"]), str(found.get("ETag", "")))

    def delete(self, path: str) -> None:
        async def remove(filesystem: Any) -> None:
            await filesystem._call_s3("delete_object", **_named(filesystem, path))

        self._ask(remove)

    def copy(self, source: str, target: str) -> None:
        async def copy(filesystem: Any) -> None:
            bucket, _, key = source.partition("/")
            origin = {"Bucket": bucket, "Key": key}
            await filesystem._call_s3("copy_object", **_named(filesystem, target), CopySource=origin)

        self._ask(copy)


async def _body(filesystem: Any, wanted: dict[str, Any]) -> tuple[bytes, dict[str, Any]]:
    answer = await filesystem._call_s3("get_object", **wanted)
    try:
        data = bytes(await answer["Body"].read())
    finally:
        answer["Body"].close()
    expected = answer.get("ContentLength")
    if expected is not None and len(data) != int(expected):
        raise Torn(f"{len(data):,} of {expected:,} bytes came")
    return data, answer


def _named(filesystem: Any, path: str) -> dict[str, Any]:
    """Keys are taken as they are: `?versionId=` in one is a part of its name."""
    bucket, _, key = path.partition("/")
    return {"Bucket": bucket, "Key": key, **filesystem.req_kw}


def _age(answer: dict[str, Any]) -> float | None:
    """Seconds since an object was written, by the server's own clock."""
    now, then = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date"), answer.get("LastModified")
    if now is None or then is None:
        return None
    return float((parsedate_to_datetime(now) - then).total_seconds())
