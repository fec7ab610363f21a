"""What a codec's file holds of its parts, and files that lie about them: a typed error, never a traceback."""

import copy
import pickle
import tracemalloc
import zlib
from dataclasses import replace

import numpy as np
import pytest
from safetensors.numpy import load

import taskcodec
from taskcodec.codec import Codec
from taskcodec.codec_parts import read_transform, transform_manifest, transform_tensors
from taskcodec.coding import SharedTables, freeze_pmf
from taskcodec.coding.varint import write_varints
from taskcodec.errors import CorruptFileError, MismatchError, TaskcodecError
from taskcodec.fitting import fit
from taskcodec.fitting.closed_form.default import fit_usual
from taskcodec.transforms.affine import AffineTransform
from tests.test_codec import opened, signed

RNG = np.random.default_rng(0)
X = (RNG.normal(size=(600, 4)) @ RNG.normal(size=(4, 20)) + 0.1 * RNG.normal(size=(600, 20))).astype("f4")
UNIT = X / np.linalg.norm(X, axis=1, keepdims=True)
VIEWS = np.stack([X, X + RNG.normal(size=X.shape).astype("f4")])
CODECS = {
    "axes": fit(X, bits=60, method="bottleneck"),
    "axes of norm 1": fit(UNIT, bits=60, method="bottleneck"),
    "axes after square roots": fit(np.abs(X), bits=60, method="bottleneck"),
    "matrices": fit(X, bits=60, views=VIEWS),
    "a table for each feature": fit(X, bits=60, method="dimensionwise"),
    "a table for each feature of norm 1": fit(UNIT, bits=60, method="dimensionwise"),
    "shares": fit(X[:30], bits=60, method="dimensionwise"),
    "shares of norm 1": fit(UNIT[:30], bits=60, method="dimensionwise"),
    "a store's": fit_usual(X[:30], 30),
    "in another unit": fit(1e-9 * X[:30], bits=60, method="dimensionwise"),
}
VERSIONS = {"matrices": 1, "a table for each feature": 1}
"""Of these; all others are of version 3."""
EACH = pytest.mark.parametrize("kind", CODECS)


@EACH
def test_what_is_written_is_read(kind):
    codec = CODECS[kind]
    again = Codec.from_bytes(codec.to_bytes())
    assert again.to_bytes() == codec.to_bytes()
    symbols = codec.encode(X)
    assert np.array_equal(again.encode(X), symbols)
    assert np.array_equal(again.decode(symbols), codec.decode(symbols))
    assert codec.decompress(again.compress(X[:5])).shape == (5, 20)
    for copied in (copy.deepcopy(again), pickle.loads(pickle.dumps(codec))):
        assert copied.fingerprint == codec.fingerprint


@EACH
def test_the_version_is_the_oldest_that_has_the_parts(kind):
    manifest, tensors = opened(CODECS[kind])
    transform = CODECS[kind].base.transform
    assert manifest["version"] == VERSIONS.get(kind, 3)
    assert manifest["transform"].get("unit_norm", False) == transform.unit_norm == ("norm 1" in kind)
    ones = bool((transform.scale == 1).all())
    newest = manifest["version"] == 3
    assert ("scale" in tensors) == (not (newest and ones))
    assert ("unit_scale" in manifest["transform"]) == (newest and ones)
    assert ("axes" in tensors) == ("axes_exponents" in tensors) == kind.startswith("axes")
    assert ("analysis" in tensors) == ("synthesis" in tensors) == (kind == "matrices")
    assert ("shares" in tensors) == (CODECS[kind].base.model.kind == "shared")
    assert tensors["centre"].dtype in ((np.float32, np.float16) if newest else (np.float32,))


@EACH
def test_bytes_stay_as_they_were_read(kind, monkeypatch):
    """Also where zlib writes other ones: fingerprints hold on any machine."""
    data = CODECS[kind].to_bytes()
    monkeypatch.setattr(zlib, "compress", lambda raw, level: b"another build")
    codec = Codec.from_bytes(data)
    assert codec.to_bytes() == data
    assert replace(codec, provenance={}).fingerprint != codec.fingerprint
    assert load(replace(codec, provenance={}).to_bytes())["tables"].tobytes() == load(data)["tables"].tobytes()


def test_a_centre_takes_16_bits_where_they_hold_it():
    exact = AffineTransform("identity", np.array([0.5, -3.0, 2.0**-24], "f4"), np.ones(3, "f4"))
    for centre, dtype in ((exact.centre, "<f2"), (exact.centre + 2.0**-20, "<f4"), (exact.centre * 1e6, "<f4")):
        transform = replace(exact, centre=centre.astype("f4"))
        tensors = transform_tensors(transform, 3)
        assert tensors["centre"].dtype.str == dtype
        assert transform_tensors(transform, 1)["centre"].dtype.str == "<f4"
        again = read_transform(transform_manifest(transform, 3), tensors)
        assert np.array_equal(again.centre, transform.centre)
        assert np.array_equal(again.scale, transform.scale)


@pytest.mark.parametrize("kind", ["shares", "shares of norm 1", "a store's"])
def test_shared_parts_are_held_once(kind):
    codec = CODECS[kind]
    _, tensors = opened(codec)
    base, again = codec.base, Codec.from_bytes(codec.to_bytes()).base
    m = base.model.distinct.columns
    assert 1 < m < codec.columns == again.model.columns
    assert tensors["points"].size == int(base.model.distinct.sizes.sum()) < base.quantizer.points.size
    assert tensors["sketch"].shape == (len(base.sketch), m)
    assert np.array_equal(again.quantizer.points, base.quantizer.points)
    assert np.array_equal(again.sketch, base.sketch)
    assert np.array_equal(again.model.plain.counts, base.model.plain.counts)


def test_columns_that_share_a_table_share_its_points():
    codec, base = CODECS["shares"], CODECS["shares"].base
    points = base.quantizer.points.copy()
    points[-1] += 0.25
    other = replace(base, quantizer=replace(base.quantizer, points=points))
    for changed in (other, replace(base, sketch=base.sketch + np.arange(20, dtype="f4"))):
        with pytest.raises(MismatchError, match="should share its points and sketch"):
            codec.with_base(changed).to_bytes()
    alone = codec.with_base(replace(other, model=base.model.plain))
    assert np.array_equal(Codec.from_bytes(alone.to_bytes()).base.quantizer.points, points)


def use(data):
    codec = Codec.from_bytes(data, "strange.codec")
    assert len(codec.fingerprint) == 64
    assert np.isfinite(codec.decompress(codec.compress(list(X[:3])))).all()
    assert Codec.from_bytes(codec.to_bytes()).to_bytes() == codec.to_bytes()


def refused_or_used(manifest, tensors):
    try:
        use(signed(manifest, tensors))
    except TaskcodecError as error:
        assert "axes" in str(error) or "strange.codec" in str(error)  # which cannot encode, or what was not read


@EACH
def test_tensors_signed_anew_are_refused_or_work(kind):
    manifest, tensors = opened(CODECS[kind])
    use(signed(manifest, tensors))
    for key, tensor in tensors.items():
        others = [tensor[:0], tensor[:-1], tensor[None], tensor.ravel()[:1], np.zeros_like(tensor), tensor[::-1]]
        others += [np.concatenate([tensor, tensor]), tensor.astype("i8"), tensor.astype("f4"), tensor.astype("f2")]
        for other in others:
            refused_or_used(manifest, {**tensors, key: np.ascontiguousarray(other)})
        without = {name: kept for name, kept in tensors.items() if name != key}
        if key == "shares":
            refused_or_used(manifest, without)
        else:
            with pytest.raises(CorruptFileError, match=r"strange\.codec"):
                use(signed(manifest, without))
        if key in ("axes", "tables"):
            for at in range(0, tensor.size, 3):
                flipped = tensor.copy()
                flipped[at] ^= 1 << at % 8
                refused_or_used(manifest, {**tensors, key: flipped})


@EACH
def test_marks_signed_anew_are_refused_or_work(kind):
    manifest, tensors = opened(CODECS[kind])
    for mark in ("unit_norm", "unit_scale"):
        for value in (None, 1, 0, "true", [], {}, float("nan")):
            changed = {**manifest, "transform": {**manifest["transform"], mark: value}}
            with pytest.raises(CorruptFileError, match="should be true or false"):
                use(signed(changed, tensors))
        for value in (True, False):
            refused_or_used({**manifest, "transform": {**manifest["transform"], mark: value}}, tensors)


def faults():
    """Kind, tensors that are changed, and what is said of them."""
    shares, axes = opened(CODECS["shares"])[1], opened(CODECS["axes"])[1]
    exponents = axes["axes_exponents"]
    return {
        "a number that no table has": ("shares", {"shares": shares["shares"] + np.uint16(1)}, "shared tables"),
        "a table that no column has": ("shares", {"shares": np.zeros(20, "<u2")}, "shared tables"),
        "shares of another type": ("shares", {"shares": shares["shares"].astype("<i4")}, "not a flat array of <u2"),
        "shares that are no numbers": ("shares", {"shares": np.full(20, np.nan, "f4")}, "not a flat array of <u2"),
        "shares of fewer columns": ("shares", {"shares": shares["shares"][:-1]}, ""),
        "points of fewer tables": ("shares", {"points": shares["points"][:-1]}, "points or sketch"),
        "a sketch of every column": ("shares", {"sketch": np.zeros((2, 20), "<f2")}, "points or sketch"),
        "runs of points as well": ("shares", {"point_runs": np.ones((2, 20), "<i4")}, "do not fit"),
        "exponents too small": ("axes", {"axes_exponents": np.full_like(exponents, -25)}, "exponents that are not"),
        "exponents too large": ("axes", {"axes_exponents": np.full_like(exponents, 2)}, "exponents that are not"),
        "exponents that wrap": ("axes", {"axes_exponents": exponents.astype("<i4") + 256}, "not a flat array of"),
        "exponents of fewer axes": ("axes", {"axes_exponents": exponents[:-1]}, "tables for"),
        "axes in other numbers": ("axes", {"axes": axes["axes"].astype("<i4")}, r"not a flat array of \\|u1"),
        "matrices as well": ("axes", {"analysis": np.zeros((20, 4), "<f2")}, "no matrices"),
        "a centre of other features": ("axes", {"centre": axes["centre"][:-1]}, "a block of"),
        "no bytes of axes": ("axes", {"axes": axes["axes"][:0]}, "damaged"),
    }


@pytest.mark.parametrize("fault", faults())
def test_each_fault_is_named(fault):
    kind, changed, words = faults()[fault]
    manifest, tensors = opened(CODECS[kind])
    with pytest.raises(CorruptFileError, match=rf"^strange\.codec: .*({words})"):
        Codec.from_bytes(signed(manifest, {**tensors, **changed}), "strange.codec")


def test_singular_axes_are_told_when_they_should_encode():
    codec = CODECS["axes"]
    base, axes = codec.base, codec.base.transform.axes
    twice = replace(axes, integers=np.repeat(axes.integers[:, :1], axes.columns, axis=1))
    strange = codec.with_base(replace(base, transform=replace(base.transform, axes=twice)))
    strange = Codec.from_bytes(strange.to_bytes())
    assert np.isfinite(strange.decode(codec.encode(X[:3]))).all()
    with pytest.raises(CorruptFileError, match="span fewer directions"):
        strange.encode(X)


def huge():
    """Small files of codecs that claim to be large."""
    manifest, tensors = opened(CODECS["shares"])
    widest = SharedTables(freeze_pmf([0], [np.ones(2**14)], 0.01), np.zeros(2, np.int32))
    many = np.zeros(2**20, "<u2")
    of_shares = {
        "tables": np.frombuffer(widest.distinct.to_bytes(), np.uint8),
        "points": np.zeros(2**14, "<f2"),
        "sketch": np.zeros((0, 1), "<f2"),
        "shares": many,
        "centre": np.zeros(2**20, "<f2"),
    }
    narrow = freeze_pmf([0], [np.ones(1)], 0.01)
    of_sketch = {
        **of_shares,
        "tables": np.frombuffer(narrow.to_bytes(), np.uint8),
        "points": np.zeros(1, "<f2"),
        "sketch": np.zeros((2**10, 1), "<f2"),
    }
    found = {"shares of a wide table": (manifest, of_shares), "shares of a long sketch": (manifest, of_sketch)}
    manifest, tensors = opened(CODECS["axes"])
    wide = {**tensors, "centre": np.zeros(2**22, "<f2")}
    found["axes in millions of dimensions"] = manifest, wide
    claimed = np.frombuffer(write_varints(np.array([2**62], np.uint64)), np.uint8)
    found["a length of 2^62"] = manifest, {**tensors, "axes": np.concatenate([claimed, tensors["axes"]])}
    return found


@pytest.mark.parametrize("kind", huge())
def test_files_that_claim_to_be_large_are_refused_in_little_memory(kind):
    data = signed(*huge()[kind])
    tracemalloc.start()
    try:
        with pytest.raises(CorruptFileError, match=r"strange\.codec"):
            Codec.from_bytes(data, "strange.codec")
        assert tracemalloc.get_traced_memory()[1] < 2**27
    finally:
        tracemalloc.stop()


def test_a_store_of_few_samples_opens_where_zlib_is_another_build(tmp_path, monkeypatch):
    np.save(tmp_path / "x.npy", X[:30])
    taskcodec.open(encoded(tmp_path))
    monkeypatch.setattr(zlib, "compress", lambda raw, level: b"another build")
    store = taskcodec.open(tmp_path / "x.tcz")
    assert store.codec.base.model.kind == "shared"
    assert store.verify() == []
    assert store.features[:].shape == (30, 20)


def encoded(folder):
    taskcodec.encode(folder / "x.npy", folder / "x.tcz")
    return folder / "x.tcz"
