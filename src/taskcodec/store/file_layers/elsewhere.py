"""A layer that lies at another place than its store: on another disk, in a bucket.

    layers/NAME/elsewhere.json   {"format", "version", "place", "mark", "crc32c"}
    PLACE/zarr.json, PLACE/c/I   the layer, as it would lie below layers/NAME/; its options have the same "mark"

A store may come from anyone, and must not make its reader ask a server, or read a disk, that its reader did not name:
such a place is read only where whoever reads has named it, or a folder or bucket around it.
"""

import json
import posixpath
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

import google_crc32c

from taskcodec.errors import CorruptFileError, FutureVersionError, MismatchError, SourceError, UsageError
from taskcodec.store.backend import Blobs, absolute, is_url, open_blobs
from taskcodec.store.file_layers.layout import CHECK_BYTES, ELSEWHERE, FOLDER, METADATA, BesideLayer, read_layer
from taskcodec.store.file_layers.ranges import ItemRanges
from taskcodec.words import counted

FORMAT, VERSION = "taskcodec.elsewhere", 1
MARK = "mark"


@dataclass(frozen=True)
class Elsewhere:
    """Where a layer lies.

    Attributes:
        name: of the layer.
        place: a folder by its absolute path, or a URL.
        mark: what the layer there has too: another's is told from this store's.
    """

    name: str
    place: str
    mark: str

    @property
    def key(self) -> str:
        """Of what says so in the store."""
        return f"{FOLDER}/{self.name}/{ELSEWHERE}"


class PlacedBlobs:
    """A place as the layer there sees it: under the keys that it would have in its store."""

    def __init__(self, blobs: Blobs, name: str) -> None:
        self._blobs, self._folder = blobs, f"{FOLDER}/{name}/"
        self.name = blobs.name

    def get(self, key: str) -> bytes | None:
        return self._blobs.get(self._key(key))

    def get_range(self, key: str, start: int, length: int) -> bytes | None:
        return self._blobs.get_range(self._key(key), start, length)

    def put(self, key: str, data: bytes) -> None:
        self._blobs.put(self._key(key), data)

    def sizes(self, folder: str = "") -> dict[str, int]:
        found = {self._folder + key: size for key, size in self._blobs.sizes().items()}
        return {key: size for key, size in found.items() if key.startswith(f"{folder}/" if folder else "")}

    def delete(self, key: str) -> None:
        self._blobs.delete(self._key(key))

    def close(self) -> None:
        self._blobs.close()

    def _key(self, key: str) -> str:
        return key.removeprefix(self._folder)


def checked_place(place: str) -> str:
    """A place as stores name it. Raises UsageError on what could be read in two ways, or has a password in it."""
    if not place or "::" in place or any(not c.isprintable() for c in place):
        raise UsageError(f"{place!r}: a layer is kept at a folder or a URL of one protocol")
    if not is_url(place):
        return str(absolute(posixpath.normpath(place)))
    parts = urlsplit(place)
    if parts.username or parts.password or parts.query or parts.fragment:
        raise UsageError(f"{parts.scheme}://...: a place that a store names is without passwords and queries")
    if ".." in unquote(parts.path).split("/"):
        raise UsageError(f"{place}: name the place without `..`")
    return place.rstrip("/")


def is_within(place: str, named: Sequence[str]) -> bool:
    """Whether a place is one of those named, or lies below one."""
    return any(place == each or place.startswith(each.rstrip("/") + "/") for each in map(checked_place, named))


def read_elsewhere(blobs: Blobs, name: str) -> Elsewhere | None:
    """Where a layer lies, None where that is in its store, or it is not at all. Raises CorruptFileError."""
    key = f"{FOLDER}/{name}/{ELSEWHERE}"
    data = blobs.get(key)
    if data is None:
        return None
    try:
        content = json.loads(data)
        found = Elsewhere(name, content["place"], content["mark"])
        version, crc = content["version"], content["crc32c"]
        sound = content["format"] == FORMAT and type(version) is int and crc == _crc_of(found)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise CorruptFileError(f"{blobs.name}/{key}: damaged ({type(error).__name__})") from error
    if sound and version > VERSION:
        raise FutureVersionError(
            f"{blobs.name}/{key}: version {version}, this taskcodec reads up to {VERSION}: upgrade it"
        )
    if not sound or not isinstance(found.place, str) or not isinstance(found.mark, str):
        raise CorruptFileError(f"{blobs.name}/{key}: damaged (not where a layer lies)")
    try:
        if checked_place(found.place) != found.place:
            raise UsageError("another name of the same place")
    except UsageError as error:
        raise CorruptFileError(f"{blobs.name}/{key}: damaged ({error})") from error
    return found


def is_elsewhere(blobs: Blobs, name: str) -> bool:
    """Whether a store says that a layer lies at another place."""
    return blobs.get(f"{FOLDER}/{name}/{ELSEWHERE}") is not None


def check_empty(name: str, place: str) -> None:
    """Raise UsageError where a layer cannot be begun at a place, since something lies there."""
    if open_blobs(place).sizes():
        raise UsageError(f"{place}: something lies there; keep the layer {name} at an empty place")


def start_elsewhere(blobs: Blobs, name: str, place: str) -> tuple[Elsewhere, Blobs]:
    """Have a layer lie at a place, or go on where that was done, but the layer not begun.

    Raises UsageError where something else lies there.
    """
    found, there = read_elsewhere(blobs, name), PlacedBlobs(open_blobs(place), name)
    if found is None:
        check_empty(name, place)
        found = Elsewhere(name, place, uuid.uuid4().hex)
        blobs.put(found.key, said(found))
    return found, there


def said(found: Elsewhere) -> bytes:
    """What a store says of where a layer lies, as `read_elsewhere` reads it."""
    content = {"format": FORMAT, "version": VERSION, "place": found.place, "mark": found.mark, "crc32c": _crc_of(found)}
    return json.dumps(content, sort_keys=True).encode()


def check_same(blobs: Blobs, found: Elsewhere, layer: BesideLayer) -> None:
    """Raise MismatchError where what lies at a place is the layer of another store."""
    if layer.options.get(MARK) != found.mark:
        raise MismatchError(
            f"{found.place}: the layer {found.name} of another store lies there, not that of {blobs.name}"
        )


def layer_copied(blobs: Blobs, to: Elsewhere) -> BesideLayer | None:
    """What the metadata of a layer that was copied to a place say, None where there is none.

    Of its files the sizes are looked at and no more: what a full disk, or a stop, left of a copy is told in no time.
    Raises CorruptFileError where one is missing or too short, and what `read_layer` and `check_same` do.
    """
    there = open_blobs(to.place)
    sizes = there.sizes()
    if sizes.get(METADATA) == 0:
        raise _not_whole(f"{to.place}/{METADATA}", 0)
    layer = read_layer(PlacedBlobs(there, to.name), to.name)
    if layer is None:
        return None
    check_same(blobs, to, layer)
    ranges = ItemRanges(there, "c/{}".format, layer.chunk_rows)
    for number in range(layer.chunks):
        key = ranges.chunk_key(number)
        size, least = sizes.get(key), CHECK_BYTES + 1
        # A bucket has whole files or none, and where each of them ends would be a request for every chunk.
        if size is not None and size >= least and not is_url(to.place):
            least = ranges.end(number) + CHECK_BYTES
        if size is None or size < least:
            raise _not_whole(f"{to.place}/{key}", size)
    return layer


def _not_whole(file: str, size: int | None) -> CorruptFileError:
    found = "missing" if size is None else f"{counted(size, 'byte')}, fewer than it had"
    return CorruptFileError(f"{file}: {found}; copy it once more")


def layer_at(
    blobs: Blobs, name: str, named: Sequence[str] = (), advice: str = "--elsewhere "
) -> tuple[Blobs, BesideLayer | None, Elsewhere | None]:
    """Where a layer lies, and what its metadata there say, None where there is none.

    Args:
        blobs: the store's.
        name: of the layer.
        named: places that may be read, with what lies below them.
        advice: how its user names one.

    Raises UsageError where it lies at a place that is not named, SourceError or NetworkError where that cannot be read,
    MismatchError where another store's layer lies there, and what `read_layer` does.
    """
    found = read_elsewhere(blobs, name)
    if found is None:
        return blobs, read_layer(blobs, name), None
    if not is_within(found.place, named):
        raise UsageError(
            f"{blobs.name}: says that its layer {name} lies at {found.place}, which is read only where you name it: "
            f"{advice}{found.place}"
        )
    there = PlacedBlobs(open_blobs(found.place), name)
    layer = read_layer(there, name)
    if layer is not None:
        check_same(blobs, found, layer)
    return there, layer, found


def missing_at(blobs: Blobs, found: Elsewhere) -> SourceError:
    """What to raise where nothing lies at a layer's place."""
    return SourceError(
        f"{blobs.name}: its layer {found.name} should lie at {found.place}, where none is: mount or restore that "
        f"place, say where it lies now (taskcodec relocate {blobs.name} --layer {found.name}@PLACE), or give the layer "
        f"up (taskcodec drop {blobs.name} --layer {found.name})"
    )


def _crc_of(found: Elsewhere) -> int:
    said = json.dumps([found.name, found.place, found.mark]).encode()
    return int(google_crc32c.value(said))
