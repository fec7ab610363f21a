"""Codecs of pictures: any size, packets that may be cut, pictures that are decoded further, files."""

import os
import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest

pytest.importorskip("torch")

from tests import ROOT
from tests.coding.make_golden import FOLDER
from tests.pictured import BASE, DETAIL, SIZES, STRIDE, alone, layered, picture

import taskcodec
from taskcodec.coding.picture import split_picture, write_size
from taskcodec.errors import CorruptFileError, MismatchError, TaskcodecError, UsageError
from taskcodec.symbol_choice.pictures.seen import Found

CODEC = layered()


@pytest.mark.parametrize("size", SIZES)
def test_pictures_of_any_size_come_back(size):
    x = picture(*size)
    symbols = CODEC.pictures.encode(x)
    places = tuple(-(-side // STRIDE) for side in size)
    assert symbols["base"].shape == (1, BASE, *places)
    assert symbols["detail"].shape == (1, DETAIL, *places)
    packet = CODEC.compress(x)
    decoded = CODEC.begin(packet)
    assert all(np.array_equal(decoded.symbols[name], found) for name, found in symbols.items())
    for upto in (None, "base", "detail"):
        found = CODEC.decompress(packet, upto)
        assert found.shape == x.shape
        assert found.dtype == np.uint8


def test_bits_are_those_that_bytes_take():
    codec, found, bits = taskcodec.load_codec(FOLDER / "pictures.codec"), [], []
    for seed in range(40):
        x = picture(64, 64, seed)
        ends = split_picture(codec.compress(x), 3).ends
        found.append([8 * (b - a) for a, b in pairwise(ends)])
        bits.append(list(codec.pictures.code_length(codec.pictures.encode(x)).values()))
    np.testing.assert_allclose(np.mean(found, axis=0), np.mean(bits, axis=0), rtol=2e-3)
    assert np.abs(np.array(found) - bits).max() < 8


def test_one_layer_is_a_codec():
    codec, x = alone(), picture(9, 14)
    assert codec.decompress(codec.compress(x)).shape == (9, 14, 3)


def test_a_search_runs_in_one_thread_and_coding_in_as_many_as_before():
    torch = pytest.importorskip("torch")
    before, seen = torch.get_num_threads(), []

    def search(shown):
        seen.append(torch.get_num_threads())
        return Found(CODEC.layers[0].quantizer.quantize(shown.latent))

    torch.set_num_threads(2)
    try:
        x = picture(20, 30)
        assert CODEC.pictures.pack(x, {CODEC.layers[0].name: search}) == CODEC.compress(x)
        assert (seen, torch.get_num_threads()) == ([1], 2)
    finally:
        torch.set_num_threads(before)


def test_many_pictures_are_a_list_and_do_not_depend_on_each_other():
    many = [picture(*size) for size in SIZES]
    packets = CODEC.compress(many)
    assert packets == [CODEC.compress(x) for x in many]
    found = CODEC.decompress(packets)
    assert [each.shape for each in found] == [x.shape for x in many]
    assert CODEC.compress(np.stack([many[0]] * 3)) == [packets[0]] * 3
    assert CODEC.compress([]) == CODEC.decompress([]) == []


def test_a_file_cut_behind_the_base_decodes_the_base_and_goes_on():
    x = picture(33, 20)
    packet = CODEC.compress(x)
    whole = CODEC.begin(packet)
    end = split_picture(packet, 2).ends[1]
    for cut in (end, end + 5, len(packet) - 1):
        assert np.array_equal(CODEC.decompress(packet[:cut], upto="base"), CODEC.decompress(packet, upto="base"))
        with pytest.raises(CorruptFileError, match="ends before its layer detail"):
            CODEC.decompress(packet[:cut])
        base = CODEC.begin(packet[:cut], upto="base")
        assert list(base.symbols) == ["base"]
        with pytest.raises(UsageError, match="detail of this picture was not decoded"):
            CODEC.pictures.pixels(base)
        more = CODEC.resume(base, packet[cut:])
        assert more.symbols["base"] is base.symbols["base"]
        assert np.array_equal(CODEC.pictures.pixels(more), CODEC.pictures.pixels(whole))
    with pytest.raises(CorruptFileError, match="ends before its layer base"):
        CODEC.decompress(packet[: end - 1], upto="base")
    for cut in range(5):
        with pytest.raises(CorruptFileError, match=r"packet|numbers"):
            CODEC.decompress(packet[:cut], upto="base")


def test_files_keep_codecs_of_pictures(tmp_path):
    CODEC.save(tmp_path / "p.codec")
    again = taskcodec.load_codec(tmp_path / "p.codec")
    assert again.to_bytes() == CODEC.to_bytes()
    assert again.fingerprint == CODEC.fingerprint
    x = picture(21, 10)
    assert again.compress(x) == CODEC.compress(x)
    assert np.array_equal(again.decompress(CODEC.compress(x)), CODEC.decompress(CODEC.compress(x)))


def test_damage_is_told_and_leaves_the_base_readable():
    """2,000 damaged bytes: none is silent, and behind the head and the base the base is as it was."""
    packets = [CODEC.compress(picture(40, 30, seed)) for seed in range(8)]
    wholes = [CODEC.begin(packet) for packet in packets]
    rng, readable = np.random.default_rng(0), 0
    for _ in range(2000):
        which = rng.integers(len(packets))
        packet, whole, at = bytearray(packets[which]), wholes[which], 0
        at = int(rng.integers(len(packet)))
        packet[at] ^= int(rng.integers(1, 256))
        with pytest.raises(TaskcodecError):
            CODEC.begin(bytes(packet))
        if at >= split_picture(packets[which], 2).ends[1]:
            base = CODEC.begin(bytes(packet), upto="base")
            assert np.array_equal(base.symbols["base"], whole.symbols["base"])
            readable += 1
    assert readable > 500


@pytest.mark.parametrize("size", [(0, 4), (4, 0), (2**18 + 1, 1), (2**18, 2**18), (2**40, 2**40), (2**14, 2**14)])
def test_sizes_that_no_bytes_warrant_are_refused(size):
    packet = CODEC.compress(picture(4, 4))
    first = split_picture(packet, 2).ends
    with pytest.raises(CorruptFileError, match=r"pixels|bytes for"):
        CODEC.decompress(write_size(size) + packet[2 : first[0]] + packet[first[0] :])
    with pytest.raises(MismatchError, match=r"found|pixels"):
        CODEC.pictures.encode(np.empty((min(size[0], 1), 0, 3), np.uint8))


DECODER = """
import sys
setting, folder = sys.argv[1:]
if setting == "no torch":
    sys.modules["torch"] = None  # importing it fails
else:
    import torch
    torch.set_default_dtype(torch.float64 if "float64" in setting else torch.float32)
    torch.backends.mkldnn.set_flags("oneDNN" in setting)
import hashlib
import numpy as np
import taskcodec
from taskcodec.coding.picture import join_picture, read_size
codec, store = taskcodec.load_codec(folder + "/pictures.codec"), taskcodec.open(folder + "/pictures.tcz")
def packet(row):
    items = [store.layer(layer.name)._ranges[layer.name].item(*divmod(row, 2)) for layer in codec.layers]
    return join_picture(read_size(items[0])[0], [read_size(item)[1] for item in items])
packets = [packet(row) for row in range(5)]
for batch, packed in ((1, packets), (7, packets * 2), (64, packets[:2] * 32)):
    for start in range(0, len(packed), batch):
        part = packed[start : start + batch]
        found = [codec.begin(own, name).symbols[name] for own in part for name in ("base", "detail", "other")]
        print(batch, hashlib.sha256(b"".join(each.tobytes() for each in found)).hexdigest())
        if setting != "no torch":
            assert len(codec.decompress(part, "detail")) == len(part)
if setting != "no torch":
    each = [codec.decompress(own, name) for own in packets for name in ("base", "detail", "other")]
    print(*(int(pixels.sum()) // 64 for pixels in each))
"""


@pytest.mark.slow
def test_golden_pictures_decode_alike_under_every_setting():
    told = {}
    for setting, threads in (("no torch", "1"), ("oneDNN, float32", "2"), ("plain kernels, float64", "2")):
        variables = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), threads)
        found = subprocess.run(
            [sys.executable, "-c", DECODER, setting, str(FOLDER)],
            env={**os.environ, **variables},
            capture_output=True,
            text=True,
            check=False,
        )
        assert found.returncode == 0, found.stderr[-2000:]
        told[setting] = found.stdout.splitlines()
    first, *others = told.values()
    assert len(first) == 5 + 2 + 1
    assert all(other[:8] == first for other in others)
    assert others[0][8:] == others[1][8:]


def test_layers_that_only_the_synthesis_looks_at_are_checked_too():
    """A base of another picture of the same size is told, though the layer's symbols do not need it."""
    codec = taskcodec.load_codec(FOLDER / "pictures.codec")
    x, y = picture(9, 9), picture(9, 9, 1)
    one, other = codec.pictures.items(x), codec.pictures.items(y)
    mixed = dict(zip(("base", "detail", "other"), (other[0], one[1], one[2]), strict=True))
    assert np.array_equal(
        codec.pictures.from_items(mixed.get, "base").symbols["base"], codec.pictures.encode(y)["base"]
    )
    for name in ("detail", "other"):
        with pytest.raises(CorruptFileError, match=f"layer {name}: "):
            codec.pictures.from_items(mixed.get, name)


LARGE = """
import resource
import numpy as np
import torch
from taskcodec.codec import Codec
from taskcodec.entropy_models.spatial import SpatialEntropy, SpatialOptions
from tests import pictured
torch.manual_seed(0)
sizes = {"widths": [24, 48, 48], "latent": 48, "blocks": 1}
networks = pictured.Networks(
    pictured.pack("light", sizes, pictured.make("light", sizes)),
    pictured.pack("light_synthesis", sizes, pictured.make("light_synthesis", sizes)),
)
model = SpatialEntropy(48, SpatialOptions(side=8, hyper=16, context=16)).freeze()
layer = pictured.layer("base", pictured.PictureTransform(networks, 48, 16), 0.05, model)
codec = Codec("pictures", (layer,))
small = np.zeros((20, 20, 3), np.uint8)
codec.decompress(codec.compress(small))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
x = np.random.default_rng(0).integers(0, 256, (300, 400, 3), np.uint8).repeat(10, axis=0).repeat(10, axis=1)
packet = codec.compress(x)
found = codec.decompress(packet)
assert found.shape == x.shape == (3000, 4000, 3)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


@pytest.mark.slow
def test_twelve_megapixels_take_bounded_memory():
    """Without tiles the networks alone would take two gigabytes."""
    variables = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    found = subprocess.run(
        [sys.executable, "-c", LARGE],
        env={**os.environ, **variables},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stderr[-2000:]
    assert int(found.stdout) < 900
