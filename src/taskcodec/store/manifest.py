"""The manifest: the one commit point of a store, kept in the attributes of the Zarr group's `zarr.json`.

It names every other file that is not a chunk together with its SHA-256, and carries its own, so that whatever is read
was first checked. Chunks carry a CRC-32C each.
"""

import hashlib
import json
from dataclasses import asdict, dataclass, field
from typing import Any

from taskcodec.errors import CorruptFileError, ForeignFileError, FutureVersionError
from taskcodec.store.backend import Blobs

FORMAT = "taskcodec.store"
VERSION = 1
GROUP_KEY = "zarr.json"
CODES_KEY = "codes/zarr.json"
CODEC_KEY = "codec.safetensors"
MAX_ROWS = 2**40


@dataclass(frozen=True)
class Part:
    """One Parquet file of sample records: those of one chunk, failures among them in source order."""

    file: str
    sha256: str
    rows: int
    failures: int


@dataclass(frozen=True)
class Manifest:
    """What a store holds."""

    state: str
    fingerprint: str
    dimension: int
    columns: int
    chunk_rows: int
    samples: int
    codec_sha256: str
    codes_sha256: str
    parts: tuple[Part, ...] = ()
    source: dict[str, Any] = field(default_factory=dict)

    @property
    def chunks(self) -> int:
        """How many chunks the samples take."""
        return -(-self.samples // self.chunk_rows)


def chunk_key(index: int) -> str:
    """Where chunk `index` lies."""
    return f"codes/c/{index}/0"


def write_manifest(blobs: Blobs, manifest: Manifest) -> None:
    """Put the manifest: from here on readers see what it names."""
    content = {"format": FORMAT, "version": VERSION, **asdict(manifest)}
    attributes = {"taskcodec": content, "taskcodec_sha256": sha256(canonical(content))}
    group = {"zarr_format": 3, "node_type": "group", "attributes": attributes}
    blobs.put(GROUP_KEY, json.dumps(group, sort_keys=True, indent=1).encode())


def read_manifest(blobs: Blobs) -> Manifest:
    """Read and check the manifest.

    Raises ForeignFileError where there is no store, FutureVersionError, or CorruptFileError.
    """
    data = blobs.get(GROUP_KEY)
    place = f"{blobs.name}/{GROUP_KEY}"
    if data is None:
        if any(key.startswith(("codes/", "samples/part-")) for key in _some_keys(blobs)):
            raise CorruptFileError(f"{place}: missing from a taskcodec store")
        raise ForeignFileError(f"{blobs.name}: not a taskcodec store (no {GROUP_KEY} in it)")
    try:
        attributes = json.loads(data)["attributes"]
        content = attributes["taskcodec"]
        claimed, version = attributes["taskcodec_sha256"], content["version"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        if b"taskcodec" in data or blobs.get(CODEC_KEY) is not None:
            raise CorruptFileError(f"{place}: damaged ({type(error).__name__}: {error})") from error
        raise ForeignFileError(f"{blobs.name}: a Zarr group, but not a taskcodec store") from error
    found = sha256(canonical(content))
    if isinstance(version, int) and version > VERSION and claimed == found:
        raise FutureVersionError(f"{place}: store version {version}, this taskcodec reads up to {VERSION}: upgrade it")
    if claimed != found:
        raise CorruptFileError(f"{place}: damaged (SHA-256 {str(claimed)[:12]} expected, {found[:12]} found)")
    try:
        fields = {key: value for key, value in content.items() if key not in ("format", "version")}
        parts = tuple(Part(**part) for part in fields.pop("parts"))
        manifest = Manifest(parts=parts, **fields)
    except TypeError as error:
        raise CorruptFileError(f"{place}: {error}") from error
    _check(manifest, place)
    return manifest


def checked_bytes(blobs: Blobs, key: str, expected: str) -> bytes:
    """The bytes at a key whose SHA-256 the manifest names."""
    data = blobs.get(key)
    if data is None:
        raise CorruptFileError(f"{blobs.name}/{key}: missing")
    found = sha256(data)
    if found != expected:
        raise CorruptFileError(f"{blobs.name}/{key}: damaged (SHA-256 {expected[:12]} expected, {found[:12]} found)")
    return data


def shapeless(codes: bytes, place: str) -> bytes:
    """The array's metadata in canonical JSON without its shape, the one part that an append changes."""
    try:
        content = json.loads(codes)
        content.pop("shape")
    except (ValueError, KeyError, AttributeError, RecursionError) as error:
        raise CorruptFileError(f"{place}: damaged ({type(error).__name__})") from error
    return canonical(content)


def canonical(content: Any) -> bytes:
    """JSON with sorted keys and no white space."""
    return json.dumps(content, sort_keys=True, separators=(",", ":")).encode()


def sha256(data: bytes) -> str:
    """64 hex digits."""
    return hashlib.sha256(data).hexdigest()


def _check(manifest: Manifest, place: str) -> None:
    counts = (manifest.samples, manifest.chunk_rows, manifest.columns, manifest.dimension)
    if not all(isinstance(count, int) and 0 <= count < MAX_ROWS for count in counts) or manifest.chunk_rows < 1:
        raise CorruptFileError(f"{place}: counts that no store has")
    if sum(part.rows for part in manifest.parts) != manifest.samples:
        raise CorruptFileError(f"{place}: its parts do not add up to its {manifest.samples} samples")
    for part in manifest.parts:
        if not part.file.startswith("samples/part-") or ".." in part.file or part.file.count("/") != 1:
            raise CorruptFileError(f"{place}: a part named {part.file!r}")


def _some_keys(blobs: Blobs) -> list[str]:
    try:
        return list(blobs.sizes())[:100]
    except OSError:
        return []
