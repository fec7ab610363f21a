"""One writer at a time: by a lock of the operating system in a folder, by an object that is kept fresh under a URL.

The object names its owner, who writes it anew every BEAT seconds. One that was not for EXPIRES seconds is taken over;
so is one at once whose owner was a process of this machine that is gone. Where a service has conditional writes, two
that try at the same time do not both get it; elsewhere each looks again after writing. Whoever may have lost it writes
nothing more, and a commit is conditional besides (see `RemoteBlobs.put`): an owner that slept through all this cannot
undo what its successor wrote.
"""

import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from taskcodec.errors import StorageError, TaskcodecError
from taskcodec.store.places.blobs import BUSY, LOCK_KEY, Blobs
from taskcodec.store.places.faults import Changed
from taskcodec.store.places.folder import FolderBlobs, folder_lock

if TYPE_CHECKING:
    from taskcodec.store.places.clients import Read
    from taskcodec.store.places.remote import RemoteBlobs

BEAT, EXPIRES = 15.0, 60.0
"""Seconds between two signs of life, and without one until a lock is of nobody."""
MARGIN = 10.0
"""An owner gives up so many seconds before others may take over."""


@contextmanager
def writer_lock(blobs: Blobs) -> Iterator[None]:
    """Hold a place for one writer. Raises StorageError where another has it. Zarr stores are not held."""
    if isinstance(blobs, FolderBlobs):
        with folder_lock(blobs.root, f"{blobs.name}: {BUSY}"):
            yield
        return
    from taskcodec.store.places.remote import RemoteBlobs

    if isinstance(blobs, RemoteBlobs):
        lock = ObjectLock(blobs)
        blobs.held = lock
        try:
            yield
        finally:
            blobs.held = None
            lock.release()
    else:
        yield


class ObjectLock:
    """A lock object under a URL, held from the start. Raises StorageError where another writer has it."""

    def __init__(self, blobs: "RemoteBlobs") -> None:
        self._blobs, self._lost, self._done = blobs, False, threading.Event()
        self._owner: dict[str, Any] = {
            "owner": uuid.uuid4().hex,
            "machine": _machine(),
            "host": socket.gethostname(),
            "process": os.getpid(),
            "started": _started(os.getpid()),
        }
        self._tag = self._take()
        self._fresh = time.monotonic()
        self._thread = threading.Thread(target=self._keep_fresh, name="taskcodec-lock", daemon=True)
        self._thread.start()

    def check(self) -> None:
        """Raise StorageError where another may have taken the lock over: this process slept, or was cut off."""
        if self._lost or time.monotonic() - self._fresh > EXPIRES - MARGIN:
            raise StorageError(
                f"{self._blobs.name}: {BUSY}: this one was not heard of for {EXPIRES:.0f} seconds and lost its turn; "
                "what it committed is kept; run the same command again"
            )

    def release(self) -> None:
        """Let others write. A lock that was lost stays with who has it now."""
        self._done.set()
        self._thread.join(timeout=BEAT)
        if not self._lost and time.monotonic() - self._fresh < EXPIRES - MARGIN:
            with suppress(TaskcodecError):  # it expires by itself
                self._blobs.delete(LOCK_KEY)

    def _take(self) -> str:
        found = self._blobs.read(LOCK_KEY)
        if found is not None and (words := _in_use(found)) is not None:
            raise StorageError(f"{self._blobs.name}: {BUSY}{words}")
        data = self._content()
        try:
            tag = self._blobs.put_if(LOCK_KEY, data, None if found is None else found.tag)
            if self._blobs.client.conditional:
                return tag
            again = self._blobs.read(LOCK_KEY)
        except Changed:
            again = None
        if again is None or again.data != data:
            raise StorageError(f"{self._blobs.name}: {BUSY}; it began at the same moment")
        return tag

    def _keep_fresh(self) -> None:
        while not self._done.wait(BEAT):
            asked = time.monotonic()
            try:
                self._tag = self._blobs.put_if(LOCK_KEY, self._content(), self._tag)
                self._fresh = asked
            except Changed:
                self._lost = True
                return
            except TaskcodecError:  # a service that does not answer now may in a while; `check` counts the seconds
                continue

    def _content(self) -> bytes:
        return json.dumps({**self._owner, "written": time.time()}).encode()


def _in_use(found: "Read") -> str | None:
    """Of a lock object, who has it, in words; None where nobody has."""
    try:
        content = json.loads(found.data)
        age = found.age if found.age is not None else time.time() - float(content["written"])
        mine = content["machine"] == _machine()
        process, host = int(content["process"]), str(content["host"])
        started = content["started"]
    except (ValueError, KeyError, TypeError):
        return ": its lock is not one of taskcodec's; remove it where no process writes here"
    if age > EXPIRES or (mine and started is not None and _started(process) != started):
        return None
    left = max(EXPIRES - age, 0)
    return (
        f" (process {process} on {host}, heard of {max(age, 0):.0f} seconds ago); where it was killed, run the same "
        f"command again in {left + 1:.0f} seconds, or remove {LOCK_KEY} there to go on at once"
    )


def _machine() -> str:
    """What tells this machine, since it was started, and this view of its processes, from others."""
    parts: list[Any] = [socket.gethostname()]
    with suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip())
        parts.append(os.readlink("/proc/self/ns/pid"))
    return " ".join(parts)


def _started(process: int) -> str | None:
    """When a process of this machine was started, in ticks: numbers of processes come again. None: it is gone."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else fields[19]
