import json

import numpy as np
import pytest
from safetensors.numpy import load, save

import taskcodec
from taskcodec.errors import CorruptFileError, ForeignFileError, FutureVersionError, MismatchError, SourceError


@pytest.fixture(scope="module")
def x():
    rng = np.random.default_rng(0)
    return np.abs(rng.normal(size=(600, 4)) @ rng.normal(size=(4, 20))).astype("f4")


@pytest.fixture(scope="module", params=["bottleneck", "dimensionwise"])
def codec(request, x):
    return taskcodec.fit(x, bits=60, method=request.param)


def test_saving_keeps_everything(codec, x, tmp_path):
    codec.save(tmp_path / "a.codec")
    again = taskcodec.load_codec(tmp_path / "a.codec")
    assert again.fingerprint == codec.fingerprint
    assert again.to_bytes() == codec.to_bytes()
    assert np.array_equal(again.encode(x), codec.encode(x))
    assert np.array_equal(again.decode(codec.encode(x)), codec.decode(codec.encode(x)))


def test_compress_one_and_many(codec, x):
    packets = codec.compress(list(x[:5]))
    assert codec.compress(x[0]) == packets[0] == codec.compress(x[:1])[0]
    assert np.allclose(codec.decompress(packets), codec.decode(codec.encode(x[:5])), atol=1e-5)
    assert codec.decompress(packets[0]).shape == (20,)
    assert codec.compress([]) == []
    torch = pytest.importorskip("torch")
    assert codec.compress(torch.from_numpy(x[0])) == packets[0]
    with pytest.raises(CorruptFileError):
        codec.decompress(packets[0][:-2] + b"\x01\x01")


def test_what_does_not_fit_is_refused(codec, x):
    for wrong in (x[:, :7], np.full((1, 20), np.nan)):
        with pytest.raises(MismatchError):
            codec.encode(wrong)
    with pytest.raises(MismatchError):
        codec.decode(np.zeros((2, 99), np.int32))
    with pytest.raises(MismatchError, match="no backbone"):
        codec.compress(np.zeros((8, 8, 3), np.uint8))


def test_foreign_future_and_missing_files(codec, tmp_path):
    path = tmp_path / "a.codec"
    path.write_bytes(save({"a": np.zeros(3)}))
    with pytest.raises(ForeignFileError, match=r"a\.codec"):
        taskcodec.load_codec(path)
    header = json.loads(codec.to_bytes()[8:][: int.from_bytes(codec.to_bytes()[:8], "little")])
    manifest = json.loads(header["__metadata__"]["taskcodec"])
    manifest["version"] = 99
    path.write_bytes(save(load(codec.to_bytes()), metadata={"taskcodec": json.dumps(manifest)}))
    with pytest.raises(FutureVersionError, match="upgrade"):
        taskcodec.load_codec(path)
    with pytest.raises(SourceError, match="lite0"):
        taskcodec.load_codec(tmp_path / "none.codec")


def test_the_bundled_codec_is_small_and_sound():
    codec = taskcodec.load_codec("lite0")
    assert (codec.dimension, codec.backbone.name) == (1280, "lite0")
    assert len(codec.to_bytes()) < 300_000
