"""Coded data sets on disk or object storage. Needs zarr and pyarrow; torch only for the torch data sets."""

from taskcodec.store.backend import pack_zip
from taskcodec.store.format.packets import PacketCodec
from taskcodec.store.format.records import OK, SampleRecord
from taskcodec.store.format.zarr_codec import AnsCodec
from taskcodec.store.info import StoreInfo
from taskcodec.store.reader import Store
from taskcodec.store.rows import Rows
from taskcodec.store.writer import CHUNK_ROWS, StoreWriter

__all__ = [
    "CHUNK_ROWS",
    "OK",
    "AnsCodec",
    "PacketCodec",
    "Rows",
    "SampleRecord",
    "Store",
    "StoreInfo",
    "StoreWriter",
    "pack_zip",
]
