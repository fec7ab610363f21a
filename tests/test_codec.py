import copy
import errno
import hashlib
import json
import pickle
import re

import numpy as np
import pytest
from safetensors.numpy import load, save

import taskcodec
from taskcodec.errors import (
    CorruptFileError,
    ForeignFileError,
    FutureVersionError,
    MismatchError,
    SourceError,
    StorageError,
    TaskcodecError,
    UsageError,
)
from tests.conditional import conditional


@pytest.fixture(scope="module")
def x():
    rng = np.random.default_rng(0)
    return np.abs(rng.normal(size=(600, 4)) @ rng.normal(size=(4, 20))).astype("f4")


@pytest.fixture(scope="module", params=["bottleneck", "dimensionwise", "conditional"])
def codec(request, x):
    if request.param == "conditional":
        return conditional(taskcodec.fit(x, bits=60))
    return taskcodec.fit(x, bits=60, method=request.param)


def test_saving_keeps_everything(codec, x, tmp_path):
    codec.save(tmp_path / "a.codec")
    again = taskcodec.load_codec(tmp_path / "a.codec")
    assert again.fingerprint == codec.fingerprint
    assert again.to_bytes() == codec.to_bytes()
    assert np.array_equal(again.encode(x), codec.encode(x))
    assert np.array_equal(again.decode(codec.encode(x)), codec.decode(codec.encode(x)))


def test_a_write_that_fails_keeps_what_was_there(codec, tmp_path, monkeypatch):
    file = tmp_path / "x.codec"
    codec.save(file)
    before = file.read_bytes()

    def full(path, data):
        path.touch()
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(type(file), "write_bytes", full)
        with pytest.raises(StorageError, match=r"x\.codec: cannot be written \(No space left on device\)"):
            codec.save(file)
    assert file.read_bytes() == before
    assert list(tmp_path.iterdir()) == [file]
    for wrong in (tmp_path, tmp_path / "none" / "x.codec", tmp_path / ("x" * 300)):
        with pytest.raises(StorageError, match="cannot be written"):
            codec.save(wrong)


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


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda codec: pickle.loads(pickle.dumps(codec))])
def test_a_codec_in_use_can_be_copied(codec, x, copied):
    packet = codec.compress(x[0])
    again = copied(codec)
    assert again.fingerprint == codec.fingerprint
    assert again.compress(x[0]) == packet
    assert np.array_equal(again.decompress(packet), codec.decompress(packet))


def test_the_repr_is_one_short_line(codec):
    shown = repr(codec)
    assert len(shown) < 120
    for part in (
        codec.fingerprint[:12],
        "20 features",
        f"{codec.columns} columns",
        f"step {codec.base.quantizer.step:.4g}",
    ):
        assert part in shown
    assert "no backbone" in shown
    assert "backbone lite0" in repr(taskcodec.load_codec("lite0"))


def test_what_does_not_fit_is_refused(codec, x):
    for wrong in (x[:, :7], np.full((1, 20), np.nan)):
        with pytest.raises(MismatchError):
            codec.encode(wrong)
    with pytest.raises(MismatchError):
        codec.decode(np.zeros((2, 99), np.int32))
    with pytest.raises(MismatchError, match="no backbone"):
        codec.compress(np.zeros((8, 8, 3), np.uint8))


def test_features_that_are_none_are_refused(codec, x):
    for wrong in ("abc", [[1.0], [2.0, 3.0]]):
        for use in (taskcodec.fit, codec.encode, lambda features: taskcodec.adapt(codec, features, 40)):
            with pytest.raises(MismatchError):
                use(wrong)
    for wrong, says in ((x[:, :4], "4"), (x[:5, :4], "4"), (x[0], "20"), (x * np.nan, "NaN")):
        with pytest.raises(MismatchError, match=says):
            taskcodec.adapt(codec, wrong, 40)


def test_side_information_is_coded_before_the_latent_and_not_decoded(x):
    plain = taskcodec.fit(x, bits=60)
    codec = conditional(plain)
    symbols = codec.encode(x)
    assert symbols.shape == (600, plain.columns + 2)
    assert np.array_equal(symbols[:, 2:], plain.encode(x))
    assert np.array_equal(codec.decode(symbols), plain.decode(plain.encode(x)))
    dimensionwise = taskcodec.fit(x, bits=60, method="dimensionwise")
    versions = [opened(one)[0]["version"] for one in (dimensionwise, conditional(dimensionwise), plain)]
    assert versions == [1, 2, 3]


def test_the_rate_of_conditional_tables_is_not_a_knob(x):
    codec = conditional(taskcodec.fit(x, bits=60))
    assert taskcodec.adapt(codec, x) is codec
    for change in (
        lambda: taskcodec.at_bits(codec, 30),
        lambda: taskcodec.at_step(codec, 1.0),
        lambda: taskcodec.adapt(codec, x, 30),
    ):
        with pytest.raises(UsageError, match="conditional"):
            change()


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


def test_a_damaged_file_is_named_with_its_fault(codec, tmp_path):
    """Whatever byte of the header is damaged, and wherever the file is cut."""
    path, data = tmp_path / "a.codec", codec.to_bytes()
    length = int.from_bytes(data[:8], "little")
    start, inner = data.index(b"{"), data.index(b"fingerprint")
    cases = {
        "its header should end at byte": [data[:5] + b"\1" + data[6:], data[: length // 2]],
        "its header is no JSON from its character 0 on": [data[:start] + b"!" + data[start + 1 :]],
        "is no JSON": [data[: start + 5] + b"\xff" + data[start + 6 :]],
        "its header holds no manifest with our format": [data.replace(b"taskcodec.codec", b"taskcodec.cadec")],
        "its tensors do not lie as its header says": [data[:-1], data.replace(b"F16", b"F17", 1)],
        "lacks the fingerprint": [data[:inner] + b"F" + data[inner + 1 :]],
        "damaged: its header has the fingerprint": [data[:-1] + bytes([data[-1] ^ 1])],
    }
    for fault, damaged in cases.items():
        for content in damaged:
            path.write_bytes(content)
            with pytest.raises(CorruptFileError, match=re.escape(fault)) as caught:
                taskcodec.load_codec(path)
            assert str(caught.value).startswith(f"{path}: ")
    for at in range(0, length, 3):
        path.write_bytes(data[:at] + bytes([data[at] ^ 4]) + data[at + 1 :])
        with pytest.raises((CorruptFileError, ForeignFileError, FutureVersionError)) as caught:
            taskcodec.load_codec(path)
        words = str(caught.value)
        assert words.startswith(f"{path}: ")
        assert "Error" not in words.replace("Error while deserializing", "")
        claimed = re.search(r"fingerprint (\S+), its content (\S+)$", words)
        assert claimed is None or claimed[1] != claimed[2]


def test_the_bundled_codec_is_small_and_sound():
    codec = taskcodec.load_codec("lite0")
    assert (codec.dimension, codec.backbone.name) == (1280, "lite0")
    assert len(codec.to_bytes()) < 300_000


def signed(manifest, tensors):
    """A codec file whose fingerprint is right, whatever it holds."""
    digest = hashlib.sha256(json.dumps(manifest, sort_keys=True, separators=(",", ":")).encode())
    for key in sorted(tensors):
        digest.update(f"\n{key} {tensors[key].dtype.str} {tensors[key].shape}\n".encode() + tensors[key].tobytes())
    manifest = {**manifest, "fingerprint": digest.hexdigest()}
    return save(tensors, metadata={"taskcodec": json.dumps(manifest)})


def opened(codec):
    data = codec.to_bytes()
    header = json.loads(data[8:][: int.from_bytes(data[:8], "little")])
    manifest = json.loads(header["__metadata__"]["taskcodec"])
    del manifest["fingerprint"]
    return manifest, load(data)


def use(data, x):
    codec = taskcodec.Codec.from_bytes(data, "strange.codec")
    assert len(codec.fingerprint) == 64
    assert np.isfinite(codec.decompress(codec.compress(list(x[:3])))).all()
    assert taskcodec.Codec.from_bytes(codec.to_bytes()).fingerprint == codec.fingerprint


def test_a_manifest_signed_anew_is_refused_or_works(codec, x):
    manifest, tensors = opened(codec)
    use(signed(manifest, tensors), x)
    paths = [(key,) for key in manifest] + [(a, b) for a in ("transform", "quantizer") for b in manifest[a]]
    for path in paths:
        for value in (None, True, -1, 0, 10**400, 1.5, float("nan"), "x", [], [1], {}, {"a": 1}):
            changed = json.loads(json.dumps(manifest))
            (changed if len(path) == 1 else changed[path[0]])[path[-1]] = value
            try:
                use(signed(changed, tensors), x)
            except TaskcodecError as error:
                assert "strange.codec" in str(error)


def test_tensors_signed_anew_are_refused_or_work(codec, x):
    manifest, tensors = opened(codec)
    use_of = {"centre", "scale", "tables", "points", "sketch"}
    assert use_of <= set(tensors)
    for key, tensor in tensors.items():
        for other in (
            tensor[:0],
            tensor[:-1],
            tensor[None],
            tensor.ravel()[0],
            np.zeros_like(tensor),
            np.concatenate([tensor, tensor]),
        ):
            try:
                use(signed(manifest, {**tensors, key: np.ascontiguousarray(other)}), x)
            except TaskcodecError as error:
                assert "strange.codec" in str(error)
        with pytest.raises(CorruptFileError):
            use(signed(manifest, {name: kept for name, kept in tensors.items() if name != key}), x)
    for bad in (np.nan, np.inf):
        with pytest.raises(CorruptFileError, match="scale"):
            use(signed(manifest, {**tensors, "scale": np.full_like(tensors["scale"], bad)}), x)


def test_one_sample_in_any_form_gives_the_same_bytes(codec, x):
    packet = codec.compress(x[0])
    assert codec.compress(x[0].astype("f8")) == packet
    assert codec.compress([x[0].tolist()]) == [packet]
    assert np.array_equal(codec.decompress(bytearray(packet)), codec.decompress(memoryview(packet)))
    with pytest.raises(MismatchError):
        codec.compress([x[0], x[1][:3]])
    for damaged in (b"", packet[:-3], b"\0" * 9):
        with pytest.raises(CorruptFileError):
            codec.decompress(damaged)


def test_tensors_of_any_kind_are_taken(codec, x):
    torch = pytest.importorskip("torch")
    plain = torch.from_numpy(x)
    half = plain.bfloat16()
    assert codec.compress(plain.clone().requires_grad_()[0]) == codec.compress(x[0])
    assert codec.compress(plain[:3].clone().requires_grad_()) == codec.compress(x[:3])
    assert codec.compress(half[0]) == codec.compress(half[0].float().numpy())
    assert np.array_equal(codec.encode(half), codec.encode(half.float().numpy()))
    taken, given = (taskcodec.fit(features, bits=60) for features in (plain.clone().requires_grad_(), x))
    assert taken.fingerprint == given.fingerprint


def test_one_sample_as_a_list_is_told_to_be_an_array(codec, x):
    with pytest.raises(MismatchError, match=r"list of samples.* 20 numbers as an array"):
        codec.compress(x[0].tolist())
    with pytest.raises(MismatchError, match="as an array"):
        codec.compress(list(x[0]))


@pytest.mark.parametrize("bits", [30, 100, 300])
def test_a_packet_takes_about_24_bits_more_than_the_rate(bits):
    """The figure that the documents name: 16 of the check, the rest to fill a coder's state and whole bytes."""
    rng = np.random.default_rng(0)
    x = (rng.normal(size=(2000, 32)) @ rng.normal(size=(32, 64)) + rng.normal(size=(2000, 64))).astype("f4")
    codec = taskcodec.fit(x, bits=bits)
    rate = codec.code_length(codec.encode(x))
    assert codec.rate_of(x) == pytest.approx(rate.mean(), rel=1e-12)
    assert codec.rate_of(x) == pytest.approx(bits, rel=0.02)
    more = 8.0 * np.array([len(packet) for packet in codec.compress(x)]) - rate
    assert 22.5 < more.mean() < 25.5
    assert more.max() < 31
