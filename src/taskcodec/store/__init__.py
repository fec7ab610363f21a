"""Coded data sets on disk or object storage. Needs zarr and pyarrow; torch only for the torch data sets."""

from taskcodec.store.backend import pack_zip
from taskcodec.store.reader import Store, StoreInfo
from taskcodec.store.rows import Rows
from taskcodec.store.samples import OK, SampleRecord
from taskcodec.store.writer import CHUNK_ROWS, StoreWriter
from taskcodec.store.zarr_codec import AnsCodec

__all__ = ["CHUNK_ROWS", "OK", "AnsCodec", "Rows", "SampleRecord", "Store", "StoreInfo", "StoreWriter", "pack_zip"]
