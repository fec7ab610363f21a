"""Coded data sets on disk or object storage. Needs zarr and pyarrow; torch only for the torch data sets."""

from typing import TYPE_CHECKING

from taskcodec.lazy import lazily

if TYPE_CHECKING:
    from taskcodec.store.backend import pack_zip
    from taskcodec.store.format.packets import PacketCodec
    from taskcodec.store.format.records import OK, SampleRecord
    from taskcodec.store.format.zarr_codec import AnsCodec
    from taskcodec.store.info import StoreInfo
    from taskcodec.store.reader import Store
    from taskcodec.store.rows import Rows
    from taskcodec.store.writer import CHUNK_ROWS, StoreWriter

# Who only opens a store needs neither zarr nor what writes one.
__getattr__ = lazily(
    __name__,
    {
        "CHUNK_ROWS": "taskcodec.store.writer",
        "OK": "taskcodec.store.format.records",
        "AnsCodec": "taskcodec.store.format.zarr_codec",
        "PacketCodec": "taskcodec.store.format.packets",
        "Rows": "taskcodec.store.rows",
        "SampleRecord": "taskcodec.store.format.records",
        "Store": "taskcodec.store.reader",
        "StoreInfo": "taskcodec.store.info",
        "StoreWriter": "taskcodec.store.writer",
        "pack_zip": "taskcodec.store.backend",
    },
)

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
