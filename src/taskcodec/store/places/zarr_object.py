"""A store in a Zarr store object, such as `zarr.storage.MemoryStore()`."""

from zarr.abc.store import RangeByteRequest, SuffixByteRequest
from zarr.abc.store import Store as ZarrStore
from zarr.core.buffer import default_buffer_prototype
from zarr.core.sync import sync
from zarr.storage import StorePath

from taskcodec.errors import StorageError
from taskcodec.store.places.blobs import BUSY, COMMIT_KEY


class ZarrBlobs:
    """A Zarr store object, such as `zarr.storage.MemoryStore()`."""

    def __init__(self, store: ZarrStore) -> None:
        self.store = sync(StorePath.open(store, path="", mode=None)).store  # some are not opened until asked
        self.name = str(store)
        self._commits: list[bytes | None] = []  # what the commit key held when it was last read or put, if ever

    def get(self, key: str) -> bytes | None:
        found = self._get(key)
        if key == COMMIT_KEY:
            self._commits = [found]
        return found

    def _get(self, key: str) -> bytes | None:
        found = sync(self.store.get(key, prototype=default_buffer_prototype()))
        return None if found is None else found.to_bytes()

    def get_range(self, key: str, start: int, length: int) -> bytes | None:
        wanted = RangeByteRequest(start, start + length) if start >= 0 else SuffixByteRequest(-start)
        found = sync(self.store.get(key, prototype=default_buffer_prototype(), byte_range=wanted))
        return None if found is None else found.to_bytes()[:length]

    def put(self, key: str, data: bytes) -> None:
        if key == COMMIT_KEY:  # Zarr's stores know of no conditions: what lies there is looked at just before
            if self._commits and self._get(key) not in (*self._commits, data):
                raise StorageError(f"{self.name}: {BUSY}, and has committed to it since")
            self._commits = [data]
        sync(self.store.set(key, default_buffer_prototype().buffer.from_bytes(data)))

    def sizes(self, folder: str = "") -> dict[str, int]:
        async def collect() -> dict[str, int]:
            found = self.store.list_prefix(f"{folder}/") if folder else self.store.list()
            return {key: await self.store.getsize(key) async for key in found}

        return sync(collect())

    def delete(self, key: str) -> None:
        sync(self.store.delete(key))

    def close(self) -> None: ...  # whoever made the store closes it
