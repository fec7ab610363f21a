"""Codecs of several layers: encode, decode up to a layer, packets that may be cut, files, and what does not fit."""

import json
from dataclasses import replace

import numpy as np
import pytest

import taskcodec
from taskcodec.codec import Codec
from taskcodec.coding import encode_sample
from taskcodec.container.file import read
from taskcodec.errors import CorruptFileError, MismatchError, TaskcodecError, UsageError
from taskcodec.fitting import adapt, at_bits
from taskcodec.symbol_choice.nearest import nearest
from tests.layered import DIMENSION, FINE, features, layered
from tests.test_codec import opened, signed

X = features(40, seed=1)
KINDS = {"conditional": layered(), "independent": layered(independent=True)}
EACH = pytest.mark.parametrize("codec", KINDS.values(), ids=KINDS)


@EACH
def test_each_layer_decodes_nearer_to_the_features(codec):
    symbols = codec.encode(X)
    assert symbols.shape == (40, codec.columns) == (40, 2 * DIMENSION)
    coarse, fine = codec.decode(symbols, upto="base"), codec.decode(symbols)
    assert np.abs(fine - X).max() < FINE < np.abs(coarse - X).max()
    assert np.array_equal(codec.decode(symbols[:, :DIMENSION], upto="base"), coarse)
    assert np.array_equal(codec.decode(symbols, upto="detail"), fine)
    alone = replace(codec, layers=codec.layers[:1])
    assert np.array_equal(alone.decode(alone.encode(X)), coarse)


@EACH
def test_packets_decode_and_may_be_cut_behind_a_layer(codec):
    packets, symbols = codec.compress(X), codec.encode(X)
    assert np.array_equal(codec.decompress(packets), codec.decode(symbols))
    coarse = codec.decode(symbols, upto="base")
    for packet, row, own in zip(packets, coarse, symbols[:, :DIMENSION], strict=True):
        length = 2 + len(encode_sample(own, codec.base.model))
        assert np.array_equal(codec.decompress(packet[:length], upto="base"), row)
        for cut in range(length, len(packet)):
            with pytest.raises(CorruptFileError, match="ends before its layer detail"):
                codec.decompress(packet[:cut])
        with pytest.raises(CorruptFileError, match="ends before its layer base"):
            codec.decompress(packet[: length - 1], upto="base")
    assert codec.decompress([]).shape == codec.decompress([], upto="base").shape == (0, DIMENSION)
    for wrong in (b"", b"\x80", b"\x80\x80", packets[0] + b"1"):
        with pytest.raises(CorruptFileError, match="packet"):
            codec.decompress(wrong)


@EACH
def test_flipped_bits_of_a_packet_are_told_or_leave_the_base_as_it_was(codec):
    packet, base = codec.compress(X[0]), codec.decode(codec.encode(X[:1]), upto="base")[0]
    told = 0
    for bit in range(8 * len(packet)):
        flipped = bytearray(packet)
        flipped[bit // 8] ^= 1 << bit % 8
        try:
            codec.decompress(bytes(flipped))
        except TaskcodecError:
            told += 1
        else:
            assert np.array_equal(codec.decompress(bytes(flipped), upto="base"), base)
    assert told >= 8 * len(packet) - 1  # a check value of 16 bits


@EACH
def test_costs_add_up_to_what_packets_take(codec):
    symbols = codec.encode(X)
    costs = codec.costs(symbols)
    assert costs.shape == symbols.shape
    assert (costs > 0).all()
    np.testing.assert_allclose(costs.sum(axis=1), codec.code_length(symbols), rtol=1e-12)
    mean = 8 * np.mean([len(packet) for packet in codec.compress(X)])
    assert mean == pytest.approx(codec.code_length(symbols).mean() + 2 * 24 + 16, abs=8)


@EACH
def test_files_keep_layers(codec, tmp_path):
    codec.save(tmp_path / "l.codec")
    again = taskcodec.load_codec(tmp_path / "l.codec")
    manifest, _ = read((tmp_path / "l.codec").read_bytes(), "l")
    assert manifest["version"] == 4
    assert [layer["name"] for layer in manifest["layers"]] == ["base", "detail"]
    assert again.to_bytes() == codec.to_bytes()
    assert again.fingerprint == codec.fingerprint
    assert np.array_equal(again.decompress(codec.compress(X)), codec.decompress(codec.compress(X)))
    assert again.needed("base") == again.layers[:1]


def test_only_the_layers_that_are_needed_are_decoded():
    """A layer may depend on one far below."""
    codec = KINDS["independent"]
    far = replace(codec.layers[1], name="far")
    three = replace(codec, layers=(*codec.layers, far))
    assert [layer.name for layer in three.needed()] == ["base", "far"]
    symbols = three.encode(X)
    own = np.concatenate([symbols[:, :DIMENSION], symbols[:, 2 * DIMENSION :]], axis=1)
    assert np.array_equal(three.decode(own), codec.decode(codec.encode(X)))
    assert np.array_equal(three.decode(symbols, upto="detail"), codec.decode(codec.encode(X)))


def test_symbols_are_chosen_by_the_function_that_is_given():
    codec, seen = KINDS["conditional"], []

    def halved(layer, latent, given):
        seen.append((layer.name, [below.shape for below in given]))
        return nearest(layer, latent) // 2

    assert np.array_equal(codec.encode(X)[:, :DIMENSION] // 2, codec.encode(X, choose=halved)[:, :DIMENSION])
    assert seen == [("base", []), ("detail", [(40, DIMENSION)])]


def test_what_does_not_fit_is_refused():
    codec = KINDS["conditional"]
    base, detail = codec.layers
    with pytest.raises(CorruptFileError, match="it names none"):
        replace(detail, given=())
    for layers in ((), (base, base), (detail, base), (detail,)):
        with pytest.raises(CorruptFileError):
            replace(codec, layers=layers)
    with pytest.raises(CorruptFileError, match="no known kind"):
        replace(codec, domain="sounds")
    with pytest.raises(UsageError, match="layer 'top' is none of this codec's: base, detail"):
        codec.decode(codec.encode(X), upto="top")
    with pytest.raises(MismatchError, match="expected symbols of shape"):
        codec.decode(np.zeros((3, DIMENSION), np.int32))
    with pytest.raises(UsageError, match="several layers"):
        at_bits(codec, 20)
    assert adapt(codec, features(100)) is codec


@pytest.mark.parametrize("lie", ["kind", "model", "name", "given", "domain"])
def test_layers_of_a_file_that_lies_are_refused(lie):
    manifest, tensors = opened(KINDS["conditional"])
    base, detail = manifest["layers"]
    changed = {
        "kind": {**detail, "transform": {**detail["transform"], "kind": "hyperbolic"}},
        "model": {**detail, "model": {"kind": "plain"}},
        "name": {**detail, "name": "../base"},
        "given": {**detail, "given": ["top"]},
    }
    said = {
        "kind": "hyperbolic",
        "model": "'plain' is none of",
        "name": "letters",
        "given": "not below",
        "domain": "kind",
    }
    other = {"layers": [base, changed.get(lie, detail)], "domain": "sounds" if lie == "domain" else "vectors"}
    with pytest.raises(CorruptFileError, match=rf"^strange\.codec: .*{said[lie]}"):
        Codec.from_bytes(signed({**manifest, **other}, tensors), "strange.codec")


VALUES = (None, True, -1, 0, 10**400, 1.5, "x", "given", [], [1], ["base"], {}, {"a": 1}, {"kind": "affine"})


def places_of(content, before=()):
    """Where values stand in a manifest, at any depth."""
    for key, value in content.items() if isinstance(content, dict) else enumerate(content):
        yield (*before, key)
        if isinstance(value, dict | list):
            yield from places_of(value, (*before, key))


@EACH
def test_manifests_of_layers_signed_anew_are_refused_or_work(codec):
    manifest, tensors = opened(codec)
    for path in places_of(manifest):
        for value in VALUES:
            changed = json.loads(json.dumps(manifest))
            inner = changed
            for key in path[:-1]:
                inner = inner[key]
            inner[path[-1]] = value
            try:
                found = Codec.from_bytes(signed(changed, tensors), "strange.codec")
                assert np.isfinite(found.decompress(found.compress(list(X[:2])))).all()
                assert Codec.from_bytes(found.to_bytes()).fingerprint == found.fingerprint
            except TaskcodecError as error:
                assert "strange.codec" in str(error), (path, value)


@EACH
def test_tensors_of_layers_signed_anew_are_refused_or_work(codec):
    manifest, tensors = opened(codec)
    for key, tensor in tensors.items():
        for other in (tensor[:0], tensor[:-1], tensor[None], np.zeros_like(tensor), tensor.astype("f4"), None):
            changed = {name: kept for name, kept in tensors.items() if name != key}
            changed |= {} if other is None else {key: np.ascontiguousarray(other)}
            try:
                found = Codec.from_bytes(signed(manifest, changed), "strange.codec")
                assert found.decompress(found.compress(list(X[:2]))).shape == (2, DIMENSION)
            except TaskcodecError as error:
                assert "strange.codec" in str(error), key
