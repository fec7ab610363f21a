"""Layers of pictures as features of one length."""

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("torch")

import taskcodec
from taskcodec.evaluation.usable.of_store import UsablePlan, usable
from taskcodec.evaluation.usable.pooled import GRID, pooled, pooled_layer
from tests.pictured import BASE, DETAIL, layered, picture
from tests.stack.test_outside import outside


def test_cells_are_means_of_their_places():
    values = np.arange(2 * 8 * 4, dtype=np.float64).reshape(2, 8, 4)
    cells = values.reshape(2, 4, 2, 4, 1).mean(axis=(2, 4))  # (c, rows of cells, columns of cells)
    assert np.allclose(pooled(values), cells.transpose(1, 2, 0).ravel())


@pytest.mark.parametrize("size", [(1, 1), (3, 9), (5, 4)])
def test_every_size_gives_as_many_numbers(size):
    assert np.allclose(pooled(np.full((3, *size), 7.0)), np.full(3 * GRID * GRID, 7.0))


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A store of dark and bright pictures of several sizes."""
    folder = tmp_path_factory.mktemp("pooled")
    for number in range(24):
        kind = "bright" if number % 2 else "dark"
        (folder / "photos" / kind).mkdir(parents=True, exist_ok=True)
        pixels = picture(12 + number % 3, 16, seed=number) // 4 + (150 if number % 2 else 0)
        Image.fromarray(pixels.astype(np.uint8)).save(folder / "photos" / kind / f"{number}.png")
    layered().save(folder / "p.codec")
    taskcodec.encode(str(folder / "photos"), str(folder / "p.tcz"), codec=str(folder / "p.codec"))
    return folder


def test_a_layer_is_read_with_those_below_it(place):
    store = taskcodec.open(place / "p.tcz")
    base, detail = (pooled_layer(store, name) for name in ("base", "detail"))
    assert base.shape == (24, BASE * GRID**2)
    assert detail.shape == (24, (BASE + DETAIL) * GRID**2)
    assert np.array_equal(detail[:, : base.shape[1]], base)


def test_means_from_outside_the_coder_are_in_it(place):
    codec = outside()
    codec.save(place / "m.codec")
    taskcodec.encode(str(place / "photos"), str(place / "m.tcz"), codec=str(place / "m.codec"))
    store = taskcodec.open(place / "m.tcz")
    symbols = store.layer("detail").decoded(3).symbols
    expected = pooled(codec.pictures.latent(codec.layers[1], symbols)[0])
    assert np.allclose(pooled_layer(store, "detail")[3, BASE * GRID**2 :], expected)
    assert not np.allclose(pooled(codec.layers[1].quantizer.dequantize(symbols["detail"])[0]), expected)


@pytest.mark.slow
def test_what_can_be_used_of_a_store_or_codec_of_pictures(place):
    plan = UsablePlan("folds", 2, 1, families=("linear",))
    rows = usable(place / "p.tcz", plan=plan).rows
    assert [row.layer for row in rows] == ["base", "detail"]
    assert rows[0].usable_bits.value > 0.5
    assert 0 < rows[0].rate_bits < rows[1].rate_bits
    assert usable(place / "p.codec", source=place / "photos", plan=plan).rows == rows
