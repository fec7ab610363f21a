"""The manifest: the one commit point of a store, kept in the attributes of the Zarr group's `zarr.json`.

It names every other file that is not a chunk together with its SHA-256, and carries its own, so that whatever is read
was first checked. Chunks carry a CRC-32C each.

Most of a long store is named by its segments, each of 1,024 chunks, whose index holds what is counted of each chunk: so
the manifest of a thousand million samples is as long as that of a million with a thousand lines more. While a store is
being written, the chunks since the last segment are named by parts; short stores have nothing else.
"""

import base64
import hashlib
import json
import re
from dataclasses import dataclass, field
from typing import Any

from taskcodec.coding.ans import MAX_ROWS as MAX_BLOCK_ROWS
from taskcodec.errors import CorruptFileError, ForeignFileError, FutureVersionError
from taskcodec.layer import BASE
from taskcodec.store.backend import Blobs
from taskcodec.store.format.entries import Entry, entries_from_bytes, entries_to_bytes, entry_at
from taskcodec.store.format.ids import ORDERS

FORMAT = "taskcodec.store"
VERSION = 5
"""The newest version that is read. Version 1 has one layer, in rows, version 2 several; stores of more than one chunk
are written as version 3, which has segments, stores of pictures as version 4, of values as version 5."""
GROUP_KEY = "zarr.json"
CODEC_KEY = "codec.safetensors"
ROWS, PACKETS, PICTURES, BLOCKS = "rows", "packets", "pictures", "blocks"
"""How the symbols of a layer lie: an array of them, or an item of bytes for each sample, whose symbols are a row or
have places, or an item for each chunk, whose model the codec alone holds."""
ONLY = "codes"
"""Where the array of a store's one layer lies, if it is of rows."""
DIGEST = re.compile("[0-9a-f]{64}")
INDEX, RECORDS, BUCKETS = "json", "parquet", "ids"
"""The files of a segment; those whose ids are in order have no buckets."""
SEGMENT_CHUNKS = 1024
"""Chunks of a segment, at most: the last one may be shorter."""
MAX_ROWS = 2**40
MAX_CHUNK_SYMBOLS = 2**28
"""Symbols in a chunk, at most: what one read may have to hold in memory."""
STATES = ("writing", "complete")


@dataclass(frozen=True)
class Part:
    """One Parquet file of sample records: those of a chunk or of several, failures among them in source order."""

    file: str
    sha256: str
    entries: tuple[Entry, ...]


@dataclass(frozen=True)
class Segment:
    """The records of up to SEGMENT_CHUNKS chunks, and the index of these; see `taskcodec.store.format.segments`.

    Attributes:
        entries: how many there are in its index.
        rows: samples of these.
        failures: of these.
        sha256: of the index.
        ids: how its ids are ordered, and the keys of the first and the last (see `taskcodec.store.format.ids`); None
            where they are in no order.
    """

    entries: int
    rows: int
    failures: int
    sha256: str
    ids: tuple[str, str, str] | None = None

    def key(self, number: int, kind: str) -> str:
        """Where its file of a kind lies, if it is the segment of this number."""
        return f"samples/segment-{number:06d}-{self.sha256[:8]}.{kind}"

    def keys(self, number: int) -> list[str]:
        """Where all of its files lie."""
        return [self.key(number, kind) for kind in (INDEX, RECORDS, BUCKETS) if kind != BUCKETS or self.ids is None]


@dataclass(frozen=True)
class StoredLayer:
    """Where and how a layer lies.

    Attributes:
        name: of the codec's layer.
        columns: its symbols a sample.
        layout: ROWS, PACKETS, PICTURES or BLOCKS.
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
    segments: tuple[Segment, ...] = ()
    parts: tuple[Part, ...] = ()
    source: dict[str, Any] = field(default_factory=dict)

    @property
    def version(self) -> int:
        """The version of the format that this store is written in."""
        return max(self.oldest, 3 if self.segments or self.chunks > 1 else 1)

    @property
    def oldest(self) -> int:
        """The oldest version of the format that has its layers."""
        if self.of_values:
            return 5
        if self.of_pictures:
            return 4
        return 1 if [(layer.name, layer.layout) for layer in self.layers] == [(BASE, ROWS)] else 2

    @property
    def of_pictures(self) -> bool:
        """Whether its samples are pictures, and no rows of symbols."""
        return any(layer.layout == PICTURES for layer in self.layers)

    @property
    def of_values(self) -> bool:
        """Whether its samples are values that come back as they were, and not features."""
        return any(layer.layout == BLOCKS for layer in self.layers)

    @property
    def failures(self) -> int:
        """Source samples that could not be coded."""
        tail = sum(entry.failures for part in self.parts for entry in part.entries)
        return tail + sum(segment.failures for segment in self.segments)

    def codes_key(self, layer: StoredLayer) -> str:
        """Where the metadata of a layer's array lies."""
        return f"{self._array(layer)}/zarr.json"

    def chunk_key(self, layer: StoredLayer, index: int) -> str:
        """Where chunk `index` of a layer lies."""
        return f"{self._array(layer)}/c/{index}" + ("/0" if layer.layout == ROWS else "")

    def _array(self, layer: StoredLayer) -> str:
        return ONLY if self.oldest == 1 else f"layers/{layer.name}"

    @property
    def chunks(self) -> int:
        """How many chunks the samples take."""
        return -(-self.samples // self.chunk_rows)


def is_ours(key: str) -> bool:
    """Whether a file is one that a store's writer puts, if it is one of a store's folder."""
    return key.startswith((f"{ONLY}/", "layers/", "samples/")) or key.endswith(".partial")


def named_keys(manifest: Manifest) -> set[str]:
    """Every file of a store."""
    return {
        GROUP_KEY,
        CODEC_KEY,
        *(part.file for part in manifest.parts),
        *(key for number, segment in enumerate(manifest.segments) for key in segment.keys(number)),
        *(manifest.codes_key(layer) for layer in manifest.layers),
        *(manifest.chunk_key(layer, index) for layer in manifest.layers for index in range(manifest.chunks)),
    }


def max_chunk_rows(columns: int) -> int:
    """The longest chunk of so many columns."""
    return min(MAX_CHUNK_SYMBOLS // max(columns, 1), MAX_BLOCK_ROWS)


def write_manifest(blobs: Blobs, manifest: Manifest) -> None:
    """Put the manifest: from here on readers see what it names."""
    content = _content(manifest)
    attributes = {"taskcodec": content, "taskcodec_sha256": sha256(canonical(content))}
    group = {"zarr_format": 3, "node_type": "group", "attributes": attributes}
    blobs.put(GROUP_KEY, json.dumps(group, sort_keys=True, indent=1).encode())


def digest(manifest: Manifest) -> str:
    """The SHA-256 that a store carries of its manifest: another one is another store, or another state of it."""
    return sha256(canonical(_content(manifest)))


def _content(manifest: Manifest) -> dict[str, Any]:
    content = {"format": FORMAT, "version": manifest.version, **vars(manifest)}
    content["layers"] = [dict(vars(layer)) for layer in manifest.layers]
    if manifest.version > 2:
        layers = len(manifest.layers)
        content["segments"] = [dict(vars(segment)) for segment in manifest.segments]
        content["parts"] = [
            {**vars(part), "entries": base64.b64encode(entries_to_bytes(part.entries, layers)).decode()}
            for part in manifest.parts
        ]
        return content
    del content["segments"]
    named = [(part.file, part.sha256, vars(entry)) for part in manifest.parts for entry in part.entries]
    content["parts"] = [{"file": file, "sha256": digest, **entry} for file, digest, entry in named]
    if manifest.version > 1:
        return content
    (only,) = content.pop("layers")
    parts = [{**part, "symbols_crc32c": part["symbols_crc32c"][0]} for part in content["parts"]]
    return {**content, "codes_sha256": only["codes_sha256"], "parts": parts}


def _read(content: dict[str, Any]) -> Manifest:
    """A manifest of any version. Raises KeyError, TypeError or ValueError."""
    fields, version = dict(content), content["version"]
    del fields["format"], fields["version"]
    if version == 1:
        only = {"name": BASE, "columns": fields["columns"], "layout": ROWS, "codes_sha256": fields.pop("codes_sha256")}
        fields["layers"] = [only]
    layers = tuple(StoredLayer(**layer) for layer in fields.pop("layers"))
    parts, segments = fields.pop("parts"), []
    if version < 3:
        found = [_old_part(part, version) for part in parts]
    else:
        segments = [Segment(**_with_tuple(segment, "ids")) for segment in fields.pop("segments")]
        found = [Part(**{**part, "entries": _entries(part["entries"], len(layers))}) for part in parts]
    return Manifest(layers=layers, segments=tuple(segments), parts=tuple(found), **fields)


def _old_part(part: dict[str, Any], version: int) -> Part:
    crcs = part["symbols_crc32c"]
    fields = {key: value for key, value in part.items() if key not in ("file", "sha256")}
    entry = Entry(**{**fields, "symbols_crc32c": (crcs,) if version == 1 else tuple(crcs)})
    return Part(part["file"], part["sha256"], (entry,))


def _entries(text: str, layers: int) -> tuple[Entry, ...]:
    found = entries_from_bytes(base64.b64decode(text, validate=True), layers)
    return tuple(entry_at(found, place) for place in range(len(found)))


def _with_tuple(fields: dict[str, Any], name: str) -> dict[str, Any]:
    return fields if fields[name] is None else {**fields, name: tuple(fields[name])}


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
        manifest = _read(content)
    except (KeyError, TypeError, ValueError) as error:
        raise CorruptFileError(f"{place}: lacks or mangles {error}") from error
    _check(manifest, version, place)
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


def checked_codes(blobs: Blobs, manifest: Manifest, layer: StoredLayer) -> bytes:
    """The metadata of a layer's array. Raises CorruptFileError where it is missing or damaged."""
    place = f"{blobs.name}/{manifest.codes_key(layer)}"
    data = blobs.get(manifest.codes_key(layer))
    if data is None:
        raise CorruptFileError(f"{place}: missing")
    if sha256(shapeless(data, place)) != layer.codes_sha256:
        raise CorruptFileError(f"{place}: damaged (its SHA-256 is not the manifest's)")
    return data


def canonical(content: Any) -> bytes:
    """JSON with sorted keys and no white space."""
    return json.dumps(content, sort_keys=True, separators=(",", ":")).encode()


def sha256(data: bytes) -> str:
    """64 hex digits."""
    return hashlib.sha256(data).hexdigest()


def _check(manifest: Manifest, version: int, place: str) -> None:
    segments, entries = manifest.segments, [entry for part in manifest.parts for entry in part.entries]
    counts = [manifest.samples, manifest.chunk_rows, manifest.columns, manifest.dimension]
    counts += [count for entry in entries for count in (entry.rows, entry.failures, *entry.symbols_crc32c)]
    counts += [count for segment in segments for count in (segment.entries, segment.rows, segment.failures)]
    counts += [layer.columns for layer in manifest.layers]
    texts = [manifest.fingerprint, manifest.codec_sha256, *(segment.sha256 for segment in segments)]
    texts += [text for layer in manifest.layers for text in (layer.name, layer.codes_sha256)]
    texts += [text for part in manifest.parts for text in (part.file, part.sha256)]
    texts += [text for segment in segments if segment.ids is not None for text in segment.ids]
    if (
        not all(type(count) is int and 0 <= count < MAX_ROWS for count in counts)
        or not 0 < manifest.chunk_rows <= max_chunk_rows(manifest.columns)
        or not _whole(manifest, entries)
    ):
        raise CorruptFileError(f"{place}: invalid counts")
    if not all(isinstance(text, str) for text in texts) or manifest.state not in STATES:
        raise CorruptFileError(f"{place}: invalid names, digests or state")
    if not all(DIGEST.fullmatch(segment.sha256) for segment in segments) or not all(
        len(segment.ids) == 3 and segment.ids[0] in ORDERS for segment in segments if segment.ids is not None
    ):
        raise CorruptFileError(f"{place}: an invalid segment")
    names = [layer.name for layer in manifest.layers]
    layouts = [PICTURES] if manifest.of_pictures else [BLOCKS] if manifest.of_values else [ROWS, PACKETS]
    if (
        not all(name.isidentifier() for name in names)
        or len(set(names)) != len(names)
        or any(layer.layout not in layouts for layer in manifest.layers)
        or any(len(entry.symbols_crc32c) != len(names) for entry in entries)
        or sum(layer.columns for layer in manifest.layers) != manifest.columns
        or version not in (manifest.version, manifest.oldest)
    ):
        raise CorruptFileError(f"{place}: invalid layers")
    if not isinstance(manifest.source, dict):
        raise CorruptFileError(f"{place}: an invalid description of its source")
    rows = sum(segment.rows for segment in segments) + sum(entry.rows for entry in entries)
    if rows != manifest.samples:
        raise CorruptFileError(f"{place}: its parts do not add up to its {manifest.samples} samples")
    for part in manifest.parts:
        if not part.file.startswith("samples/part-") or ".." in part.file or part.file.count("/") != 1:
            raise CorruptFileError(f"{place}: a part named {part.file!r}")


def _whole(manifest: Manifest, entries: list[Entry]) -> bool:
    """Whether all chunks but the last are full, and all segments but the last; before parts the last one, too.

    So an entry belongs to one chunk: the manifest's own length, with that of its indexes, bounds what it can claim.
    """
    rows, filled = manifest.chunk_rows, [entry.rows for entry in entries if entry.rows]
    if any(count > rows for count in filled) or any(count < rows for count in filled[:-1]):
        return False
    full = (SEGMENT_CHUNKS, SEGMENT_CHUNKS * rows)
    ended = manifest.segments if entries else manifest.segments[:-1]
    return all((segment.entries, segment.rows) == full for segment in ended) and all(
        0 <= segment.entries - -(-segment.rows // rows) <= 1 and 0 < segment.entries <= SEGMENT_CHUNKS
        for segment in manifest.segments[-1:]
    )


def _some_keys(blobs: Blobs) -> list[str]:
    try:
        return list(blobs.sizes())[:100]
    except OSError:
        return []
