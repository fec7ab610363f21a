"""The arrays of a store: the metadata that Zarr itself writes for them, and what codes the layer that lies in each."""

import json
import warnings
from typing import Any

import zarr
from zarr.codecs import Crc32cCodec
from zarr.dtype import VariableLengthBytes
from zarr.errors import UnstableSpecificationWarning
from zarr.storage import MemoryStore

from taskcodec.coding import SymbolModel
from taskcodec.errors import MismatchError
from taskcodec.layer import Layer, OfPictures
from taskcodec.store.backend import Blobs
from taskcodec.store.format.layer_chunks import CodedLayer
from taskcodec.store.format.manifest import BLOCKS, PACKETS, PICTURES, ROWS, Manifest, checked_codes
from taskcodec.store.format.packets import PacketCodec
from taskcodec.store.format.zarr_codec import AnsCodec
from taskcodec.store.places.zarr_object import ZarrBlobs
from taskcodec.transforms.values.transform import ValuesTransform


def layout_of(layer: Layer) -> str:
    """What codes alone is an array of rows; pictures, and what needs other layers, are an item for each sample.

    Of values each chunk is an item: what codes them may be longer than they are, and lies in the codec once.
    """
    if isinstance(layer.transform, ValuesTransform):
        return BLOCKS
    if isinstance(layer.transform, OfPictures):
        return PICTURES
    return PACKETS if layer.model.given_columns else ROWS


def coded_layer(blobs: Blobs, manifest: Manifest, layer: Layer) -> CodedLayer:
    """A layer of a store with what codes it: its array's own tables, whose bytes another build of zlib may have made.

    Raises CorruptFileError where the array's metadata is missing or damaged, MismatchError where the layer is.
    """
    stored = next((found for found in manifest.layers if found.name == layer.name), None)
    if stored is None:
        raise MismatchError(f"{blobs.name}: its layers are not those of its codec")
    codes = checked_codes(blobs, manifest, stored)
    if stored.layout != ROWS:
        return CodedLayer(stored, layer.model)
    return CodedLayer(stored, AnsCodec.from_dict(json.loads(codes)["codecs"][0]).tables)


def codes_metadata(layout: str, model: SymbolModel, chunk_rows: int, samples: int) -> bytes:
    """The `zarr.json` that Zarr itself writes for the array of a layer."""
    memory = MemoryStore()
    if layout != ROWS:
        own: dict[str, Any] = {"dtype": VariableLengthBytes(), "serializer": PacketCodec(), "fill_value": b""}
    else:
        own = {"dtype": "int32", "serializer": AnsCodec(model), "fill_value": 0}
    columns = () if layout != ROWS else (model.columns,)
    shape, rows = (-(-samples // chunk_rows), 1) if layout == BLOCKS else (samples, chunk_rows)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnstableSpecificationWarning)
        zarr.create_array(
            memory,
            shape=(shape, *columns),
            chunks=(rows, *columns),
            compressors=(Crc32cCodec(),),
            filters=(),
            dimension_names=("chunk",) if layout == BLOCKS else ("sample", "symbol")[: 1 + len(columns)],
            **own,
        )
    return ZarrBlobs(memory).get("zarr.json") or b""
