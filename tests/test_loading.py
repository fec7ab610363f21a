import numpy as np
import pytest
import zarr

import taskcodec
from taskcodec.errors import ForeignFileError
from taskcodec.store import pack_zip
from taskcodec.store.backend import open_blobs
from tests.store.written import write


def test_a_codec_is_loaded_from_any_kind_of_store(tmp_path):
    x = np.random.default_rng(0).normal(size=(100, 12)).astype("f4")
    codec = taskcodec.fit(x, bits=40)
    folder = write(tmp_path / "x.tcz", codec, x)
    pack_zip(folder, tmp_path / "x.zip")
    for place in (folder, tmp_path / "x.zip", f"file://{folder}"):
        assert taskcodec.load_codec(place).fingerprint == codec.fingerprint
    open_blobs("memory://codecs").put("x.codec", codec.to_bytes())
    assert taskcodec.load_codec("memory://codecs/x.codec").fingerprint == codec.fingerprint
    with pytest.raises(ForeignFileError, match="neither a taskcodec store"):
        taskcodec.load_codec("memory://codecs/none.codec")
    opened = taskcodec.open(zarr.storage.ZipStore(tmp_path / "x.zip", mode="r"))
    assert opened.codec.fingerprint == codec.fingerprint
    assert opened.verify() == []
