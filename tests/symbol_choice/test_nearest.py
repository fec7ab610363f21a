from dataclasses import replace

import numpy as np

import taskcodec
from taskcodec.quantization.uniform import UniformQuantizer
from taskcodec.symbol_choice.nearest import nearest

X = np.random.default_rng(0).normal(size=(400, 6)).astype("f4")
LAYER = taskcodec.fit(X, bits=12).base


def test_no_other_symbol_is_nearer():
    layer = replace(LAYER, quantizer=UniformQuantizer.unshifted(0.7, 0.5, LAYER.quantizer.runs, 6))
    symbols = nearest(layer, X)
    error = np.abs(layer.quantizer.dequantize(symbols) - X)
    assert error.max() <= 0.35 + 1e-6
    for other in (symbols - 1, symbols + 1):
        assert (error <= np.abs(layer.quantizer.dequantize(other) - X) + 1e-6).all()


def test_a_wider_zero_takes_what_is_less_than_its_edge():
    layer = replace(LAYER, quantizer=UniformQuantizer.unshifted(1.0, 0.25, LAYER.quantizer.runs, 6))
    latent = np.array([[0.7, 0.76, -0.74, -0.8, 1.7, 1.8]], "f4")
    assert nearest(layer, latent).tolist() == [[0, 1, 0, -1, 1, 2]]
