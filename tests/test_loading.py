import numpy as np
import zarr

import taskcodec
from taskcodec.store import pack_zip
from tests.store.written import write


def test_a_codec_is_loaded_from_any_kind_of_store(tmp_path):
    x = np.random.default_rng(0).normal(size=(100, 12)).astype("f4")
    codec = taskcodec.fit(x, bits=40)
    folder = write(tmp_path / "x.tcz", codec, x)
    pack_zip(folder, tmp_path / "x.zip")
    for place in (folder, tmp_path / "x.zip", f"file://{folder}"):
        assert taskcodec.load_codec(place).fingerprint == codec.fingerprint
    opened = taskcodec.open(zarr.storage.ZipStore(tmp_path / "x.zip", mode="r"))
    assert opened.codec.fingerprint == codec.fingerprint
    assert opened.verify() == []
