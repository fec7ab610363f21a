"""Where results are written: what may be replaced, looked at before anything is computed."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from taskcodec.container.file import FORMAT as CODEC_FORMAT
from taskcodec.errors import StorageError, UsageError
from taskcodec.store.backend import folder_lock
from taskcodec.store.format.manifest import CODEC_KEY, GROUP_KEY

KINDS: dict[str, tuple[str, Callable[[bytes], bool]]] = {
    "npy": ("a .npy file", lambda start: start.startswith(b"\x93NUMPY")),
    "parquet": ("a Parquet file", lambda start: start.startswith(b"PAR1")),
    "csv": ("a CSV file", lambda start: b"\0" not in start),
    "codec": ("a codec", lambda start: CODEC_FORMAT.encode() in start),
}
"""How a file of each kind that is written is known by its first SNIFFED bytes."""
SNIFFED = 2**20


def check_output(source: str, output: Path, kind: str) -> None:
    """Refuse to write a result over what it is made from, into a store, or over a file that is not of its kind.

    Raises StorageError where nothing can be written there, before anything is computed.
    """
    _check_writable(output)
    if output.exists() and Path(source).exists() and output.samefile(source):
        raise UsageError(f"{output}: is the source itself; name another file for the output")
    for folder in output.resolve().parents:
        if (folder / CODEC_KEY).exists() and (folder / GROUP_KEY).exists():
            raise UsageError(f"{output}: lies in the store {folder}; name a place outside it for the output")
    if not output.is_file():
        return
    words, is_kind = KINDS[kind]
    with open(output, "rb") as file:
        start = file.read(SNIFFED)
    if start and not is_kind(start):
        raise UsageError(f"{output}: exists and is not {words}, so it is not replaced; name another file or remove it")


@contextmanager
def held(folder: Path, busy: str) -> Iterator[None]:
    """Hold a folder for this process, making it where it is not there; left empty, it is removed again.

    Raises StorageError that says `busy` where another process holds it.
    """
    try:
        with folder_lock(folder, f"{folder}: {busy}"):
            yield
    finally:
        with suppress(OSError):
            folder.rmdir()


def _check_writable(output: Path) -> None:
    """Raise StorageError where no file can be written under this name: better told before hours than after them."""
    target = Path(os.path.realpath(output))
    if not target.parent.is_dir():
        raise StorageError(f"{output}: cannot be written: there is no folder {target.parent}; make it first")
    if target.exists() and not target.is_file():
        raise StorageError(f"{output}: cannot be written (a folder or a device, not a file)")
    if not os.access(target.parent, os.W_OK | os.X_OK):
        raise StorageError(f"{output}: cannot be written (no permission in {target.parent})")
