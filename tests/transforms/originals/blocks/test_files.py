"""Small JPEG files: byte for byte, in fewer bytes than other ways take, and the same bits on every machine."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from taskcodec.errors import CorruptFileError
from taskcodec.transforms.originals.blocks.files import may_fit, pack_files, unpack_files
from taskcodec.transforms.originals.pack import _LEPTON, pack, pack_all, unpack, unpack_all
from tests.transforms.originals.files import SCENE, saved, scene

GOLDEN = Path(__file__).parents[1] / "golden"


def small(width=40, height=40, **options):
    return saved(scene(width, height), "JPEG", **{"quality": 90, "optimize": True, **options})


FILES = {
    "colour": small(),
    "colour at full size": small(subsampling=0),
    "colour across": small(subsampling=1),
    "grey": saved(scene(64, 64).convert("L"), "JPEG", quality=80),
    "usual tables": small(optimize=False),
    "steps of one": small(quality=100),
    "coarse": small(quality=5),
    "one pixel": small(1, 1),
    "one row": small(150, 3),
    "one column": small(3, 150),
    "odd sizes": small(61, 83),
    "black": saved(Image.new("RGB", (64, 64)), "JPEG"),
    "noise": saved(
        Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)), "JPEG", quality=100
    ),
    "comment": small(comment=b"made by hand"),
    "bytes behind": small() + b"behind" * 5,
    "nothing behind": small()[:-2],
}
OTHERS = {
    "progressive": small(progressive=True),
    "cmyk": saved(scene(64, 64).convert("CMYK"), "JPEG"),
    "restarts": small(restart_marker_blocks=4),
    "large": saved(SCENE.resize((400, 400)), "JPEG"),
    "cut": small()[:700],
    "cut in its head": small()[:100],
    "damaged": small()[:650] + b"\xff\x01\xff" + small()[653:],
    "no picture": b"\xff\xd8\xff",
}


@pytest.mark.parametrize("name", FILES)
def test_gives_back_every_byte_in_fewer_of_them(name):
    (content,) = pack_files([FILES[name]])
    assert content is not None
    assert unpack_files([content]) == [FILES[name]]
    assert len(content) < len(FILES[name])


@pytest.mark.parametrize("name", OTHERS)
def test_leaves_others_to_other_ways(name):
    assert unpack(pack(OTHERS[name])) == OTHERS[name]
    if name in ("progressive", "cmyk", "restarts", "large"):
        assert not may_fit(OTHERS[name])
        assert pack_files([OTHERS[name]]) == [None]


def test_many_at_a_time_are_the_same_as_one_by_one():
    files = [FILES["colour"], OTHERS["progressive"], FILES["grey"], OTHERS["damaged"], FILES["odd sizes"], b"text", b""]
    packed = pack_all(files)
    assert packed == [pack(data) for data in files]
    assert unpack_all(packed) == files
    contents = pack_files(list(FILES.values()))
    assert contents == [pack_files([data])[0] for data in FILES.values()]


def test_takes_less_than_lepton_does():
    files = [small(64 + n, 64, quality=85 + n) for n in range(0, 10, 3)]
    lepton = sum(len(_LEPTON.pack(data)) for data in files)
    assert sum(map(len, pack_all(files))) < 0.95 * lepton
    assert sum(map(len, pack_all(files))) < 0.8 * sum(map(len, files))


def test_tables_that_no_encoder_makes_are_kept():
    """A scan by other codes than libjpeg's best: the tables are stored, as they are."""
    usual = small(optimize=False)
    (content,) = pack_files([usual])
    assert unpack_files([content]) == [usual]
    own = saved(scene(64, 64), "JPEG", qtables=[[7 + n % 90 for n in range(64)]] * 2)
    assert unpack_files(pack_files([own])) == [own]


def test_a_file_that_was_packed_before_is_unpacked_for_ever():
    """Bits of the first version: whatever the machine, threads or batch."""
    file = (GOLDEN / "small.jpg").read_bytes()
    packed = (GOLDEN / "small.packed").read_bytes()
    assert packed[0] == 6
    assert unpack(packed) == file
    assert unpack_all([packed] * 3) == [file] * 3
    assert pack(file) == packed


def test_damage_is_told_or_gives_other_bytes_and_no_other_errors():
    (content,), rng = pack_files([FILES["colour"]]), np.random.default_rng(1)
    for _ in range(60):
        broken = bytearray(content)
        for _ in range(int(rng.integers(1, 3))):
            broken[int(rng.integers(len(broken)))] = int(rng.integers(256))
        try:
            unpack_files([bytes(broken)])
        except CorruptFileError as error:
            assert "\n" not in str(error)
    for cut in range(0, len(content), 97):
        with pytest.raises(CorruptFileError):
            unpack_files([content[:cut]])


def test_whatever_a_file_says_of_itself_it_comes_back():
    """Damaged heads and scans, cut anywhere: packed in some way, and none stops others."""
    rng, data = np.random.default_rng(3), small(24, 16, optimize=True)
    files = [data[:4] + data[4 + cut :] for cut in (1, 40, 159)]
    files += [b"\xff\xd8\xff\xc0\0\2\xff\xda\0\2", b"\xff\xd8\xff\xda\0\2", data[:2] + b"\xff\xff" + data[2:]]
    for _ in range(80):
        broken = bytearray(data)
        for _ in range(int(rng.integers(1, 3))):
            broken[int(rng.integers(2, len(data)))] = int(rng.integers(256))
        files.append(bytes(broken))
    contents = pack_files(files)
    there = [(content, file) for content, file in zip(contents, files, strict=True) if content is not None]
    assert len(there) > 10
    packed = pack_all(files)
    assert [unpack(each) for each in packed] == files


def test_one_that_is_damaged_is_no_harm_to_others():
    good = b"\x06" + pack_files([FILES["colour"]])[0]
    bad = good[:-4] + bytes(4)
    with pytest.raises(CorruptFileError):
        unpack_all([good, bad])
    assert unpack_all([good, good]) == [FILES["colour"]] * 2
