"""Symbols of pictures that are searched for: cheaper, decodable, and the same again."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from taskcodec.symbol_choice.pictures import windows  # noqa: E402
from taskcodec.symbol_choice.pictures.annealing import Schedule  # noqa: E402
from taskcodec.symbol_choice.pictures.goals import Goal  # noqa: E402
from taskcodec.symbol_choice.pictures.search import LayerSearch  # noqa: E402
from tests.pictured import picture  # noqa: E402
from tests.symbol_choice.pictures.trained import cost, trained  # noqa: E402

X = picture(25, 30, 30)


def found_by(codec, schedule, x=X, goal=None):
    """A packet whose symbols were searched so."""
    layers = codec.layers if goal is None else codec.layers[:1]
    searches = {layer.name: LayerSearch(layer, goal or Goal("mse", 0.004), schedule) for layer in layers}
    return codec.pictures.pack(x, searches)


def seen(codec, packet, name):
    """(H, W, 3) what a layer decodes to, before it is rounded."""
    return np.moveaxis(codec.pictures.values(codec.begin(packet), name), 0, 2).clip(0, 1)


def test_fewer_bytes_at_no_more_error():
    codec = trained()
    usual, packet = codec.compress(X), found_by(codec, Schedule(30, 0.1))
    errors = [np.square(codec.decompress(each).astype(float) - X).mean() for each in (usual, packet)]
    assert errors[1] <= errors[0]
    assert len(packet) < 0.97 * len(usual)
    assert cost(codec, packet, X) < 0.95 * cost(codec, usual, X)


@pytest.mark.slow
def test_each_layer_keeps_its_error_over_what_was_found_below():
    codec = trained(("base", "detail"), steps=60)
    for seed in range(4):
        x = picture(24, 30, seed)
        usual, found = codec.compress(x), codec.compress(x, effort=5)
        assert len(found) <= len(usual)
        for name in ("base", "detail"):
            before, after = (np.square(seen(codec, each, name) - x / 255).mean() for each in (usual, found))
            assert after < 1.031 * before, (seed, name)


def test_the_same_bytes_again():
    codec, schedule = trained(), Schedule(3, 0.1)
    assert found_by(codec, schedule) == found_by(codec, schedule)


def test_it_never_costs_more():
    codec = trained()
    for schedule in (Schedule(1, 1e-6), Schedule(2, 3.0)):
        assert cost(codec, found_by(codec, schedule), X) < 1.001 * cost(codec, codec.compress(X), X)


def test_side_information_is_searched_too():
    codec = trained()
    layer = codec.layers[0]
    chosen = codec.pictures.search(X, {layer.name: LayerSearch(layer, Goal("mse", 0.004), Schedule(10, 0.1))})
    own = layer.model.side_of(chosen.symbols[layer.name])
    assert not np.array_equal(chosen.sides[layer.name], own)
    assert len(codec.pictures.bitstreams(X.shape[:2], chosen.symbols, chosen.sides)[0]) <= len(
        codec.pictures.bitstreams(X.shape[:2], chosen.symbols)[0]
    )


@pytest.mark.slow
def test_parts_one_after_the_other(monkeypatch):
    codec = trained()
    monkeypatch.setattr(windows, "WHOLE", 24)
    monkeypatch.setattr(windows, "PART", 16)
    monkeypatch.setattr("taskcodec.symbol_choice.pictures.search.TABLES_REACH", 2)
    monkeypatch.setattr("taskcodec.symbol_choice.pictures.search.reach_of", lambda network, jump: 8)
    packet = found_by(codec, Schedule(20, 0.1))
    assert cost(codec, packet, X) < 0.97 * cost(codec, codec.compress(X), X)


@pytest.mark.slow
def test_layers_one_on_the_other_and_torch_as_it_may_be_set():
    codec = trained(("base", "detail"))
    usual = codec.compress(X)
    with torch.inference_mode():
        packet = codec.compress(X, effort=2)
    torch.set_default_dtype(torch.float64)
    try:
        assert codec.compress(X, effort=2) == packet
    finally:
        torch.set_default_dtype(torch.float32)
    assert cost(codec, packet, X) < cost(codec, usual, X)
    assert codec.decompress(packet, upto="base").shape == X.shape


@pytest.mark.slow
def test_structural_similarity():
    codec = trained()
    packet = found_by(codec, Schedule(10, 0.1), goal=Goal("ms_ssim", 0.004))
    assert codec.decompress(packet).shape == X.shape
