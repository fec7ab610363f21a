"""The bytes of a layer that lies beside those of the codec: an item for every sample of the source.

    layers/NAME/zarr.json   a Zarr array of variable-length bytes, as long as there are records
    layers/NAME/c/I         a chunk of packets (see `taskcodec.store.format.packets`), with its CRC-32C
    item := content crc     of sample S of the source; crc := CRC-32C of (S as 8 bytes, content), 4 bytes, little-endian

Items count by `source_index`, not by row: what could not be coded may still have its original. An item without bytes
is none. Each item can be checked by itself, and the lengths of a chunk stand at its beginning: one original is read by
its own bytes alone. Nothing of such a layer stands in the manifest: a store is the same with and without.
"""

import json
import struct
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import google_crc32c

from taskcodec.errors import CorruptFileError, FutureVersionError
from taskcodec.store.backend import Blobs
from taskcodec.store.format.manifest import Manifest, is_ours, named_keys

FORMAT = "taskcodec.items"
VERSION = 1
FOLDER = "layers"
METADATA, ELSEWHERE = "zarr.json", "elsewhere.json"
"""In a layer's folder: what the layer is, or at which other place it lies."""
FEATURES = "features"
"""What people call the layers of the codec, all together."""
PICTURE, ORIGINAL = "picture", "original"
KINDS = (PICTURE, ORIGINAL)
CHECK_BYTES = 4
PARTIAL = ".partial"
MAX_CHUNK_ROWS = 4096


@dataclass(frozen=True)
class BesideLayer:
    """What an array's metadata say.

    Attributes:
        name: of the layer, and of its folder.
        kind: PICTURE or ORIGINAL.
        items: samples of the source that it covers so far.
        chunk_rows: items in a chunk.
        options: of how it was made: `bytes` of pictures.
    """

    name: str
    kind: str
    items: int
    chunk_rows: int
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """Of the metadata."""
        return f"{FOLDER}/{self.name}/{METADATA}"

    @property
    def chunks(self) -> int:
        return -(-self.items // self.chunk_rows)

    def chunk_key(self, index: int) -> str:
        """Of a chunk."""
        return f"{FOLDER}/{self.name}/c/{index}"

    def items_of(self, index: int) -> int:
        """How many items a chunk holds."""
        return min(self.chunk_rows, self.items - index * self.chunk_rows)


def names_beside(sizes: Mapping[str, int], codec_layers: Sequence[str]) -> list[str]:
    """The layers beside those of the codec among a store's keys, in the order of KINDS, then by name."""
    parts = [key.split("/") for key in sizes]
    found = {each[1] for each in parts if len(each) == 3 and each[0] == FOLDER and each[2] in (METADATA, ELSEWHERE)}
    order = {name: place for place, name in enumerate(KINDS)}
    return sorted(found - set(codec_layers), key=lambda name: (order.get(name, len(order)), name))


def keys_beside(sizes: Mapping[str, int], codec_layers: Sequence[str]) -> set[str]:
    """The keys of these layers, but for what was left of a write that was stopped."""
    folders = tuple(f"{FOLDER}/{name}/" for name in names_beside(sizes, codec_layers))
    return {key for key in sizes if folders and key.startswith(folders) and not key.endswith(PARTIAL)}


def orphans(sizes: Mapping[str, int], manifest: Manifest) -> list[str]:
    """Files of a store's kind that neither its manifest nor a layer beside names: what a stopped writer left."""
    named = named_keys(manifest) | keys_beside(sizes, [layer.name for layer in manifest.layers])
    return [key for key in sorted(sizes) if is_ours(key) and key not in named]


def read_layer(blobs: Blobs, name: str) -> BesideLayer | None:
    """A layer as its metadata has it, None where there is none. Raises CorruptFileError or FutureVersionError."""
    key = f"{FOLDER}/{name}/{METADATA}"
    data = blobs.get(key)
    if data is None:
        return None
    place = f"{blobs.name}/{key}"
    try:
        content = json.loads(data)
        (items,), (rows,) = content["shape"], content["chunk_grid"]["configuration"]["chunk_shape"]
        own = content["attributes"]["taskcodec"]
        version, kind, options, crc = own["version"], own["kind"], own["options"], own["crc32c"]
        known = own["format"] == FORMAT and type(version) is int and isinstance(options, dict)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise CorruptFileError(f"{place}: damaged ({type(error).__name__})") from error
    if known and version > VERSION:
        raise FutureVersionError(f"{place}: layer version {version}, this taskcodec reads up to {VERSION}: upgrade it")
    layer = BesideLayer(name, kind, items, rows, options)
    sound = type(items) is int and items >= 0 and type(rows) is int and 1 <= rows <= MAX_CHUNK_ROWS
    if not known or not sound or crc != _crc_of(layer):
        raise CorruptFileError(f"{place}: damaged (not the metadata of a layer)")
    if kind not in KINDS:
        raise FutureVersionError(
            f"{place}: a layer of kind {kind!r}, this taskcodec knows {', '.join(KINDS)}: upgrade it"
        )
    return layer


def write_layer(blobs: Blobs, layer: BesideLayer) -> None:
    """Put the metadata: from here on readers see the items they name."""
    import zarr
    from zarr.codecs import Crc32cCodec
    from zarr.dtype import VariableLengthBytes
    from zarr.errors import UnstableSpecificationWarning
    from zarr.storage import MemoryStore

    from taskcodec.store.format.packets import PacketCodec
    from taskcodec.store.places.zarr_object import ZarrBlobs

    own: Any = {
        "format": FORMAT,
        "version": VERSION,
        "kind": layer.kind,
        "options": layer.options,
        "crc32c": _crc_of(layer),
    }
    memory = MemoryStore()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnstableSpecificationWarning)
        zarr.create_array(
            memory,
            shape=(layer.items,),
            chunks=(layer.chunk_rows,),
            dtype=VariableLengthBytes(),
            serializer=PacketCodec(),
            compressors=(Crc32cCodec(),),
            filters=(),
            fill_value=b"",
            dimension_names=("sample",),
            attributes={"taskcodec": own},
        )
    blobs.put(layer.key, ZarrBlobs(memory).get("zarr.json") or b"")


def seal(content: bytes, index: int) -> bytes:
    """The item of a sample of the source; none for no content."""
    return content + _check(content, index) if content else b""


def unseal(item: bytes, index: int, place: str) -> bytes:
    """Invert `seal`. Raises CorruptFileError where the item is damaged, or another sample's."""
    if not item:
        return b""
    content, check = item[:-CHECK_BYTES], item[-CHECK_BYTES:]
    if len(item) <= CHECK_BYTES or check != _check(content, index):
        raise CorruptFileError(f"{place}: the item of sample {index} is damaged (its CRC-32C does not match)")
    return content


def grown(layer: BesideLayer, items: int) -> BesideLayer:
    """The layer with another number of items."""
    return replace(layer, items=items)


def _check(content: bytes, index: int) -> bytes:
    return struct.pack("<I", google_crc32c.extend(google_crc32c.value(struct.pack("<Q", index)), content))


def _crc_of(layer: BesideLayer) -> int:
    """Of what the metadata say, so that a flipped digit is told."""
    said = [layer.name, layer.kind, layer.items, layer.chunk_rows, layer.options]
    return int(google_crc32c.value(json.dumps(said, sort_keys=True).encode()))
