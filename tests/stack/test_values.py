from dataclasses import replace

import numpy as np
import pytest
from tests.lossless import strokes

import taskcodec
from taskcodec.codec import Codec
from taskcodec.errors import CorruptFileError, MismatchError, UsageError
from taskcodec.fitting.lossless.fit import fit_lossless
from taskcodec.quantization.uniform import Runs, UniformQuantizer
from taskcodec.transforms.values.pixels import PixelValues


@pytest.fixture(scope="module")
def codec():
    return fit_lossless(strokes(200), PixelValues((7, 6)))


def test_samples_come_back_one_by_one_and_together(codec):
    others = strokes(5, seed=1)
    packets = codec.compress(others)
    assert len(packets) == 5
    assert codec.compress(others[2]) == packets[2]
    assert np.array_equal(codec.decompress(packets), others)
    assert np.array_equal(codec.decompress(packets[2]), others[2])
    assert np.array_equal(codec.decode(codec.encode(others)), others)
    assert codec.decompress([]).shape == (0, 7, 6)


def test_a_changed_packet_is_told(codec):
    packet = codec.compress(strokes(1)[0])
    with pytest.raises(CorruptFileError):
        codec.decompress(packet[:3] + bytes([packet[3] ^ 4]) + packet[4:])


def test_its_file_gives_it_back(codec, tmp_path):
    codec.save(tmp_path / "a.codec")
    again = taskcodec.load_codec(tmp_path / "a.codec")
    assert again.fingerprint == codec.fingerprint
    assert again.to_bytes() == codec.to_bytes()
    assert (again.domain, again.lossless, again.for_store("a.codec")) == ("values", True, again)
    assert "lossless, pictures of 6x7 pixels, grey of 8 bits" in repr(again)
    assert np.array_equal(again.decompress(codec.compress(strokes(3))), strokes(3))


def test_other_samples_are_refused(codec):
    with pytest.raises(MismatchError, match="6x7 pixels"):
        codec.compress(np.zeros((6, 7), np.uint8))
    with pytest.raises(UsageError, match="no features"):
        codec.encode_features(np.zeros((1, 42), np.float32))
    vectors = taskcodec.fit(np.random.default_rng(0).normal(size=(99, 4)).astype("f4"), bits=8)
    with pytest.raises(UsageError, match="not a lossless codec"):
        _ = vectors.values


def test_layers_that_are_none_of_a_lossless_codec_are_refused(codec):
    other = UniformQuantizer(1.0, 0.5, np.empty(0, np.float32), Runs.of(None, 42))
    with pytest.raises(CorruptFileError, match="not a layer of a lossless codec"):
        Codec("values", (replace(codec.base, quantizer=other),))
    with pytest.raises(CorruptFileError, match="in a codec of others"):
        Codec("vectors", codec.layers)
    vectors = taskcodec.fit(np.random.default_rng(0).normal(size=(99, 4)).astype("f4"), bits=8)
    with pytest.raises(CorruptFileError, match="one layer, whose symbols are values"):
        Codec("values", vectors.layers)
