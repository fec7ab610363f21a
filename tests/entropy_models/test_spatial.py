import copy
from dataclasses import replace

import constriction
import numpy as np
import pytest
import torch

from taskcodec.entropy_models.spatial import SpatialEntropy, SpatialOptions
from taskcodec.errors import UsageError

SMALL = SpatialOptions(side=3, hyper=6, groups=(2, 4), context=7, levels=40)


SIZES = ((6, 7), (1, 1), (5, 2))


def trained(options=SMALL, given=(), steps=90, sizes=SIZES, seed=0):
    """A model after a few steps on a source whose places and channels are alike, in pictures of each size in turn.

    Of a size that it has not met, symbols lie far outside its tables, where the estimate is dearer on purpose.
    """
    torch.manual_seed(seed)
    model = SpatialEntropy(6, options, given)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    for step in range(steps):
        size = sizes[step % len(sizes)]
        loss = model(source(8, *size, seed=step), below(8, *size, given, seed=step)).bits.mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model.eval()


def source(n, h, w, seed):
    generator = torch.Generator().manual_seed(seed + 1)
    smooth = torch.nn.functional.interpolate(
        3 * torch.randn((n, 1, 3, 3), generator=generator), (h, w), mode="bilinear"
    )
    gains = torch.tensor([1.0, -2.0, 0.5, 3.0, 0.1, 1.0])[:, None, None]
    return smooth * gains + 0.4 * torch.randn((n, 6, h, w), generator=generator)


def below(n, h, w, given, seed):
    """The source itself, rounded more coarsely."""
    return [torch.round(source(n, h, w, seed)[:, :channels] / 2) for channels in given]


@pytest.fixture(scope="module", params=[(), (2, 1)], ids=["alone", "on layers below"])
def model(request):
    return trained(given=request.param)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.slow
def test_what_is_coded_takes_what_training_lowers(model, size):
    y, under = source(40, *size, seed=999), below(40, *size, model.given, seed=999)
    with torch.no_grad():
        found = model(y, under)
    symbols = found.latent.numpy().astype(np.int32)
    assert np.array_equal(symbols, torch.round(y).numpy())
    tables, integers = model.freeze(), [part.numpy().astype(np.int32) for part in under]
    lengths = tables.code_length(symbols, integers)
    assert found.bits.shape == lengths.shape
    assert lengths.sum() == pytest.approx(found.bits.sum().item(), rel=0.005)
    coder = constriction.stream.stack.AnsCoder()
    tables.push(coder, symbols, integers)
    assert coder.num_valid_bits() == pytest.approx(lengths.sum(), rel=0.005, abs=64)
    assert np.array_equal(tables.pop(coder, symbols.shape, integers), symbols)
    assert coder.is_empty()


def test_groups_are_those_asked_for_or_uneven():
    assert SpatialOptions().sizes(192) == (16, 48, 128)
    assert SpatialOptions().sizes(2) == (2,)
    assert SpatialOptions(groups=(1, 5)).sizes(6) == (1, 5)
    with pytest.raises(UsageError, match="groups of 1, 5 channels"):
        SpatialEntropy(7, SpatialOptions(groups=(1, 5)))
    with pytest.raises(UsageError, match="phases"):
        SpatialOptions(phases=17)


@pytest.mark.slow
def test_means_from_outside_shift_values_and_lose_no_stream():
    """Another machine's floats: the symbols are the same, and what they stand for is nearly so."""
    options = replace(SMALL, means="outside")
    model, y = trained(options, (2,)), source(40, 6, 7, seed=999)
    under = below(40, 6, 7, (2,), seed=999)
    with torch.no_grad():
        found = model(y, under)
        symbols, y_hat = model.outside.quantize(y, under)
        assert torch.equal(found.latent, y_hat)
        assert (y - y_hat).abs().max() <= 0.5 + 1e-4
        assert torch.equal(model.outside.restore(symbols, under), y_hat)
        other = copy.deepcopy(model.outside).double().restore(symbols.double(), [part.double() for part in under])
        np.testing.assert_allclose(other, y_hat, atol=1e-4)
    tables, integers = model.freeze(), [part.numpy().astype(np.int32) for part in under]
    assert not tables.groups[0].means
    whole = symbols.numpy().astype(np.int32)
    assert tables.code_length(whole, integers).sum() == pytest.approx(found.bits.sum().item(), rel=0.005)
    coder = constriction.stream.stack.AnsCoder()
    tables.push(coder, whole, integers)
    assert np.array_equal(tables.pop(coder, whole.shape, integers), whole)
    assert y_hat.std() > 3 * symbols.std()  # most is in the means


def test_autocast_changes_nothing():
    model, y = SpatialEntropy(6, SMALL), source(2, 6, 7, seed=1) * 100
    with torch.no_grad():
        plain = model(y)
        with torch.autocast("cpu", torch.bfloat16):
            mixed = model(y)
    assert torch.equal(plain.latent, mixed.latent)
    assert torch.equal(plain.bits, mixed.bits)
