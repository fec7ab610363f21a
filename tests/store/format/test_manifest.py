"""Files made to mislead: every checksum in them is right, what they say is not. And every kind of missing file."""

import copy
import json
import shutil

import pytest

import taskcodec
from taskcodec.errors import CorruptFileError, TaskcodecError
from taskcodec.store.format.manifest import canonical, sha256
from tests.store.format.odd import ODD


def everything(place):
    store = taskcodec.open(place)
    found = store.ids.tolist(), store.symbols[:].tobytes(), store.features[:].tobytes(), store.failures.to_pylist()
    return *found, store.info().failures, store.verify()


def sites(content, path=()):
    """The path of everything inside nested JSON."""
    if path:
        yield path
    steps = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    for key, value in steps:
        yield from sites(value, (*path, key))


def changed(content, path, value):
    content = copy.deepcopy(content)
    inner = content
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return content


def sign(place, content):
    group = json.loads((place / "zarr.json").read_text())
    group["attributes"] = {"taskcodec": content, "taskcodec_sha256": sha256(canonical(content))}
    (place / "zarr.json").write_text(json.dumps(group))


def test_a_manifest_signed_anew_is_refused_or_harmless(place):
    expected = everything(place)
    content = json.loads((place / "zarr.json").read_text())["attributes"]["taskcodec"]
    for path in sites(content):
        for value in ODD:
            sign(place, changed(content, path, value))
            try:
                found = everything(place)
            except TaskcodecError as error:
                assert str(place) in str(error)
                continue
            assert found[-1] or found == expected, f"{path} = {value!r} passed for sound"


@pytest.mark.parametrize("lost", ["format", "state", "parts", "samples", "codec_sha256"])
def test_a_manifest_that_lacks_a_field_is_refused(place, lost):
    content = json.loads((place / "zarr.json").read_text())["attributes"]["taskcodec"]
    del content[lost]
    sign(place, content)
    with pytest.raises(CorruptFileError, match=r"zarr\.json"):
        taskcodec.open(place)


def test_every_missing_file_is_named(sound, tmp_path):
    keys = sorted(path.relative_to(sound) for path in sound.rglob("*") if path.is_file())
    assert len(keys) == 8
    for number, key in enumerate(keys):
        place = shutil.copytree(sound, tmp_path / f"{number}.tcz")
        (place / key).unlink()
        try:
            store = taskcodec.open(place)
        except CorruptFileError as error:
            assert key.as_posix() in str(error)
            continue
        assert any(f"{key.as_posix()}: missing" in fault for fault in store.verify()), key


def test_another_codec_of_the_same_shape_is_refused(place, x):
    other = taskcodec.fit(x, bits=15).to_bytes()
    (place / "codec.safetensors").write_bytes(other)
    content = json.loads((place / "zarr.json").read_text())["attributes"]["taskcodec"]
    sign(place, {**content, "codec_sha256": sha256(other)})
    with pytest.raises(TaskcodecError, match=r"codec\.safetensors: not the codec"):
        taskcodec.open(place).features[:]
