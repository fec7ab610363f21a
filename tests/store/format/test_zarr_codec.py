"""Chunks and configurations made to mislead the codec that Zarr calls."""

import google_crc32c
import numpy as np
import pytest
import zarr

import taskcodec
from taskcodec.coding import encode_block
from taskcodec.coding.ans import MAX_ROWS
from taskcodec.errors import CorruptFileError, FutureVersionError
from taskcodec.store import AnsCodec
from taskcodec.store.format.zarr_codec import VERSION
from tests.store.format.odd import ODD


@pytest.mark.parametrize("rows", [65, MAX_ROWS // 2, MAX_ROWS, MAX_ROWS + 1, 2**62])
def test_a_chunk_that_claims_too_many_rows_is_refused_before_it_is_decoded(place, codec, rows):
    header = b"".join(_varint(number) for number in (rows, codec.columns))
    block = header + encode_block(np.zeros((0, codec.columns), np.int32), codec.base.model)[2:]
    (place / "codes" / "c" / "0" / "0").write_bytes(block + google_crc32c.value(block).to_bytes(4, "little"))
    with pytest.raises(CorruptFileError, match="codes/c/0/0"):
        taskcodec.open(place).symbols[:]
    with pytest.raises(CorruptFileError):
        zarr.open(place, mode="r")["codes"][:]


def _varint(number):
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])


@pytest.mark.parametrize("odd", [*ODD, {"version": 1}, {"version": 1, "tables": "ü"}, {"version": 1, "tables": 5}])
def test_a_strange_zarr_configuration_is_refused(odd):
    with pytest.raises(CorruptFileError):
        AnsCodec.from_dict({"name": "taskcodec.ans", "configuration": odd})


def test_a_newer_zarr_configuration_is_named():
    with pytest.raises(FutureVersionError, match="upgrade"):
        AnsCodec.from_dict({"name": "taskcodec.ans", "configuration": {"version": VERSION + 1, "tables": ""}})
