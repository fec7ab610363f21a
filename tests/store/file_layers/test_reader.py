"""Layers beside the features: read by their own bytes alone, and damage told."""

import numpy as np
import pytest
import zarr
from zarr.storage import MemoryStore

from taskcodec.errors import CorruptFileError, FutureVersionError, TaskcodecError
from taskcodec.store.backend import open_blobs
from taskcodec.store.file_layers.layer import StoreLayer
from taskcodec.store.file_layers.layout import BesideLayer, names_beside, read_layer, write_layer
from taskcodec.store.file_layers.reader import Items
from taskcodec.store.file_layers.writer import ItemWriter, remove_layer

CONTENTS = [b"" if n % 7 == 3 else np.random.default_rng(n).bytes(1 + 37 * n % 400) for n in range(53)]
ROWS = 8


def written(contents=CONTENTS, place=None, **more):
    blobs = open_blobs(place or MemoryStore())
    writer = ItemWriter(blobs, BesideLayer("picture", "picture", 0, ROWS, {"bytes": 900}), **more)
    writer.append(contents)
    writer.commit()
    return blobs


def items(blobs):
    return Items(blobs, read_layer(blobs, "picture"))


def test_each_item_comes_back_alone_and_by_chunk():
    found = items(written())
    assert [found.item(index) for index in range(len(CONTENTS))] == CONTENTS
    chunks = [content for number in range(found.layer.chunks) for content in found.contents(number)]
    assert chunks == CONTENTS


@pytest.mark.parametrize("cut", [0, 1, 8, 13, 16, 52, 53])
def test_goes_on_from_any_item_to_the_same_bytes(cut):
    whole, blobs = written(), written()
    layer = read_layer(blobs, "picture")
    writer = ItemWriter(blobs, layer, cut)
    assert writer.next_index == cut
    for content in CONTENTS[cut:]:
        writer.append([content])
        writer.commit()
    assert {key: blobs.get(key) for key in blobs.sizes()} == {key: whole.get(key) for key in whole.sizes()}
    with pytest.raises(CorruptFileError, match="53 items where 54 are expected"):
        ItemWriter(blobs, layer, 54)


def test_one_item_is_one_ranged_read_and_the_lengths_of_its_chunk_once():
    blobs = written()
    found, asked = items(blobs), []
    ranged, blobs.get = blobs.get_range, None  # no file is read whole
    blobs.get_range = lambda key, start, length: asked.append((key, length)) or ranged(key, start, length)
    assert found.item(20) == CONTENTS[20]
    assert [key for key, _ in asked] == ["layers/picture/c/2"] * 2
    assert found.item(21) == CONTENTS[21]
    assert asked[2:] == [("layers/picture/c/2", len(CONTENTS[21]) + 4)]


def test_zarr_reads_the_items_with_their_check_values():
    place = MemoryStore()
    written(place=place)
    array = zarr.open_array(place, path="layers/picture", mode="r")
    assert array.shape == (53,)
    assert [bytes(item)[:-4] for item in array[:].tolist()] == CONTENTS


def test_every_damaged_byte_is_told():
    rng = np.random.default_rng(0)
    for _ in range(300):
        blobs = written(CONTENTS[:12])
        sizes = blobs.sizes()
        key = sorted(sizes)[int(rng.integers(len(sizes)))]
        data = bytearray(blobs.get(key))
        place = int(rng.integers(len(data)))
        data[place] ^= 1 << int(rng.integers(8))
        blobs.put(key, bytes(data))
        try:
            layer = read_layer(blobs, "picture")
        except TaskcodecError as error:
            assert "layers/picture/zarr.json" in str(error)
            continue
        found = Items(blobs, layer)
        for index in range(min(layer.items, 12)):
            try:
                assert found.item(index) == CONTENTS[index]
            except CorruptFileError as error:
                assert key in str(error)
        if key.endswith("zarr.json"):
            assert layer == read_layer(written(CONTENTS[:12]), "picture")  # a byte that says nothing
        else:
            faults = list(StoreLayer(blobs, layer, lambda: np.arange(12)).verify())
            assert len(faults) == 1
            assert key in faults[0]


def test_an_item_at_anothers_place_is_told():
    blobs = written([b"same"] * 16)
    blobs.put("layers/picture/c/1", blobs.get("layers/picture/c/0"))
    with pytest.raises(CorruptFileError, match="item of sample 8 is damaged"):
        items(blobs).item(8)


def test_what_is_missing_cut_or_newer_is_told():
    blobs = written()
    blobs.delete("layers/picture/c/0")
    for read in (lambda: items(blobs).item(0), lambda: items(blobs).chunk(0)):
        with pytest.raises(CorruptFileError, match="layers/picture/c/0: missing"):
            read()
    blobs.put("layers/picture/c/1", blobs.get("layers/picture/c/1")[:60])
    with pytest.raises(CorruptFileError, match="truncated"):
        items(blobs).item(15)
    newer = blobs.get("layers/picture/zarr.json").replace(b'"version": 1', b'"version": 9')
    blobs.put("layers/picture/zarr.json", newer)
    with pytest.raises(FutureVersionError, match="layer version 9"):
        read_layer(blobs, "picture")


def test_names_and_removal():
    blobs = written()
    write_layer(blobs, BesideLayer("original", "original", 0, 1))
    blobs.put("layers/base/zarr.json", b"a codec's own")
    assert names_beside(blobs.sizes(), ["base"]) == ["picture", "original"]
    remove_layer(blobs, "picture")
    assert names_beside(blobs.sizes(), ["base"]) == ["original"]
    assert read_layer(blobs, "picture") is None
    assert "layers/base/zarr.json" in blobs.sizes()
