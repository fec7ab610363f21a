"""Every file comes back byte for byte; damaged or newer ones are told."""

import sys

import numpy as np
import pytest

from taskcodec.errors import CorruptFileError, FutureVersionError, TaskcodecError, UsageError
from taskcodec.transforms.originals.pack import pack, unpack
from tests.transforms.originals.files import JPEG, OTHERS, PNG, SCENE, SMALLER, saved


@pytest.mark.parametrize("name", [*SMALLER, *OTHERS])
def test_gives_every_file_back(name):
    data = {**SMALLER, **OTHERS}[name]
    packed = pack(data)
    assert unpack(packed) == data
    assert len(packed) <= len(data) + 1


@pytest.mark.parametrize("name", SMALLER)
def test_takes_fewer_bytes(name):
    assert len(pack(SMALLER[name])) < len(SMALLER[name])


def test_takes_an_eighth_off_a_photograph_and_a_quarter_off_its_png():
    large = SCENE.resize((480, 320))
    jpeg, png = saved(large, "JPEG", quality=85), saved(large, "PNG")
    assert len(pack(jpeg)) < 0.875 * len(jpeg)
    assert len(pack(png)) < 0.75 * len(png)


@pytest.mark.parametrize("missing", ["pillow_jxl", "lepton_jpeg_python"])
def test_packs_without_a_package_and_names_it_where_it_is_needed(missing, monkeypatch):
    whole = pack(PNG)
    monkeypatch.setitem(sys.modules, missing, None)
    for data in (JPEG, PNG):
        assert unpack(pack(data)) == data
    if missing == "pillow_jxl":
        with pytest.raises(UsageError, match=r"pillow_jxl is not installed; run: pip install 'taskcodec\[layers\]'"):
            unpack(whole)


def test_tells_a_newer_way_and_an_empty_one():
    with pytest.raises(FutureVersionError, match=r"way 250, .* upgrade"):
        unpack(b"\xfa123")
    with pytest.raises(CorruptFileError, match="truncated"):
        unpack(b"")


@pytest.mark.parametrize("name", ["jpeg", "png", "png with a palette", "bmp", "text"])
def test_damage_raises_or_changes_bytes_but_nothing_else(name):
    """A check value stands beside an item in a store; here it must only not crash or hang."""
    packed, rng = bytearray(pack(SMALLER[name])), np.random.default_rng(2)
    for _ in range(20):
        broken = packed.copy()
        broken[int(rng.integers(1, len(broken)))] ^= int(rng.integers(1, 256))
        try:
            unpack(bytes(broken))
        except TaskcodecError as error:
            assert "\n" not in str(error)
