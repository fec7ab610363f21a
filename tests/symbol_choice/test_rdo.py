from dataclasses import replace

import numpy as np
import pytest

import taskcodec
from taskcodec.errors import UsageError
from taskcodec.symbol_choice.nearest import nearest
from taskcodec.symbol_choice.rdo import rdo
from taskcodec.symbol_choice.usual import usual
from tests.conditional import conditional

X = np.random.default_rng(0).normal(size=(500, 6)).astype("f4")
CODEC = taskcodec.fit(X, bits=12)
LAYER = replace(CODEC.base, quantizer=replace(CODEC.base.quantizer, slope=0.15))
LATENT = CODEC.base.transform.of_features.analyse(X, None)


def cost(symbols):
    quantizer = LAYER.quantizer
    error = (quantizer.dequantize(symbols) - LATENT).astype("f8") / quantizer.step
    return error**2 + quantizer.slope * LAYER.model.costs(symbols)


def test_no_other_symbol_costs_less():
    least = cost(rdo(LAYER, LATENT))
    for symbol in range(-6, 7):
        assert (least <= cost(np.full(LATENT.shape, symbol, np.int32)) + 2e-3).all()


def test_a_slope_says_how_symbols_are_chosen():
    assert np.array_equal(usual(LAYER, LATENT), rdo(LAYER, LATENT))
    assert np.array_equal(usual(CODEC.base, LATENT), nearest(CODEC.base, LATENT))
    assert LAYER.model.code_length(usual(LAYER, LATENT)).sum() < LAYER.model.code_length(nearest(LAYER, LATENT)).sum()


def test_a_sample_is_coded_alike_in_any_company(monkeypatch):
    whole = rdo(LAYER, LATENT)
    assert np.array_equal(rdo(LAYER, LATENT[7:9]), whole[7:9])
    monkeypatch.setattr("taskcodec.symbol_choice.rdo.WHOLE", 30)
    assert np.array_equal(rdo(LAYER, LATENT), whole)


def test_what_costs_by_other_symbols_is_refused():
    base = conditional(CODEC).base
    with pytest.raises(UsageError, match="layer base: symbols are chosen one by one where each column has one table"):
        rdo(replace(base, quantizer=replace(base.quantizer, slope=0.1)), LATENT)
