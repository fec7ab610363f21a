"""The manifest: the one commit point of a store, kept in the attributes of the Zarr group's `zarr.json`.

It names every other file that is not a chunk together with its SHA-256, and carries its own, so that whatever is read
was first checked. Chunks carry a CRC-32C each.
"""

import hashlib
import json
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

from taskcodec.coding.ans import MAX_ROWS as MAX_BLOCK_ROWS
from taskcodec.errors import CorruptFileError, ForeignFileError, FutureVersionError
from taskcodec.layer import BASE
from taskcodec.store.backend import Blobs, writer_lock

FORMAT = "taskcodec.store"
VERSION = 2
"""The newest version that is read. Version 1 has one layer, in rows; what it can express is written as such."""
GROUP_KEY = "zarr.json"
CODEC_KEY = "codec.safetensors"
ROWS, PACKETS = "rows", "packets"
"""How the symbols of a layer lie: an array of them, or an item of bytes for each sample."""
ONLY = "codes"
"""Where the array of the one layer of version 1 lies."""
MAX_ROWS = 2**40
MAX_CHUNK_SYMBOLS = 2**28
"""Symbols in a chunk, at most: what one read may have to hold in memory."""
STATES = ("writing", "complete")
CERTIFICATE_FORMAT = "taskcodec.certificate"
CERTIFICATE_VERSION = 1


@dataclass(frozen=True)
class Part:
    """One Parquet file of sample records: those of one chunk, failures among them in source order.

    `symbols_crc32c` is of the symbols of its rows (see `taskcodec.store.format.chunks`), one for each layer, 0 where it
    has none.
    """

    file: str
    sha256: str
    rows: int
    failures: int
    symbols_crc32c: tuple[int, ...]


@dataclass(frozen=True)
class StoredLayer:
    """Where and how a layer lies.

    Attributes:
        name: of the codec's layer.
        columns: its symbols a sample.
        layout: ROWS or PACKETS.
        codes_sha256: of its array's metadata without the shape.
    """

    name: str
    columns: int
    layout: str
    codes_sha256: str


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
    layers: tuple[StoredLayer, ...]
    parts: tuple[Part, ...] = ()
    source: dict[str, Any] = field(default_factory=dict)

    @property
    def version(self) -> int:
        """The oldest version of the format that can express this store."""
        return 1 if [(layer.name, layer.layout) for layer in self.layers] == [(BASE, ROWS)] else 2

    def codes_key(self, layer: StoredLayer) -> str:
        """Where the metadata of a layer's array lies."""
        return f"{self._array(layer)}/zarr.json"

    def chunk_key(self, layer: StoredLayer, index: int) -> str:
        """Where chunk `index` of a layer lies."""
        return f"{self._array(layer)}/c/{index}" + ("/0" if layer.layout == ROWS else "")

    def _array(self, layer: StoredLayer) -> str:
        return ONLY if self.version == 1 else f"layers/{layer.name}"

    @property
    def chunks(self) -> int:
        """How many chunks the samples take."""
        return -(-self.samples // self.chunk_rows)

    @cached_property
    def filled(self) -> tuple[Part, ...]:
        """The parts with coded rows: one for each chunk."""
        return tuple(part for part in self.parts if part.rows)


def max_chunk_rows(columns: int) -> int:
    """The longest chunk of so many columns."""
    return min(MAX_CHUNK_SYMBOLS // max(columns, 1), MAX_BLOCK_ROWS)


def write_manifest(blobs: Blobs, manifest: Manifest) -> None:
    """Put the manifest: from here on readers see what it names."""
    content = _content(manifest)
    attributes = {"taskcodec": content, "taskcodec_sha256": digest(manifest)}
    group = {"zarr_format": 3, "node_type": "group", "attributes": attributes}
    blobs.put(GROUP_KEY, json.dumps(group, sort_keys=True, indent=1).encode())


def digest(manifest: Manifest) -> str:
    """The SHA-256 that a store carries of its manifest: another one is another store, or another state of it."""
    return sha256(canonical(_content(manifest)))


def _content(manifest: Manifest) -> dict[str, Any]:
    content = {"format": FORMAT, "version": manifest.version, **asdict(manifest)}
    if manifest.version > 1:
        return content
    (only,) = content.pop("layers")
    parts = [{**part, "symbols_crc32c": part["symbols_crc32c"][0]} for part in content["parts"]]
    return {**content, "codes_sha256": only["codes_sha256"], "parts": parts}


def _upgraded(content: dict[str, Any]) -> dict[str, Any]:
    """The fields of any version as version 2 has them. Raises KeyError or TypeError."""
    fields = {key: value for key, value in content.items() if key not in ("format", "version")}
    if content["version"] > 1:
        return fields
    only = {"name": BASE, "columns": fields["columns"], "layout": ROWS, "codes_sha256": fields.pop("codes_sha256")}
    parts = [{**part, "symbols_crc32c": [part["symbols_crc32c"]]} for part in fields["parts"]]
    return {**fields, "layers": [only], "parts": parts}


def read_manifest(blobs: Blobs) -> Manifest:
    """Read and check the manifest.

    Raises ForeignFileError where there is no store, FutureVersionError, or CorruptFileError.
    """
    data = blobs.get(GROUP_KEY)
    place = f"{blobs.name}/{GROUP_KEY}"
    if data is None:
        if any(key.startswith((f"{ONLY}/", "layers/", "samples/part-")) for key in _some_keys(blobs)):
            raise CorruptFileError(f"{place}: missing from a taskcodec store")
        raise ForeignFileError(f"{blobs.name}: not a taskcodec store (no {GROUP_KEY} in it)")
    try:
        group = json.loads(data)
        if group.get("node_type") == "array":
            raise ForeignFileError(f"{blobs.name}: a Zarr array, not a taskcodec store; a store is the folder above it")
        attributes = group["attributes"]
        content = attributes["taskcodec"]
        claimed, version = attributes["taskcodec_sha256"], content["version"]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        if b"taskcodec" in data or blobs.get(CODEC_KEY) is not None:
            raise CorruptFileError(f"{place}: damaged ({type(error).__name__}: {error})") from error
        raise ForeignFileError(f"{blobs.name}: a Zarr group, but not a taskcodec store") from error
    found = sha256(canonical(content))
    if isinstance(version, int) and version > VERSION and claimed == found:
        raise FutureVersionError(f"{place}: store version {version}, this taskcodec reads up to {VERSION}: upgrade it")
    if claimed != found:
        raise CorruptFileError(f"{place}: damaged (SHA-256 {str(claimed)[:12]} expected, {found[:12]} found)")
    if (group.get("zarr_format"), group.get("node_type")) != (3, "group"):
        raise CorruptFileError(f"{place}: damaged (a group of Zarr format 3 expected)")
    if content.get("format") != FORMAT or type(version) is not int or version < 1:
        raise CorruptFileError(f"{place}: {FORMAT} version 1 to {VERSION} expected")
    try:
        fields = _upgraded(content)
        parts = tuple(Part(**{**part, "symbols_crc32c": tuple(part["symbols_crc32c"])}) for part in fields.pop("parts"))
        layers = tuple(StoredLayer(**layer) for layer in fields.pop("layers"))
        manifest = Manifest(parts=parts, layers=layers, **fields)
    except (KeyError, TypeError) as error:
        raise CorruptFileError(f"{place}: lacks or mangles {error}") from error
    _check(manifest, version, place)
    return manifest


def write_certificate(blobs: Blobs, content: dict[str, Any]) -> None:
    """Put a certificate beside the manifest, in the same file: it holds for what the manifest names now.

    Readers that know of no certificates see the same store as before. Whatever changes the store (an append) writes
    its manifest anew, and the certificate, which does not cover the new samples, goes.
    """
    with writer_lock(blobs):
        read_manifest(blobs)
        group = json.loads(blobs.get(GROUP_KEY) or b"")
        attributes = group["attributes"]
        whole = {
            "format": CERTIFICATE_FORMAT,
            "version": CERTIFICATE_VERSION,
            "manifest_sha256": attributes["taskcodec_sha256"],
            **content,
        }
        attributes["taskcodec_certificate"] = whole
        attributes["taskcodec_certificate_sha256"] = sha256(canonical(whole))
        blobs.put(GROUP_KEY, json.dumps(group, sort_keys=True, indent=1).encode())


def read_certificate(blobs: Blobs) -> dict[str, Any] | None:
    """The certificate in a store, None where there is none.

    Raises CorruptFileError where it is damaged or is not of this manifest, FutureVersionError, and what
    `read_manifest` raises.
    """
    read_manifest(blobs)
    attributes, place = json.loads(blobs.get(GROUP_KEY) or b"")["attributes"], f"{blobs.name}/{GROUP_KEY}"
    if "taskcodec_certificate" not in attributes:
        return None
    whole = attributes["taskcodec_certificate"]
    if attributes.get("taskcodec_certificate_sha256") != sha256(canonical(whole)) or not isinstance(whole, dict):
        raise CorruptFileError(f"{place}: its certificate is damaged (another SHA-256)")
    version = whole.get("version")
    if whole.get("format") != CERTIFICATE_FORMAT or type(version) is not int:
        raise CorruptFileError(f"{place}: its certificate is invalid")
    if version > CERTIFICATE_VERSION:
        raise FutureVersionError(
            f"{place}: certificate version {version}, this taskcodec reads up to {CERTIFICATE_VERSION}: upgrade it"
        )
    if whole.get("manifest_sha256") != attributes["taskcodec_sha256"]:
        raise CorruptFileError(f"{place}: its certificate is of another state of the store; make it again")
    return whole


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


def _check(manifest: Manifest, version: int, place: str) -> None:
    parts = manifest.parts
    counts = [manifest.samples, manifest.chunk_rows, manifest.columns, manifest.dimension]
    counts += [count for part in parts for count in (part.rows, part.failures, *part.symbols_crc32c)]
    counts += [layer.columns for layer in manifest.layers]
    texts = [manifest.fingerprint, manifest.codec_sha256]
    texts += [text for layer in manifest.layers for text in (layer.name, layer.codes_sha256)]
    texts += [text for part in parts for text in (part.file, part.sha256)]
    # A part belongs to one chunk: so the manifest's own length bounds the samples that it can claim.
    if (
        not all(type(count) is int and 0 <= count < MAX_ROWS for count in counts)
        or not 0 < manifest.chunk_rows <= max_chunk_rows(manifest.columns)
        or any(part.rows > manifest.chunk_rows for part in parts)
        or any(part.rows < manifest.chunk_rows for part in manifest.filled[:-1])
    ):
        raise CorruptFileError(f"{place}: invalid counts")
    if not all(isinstance(text, str) for text in texts) or manifest.state not in STATES:
        raise CorruptFileError(f"{place}: invalid names, digests or state")
    names = [layer.name for layer in manifest.layers]
    if (
        not all(name.isidentifier() for name in names)
        or len(set(names)) != len(names)
        or any(layer.layout not in (ROWS, PACKETS) for layer in manifest.layers)
        or any(len(part.symbols_crc32c) != len(names) for part in parts)
        or sum(layer.columns for layer in manifest.layers) != manifest.columns
        or version != manifest.version
    ):
        raise CorruptFileError(f"{place}: invalid layers")
    if not isinstance(manifest.source, dict):
        raise CorruptFileError(f"{place}: an invalid description of its source")
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
