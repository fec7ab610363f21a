import numpy as np
import pytest
import torch

from taskcodec.coding.models.spatial.group import Checkerboard
from taskcodec.entropy_models.integer_network import INNER_BITS, WEIGHT_BITS
from taskcodec.entropy_models.over_space.integer_convolution import (
    RoundedCheckerboard,
    RoundedConvolution,
    RoundedStack,
    inner,
    others,
)


def filled(module):
    """With weights and biases that integers hold exactly."""
    torch.manual_seed(0)
    for parameter in module.parameters():
        parameter.data = torch.round(torch.randn_like(parameter) * 2**WEIGHT_BITS / 3) * 2.0**-WEIGHT_BITS
    return module.double()


def last(values):
    return np.moveaxis(np.asarray(values.detach()), 1, 3)


@pytest.mark.parametrize("size", [(1, 1), (5, 6), (8, 3)])
def test_a_stack_in_integers_gives_what_the_rounded_one_does(size):
    stack = filled(
        RoundedStack(
            RoundedConvolution(2, 6, 3), RoundedConvolution(6, 5, 5, stride=2), RoundedConvolution(5, 3, 3, grow=2)
        )
    )
    x = torch.randint(-9, 10, (2, 2, *size)).double()
    out = stack(x, [size])
    assert out.shape == (2, 3, *size)
    whole = stack.export([8] * 12)(last(x).astype(np.int32), [size])
    assert np.array_equal(whole, np.floor(last(out * 8) + 0.5))
    features = stack.export().features(last(x).astype(np.int32), [size])
    assert np.array_equal(features * 2.0**-INNER_BITS, last(inner(out)))


def test_outputs_are_rounded_to_the_nearest_of_their_parts():
    layer, x = filled(RoundedConvolution(2, 4, 1)), torch.randint(-9, 10, (1, 2, 30, 30)).double()
    parts = [1, 2, 6, 8]
    assert np.array_equal(layer.export(0, parts)(last(x)), np.floor(last(layer(x)) * parts + 0.5))


def test_the_checkerboard_is_of_the_other_colour_and_nothing_at_anchors():
    taps, x = filled(RoundedCheckerboard(2, 3, 5)), torch.randint(-9, 10, (1, 2, 5, 6)).double()
    out = taps(x)
    odd = others(x) > 0
    assert (out[..., ~odd] == 0).all()
    assert torch.equal(taps(x * ~odd), out)
    whole = taps.export(INNER_BITS)
    assert isinstance(whole, Checkerboard)
    places = np.flatnonzero(odd.numpy())
    sums = whole(last(x).astype(np.int32), places) * 2.0 ** -(INNER_BITS + WEIGHT_BITS)
    assert np.array_equal(sums, last(out).reshape(1, 30, 3)[:, places])


def test_inputs_in_units_of_their_own_are_exported_as_they_are():
    """Powers of two leave weights exact: wide inputs weigh less, rare ones at most twice as much."""
    x = torch.randint(-9, 10, (1, 3, 6, 5)).double()
    own, deviations = filled(RoundedConvolution(3, 4, 3)), torch.tensor([8.0, 1.0, 0.01]).double()
    own.weight.data = torch.round(own.weight.data * 2**8) * 2.0**-8  # an eighth of them is still exact
    plain = own(x * torch.tensor([1 / 8, 1.0, 2.0]).double()[:, None, None])
    own.measure(deviations)
    assert torch.allclose(own(x), plain)
    whole = RoundedStack(own).export([2**10] * 4)(last(x).astype(np.int32))
    assert np.array_equal(whole, np.floor(last(plain * 2**10) + 0.5))


def test_a_checkerboard_reads_symbols_in_their_units():
    taps, x = filled(RoundedCheckerboard(2, 3, 5)), torch.randint(-9, 10, (1, 2, 5, 6)).double()
    taps.convolution.weight.data = torch.round(taps.convolution.weight.data * 2**8) * 2.0**-8
    taps.convolution.measure(torch.tensor([4.0, 0.5]).double())
    out, odd = taps(x), np.flatnonzero((others(x) > 0).numpy())
    sums = taps.export(INNER_BITS)(last(x).astype(np.int32), odd) * 2.0 ** -(INNER_BITS + WEIGHT_BITS)
    assert np.array_equal(sums, last(out).reshape(1, 30, 3)[:, odd])
    taps.convolution.units = None
    assert torch.allclose(out, taps(x * torch.tensor([0.25, 2.0]).double()[:, None, None]))
