import numpy as np
import torch

from taskcodec.entropy_models.factorized import FactorizedDensity


def density(columns=5, seed=0):
    model = FactorizedDensity(columns, generator=torch.Generator().manual_seed(seed))
    generator = torch.Generator().manual_seed(seed + 1)
    with torch.no_grad():  # any parameters give a density: move them away from where they start
        for parameter in model.parameters():
            parameter += 0.3 * torch.randn(parameter.shape, generator=generator)
    return model


def test_the_cumulative_grows_and_the_probabilities_sum_to_one():
    model = density()
    run = torch.arange(-3000.0, 3001.0)[:, None].expand(-1, 5)
    with torch.no_grad():
        assert (model.logits(run).diff(dim=0) > 0).all()
        total = model.likelihood(run).sum(dim=0)
    torch.testing.assert_close(total, torch.ones(5), rtol=0, atol=1e-3)


def test_columns_share_nothing():
    model = density()
    x = torch.randn(7, 5)
    moved = x.clone()
    moved[:, 2] += 1
    with torch.no_grad():
        changed = (model.likelihood(x) != model.likelihood(moved)).any(dim=0)
    assert changed.tolist() == [False, False, True, False, False]


def test_quantiles_invert_the_cumulative():
    model = density()
    for probability in (1e-6, 0.3, 0.5):
        with torch.no_grad():
            found = torch.sigmoid(model.logits(model.quantile(probability)[None])[0])
        torch.testing.assert_close(found, torch.full((5,), probability), rtol=1e-3, atol=0)


def test_frozen_tables_are_the_density():
    model = density()
    centre = model.quantile(0.5)
    rng = np.random.default_rng(0)
    symbols = np.clip(np.round(rng.normal(0, 4, size=(400, 5))), -40, 40).astype(np.int32)
    tables = model.freeze(centre, symbols)
    slots = tables.slots(symbols)
    assert (slots < tables.sizes).all()
    with torch.no_grad():
        expected = model.rate_bits(centre + torch.from_numpy(symbols.astype(np.float32))).numpy()
    np.testing.assert_allclose(tables.code_length(symbols), expected, rtol=0.01)


def test_training_reaches_the_entropy_of_a_known_source():
    generator = torch.Generator().manual_seed(0)
    x = torch.cat(
        [3 * torch.randn((20_000, 1), generator=generator), 8 * torch.rand((20_000, 1), generator=generator)], 1
    )
    model = FactorizedDensity(2, generator=generator)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.03)
    for _ in range(500):
        rows = torch.randint(len(x), (512,), generator=generator)
        loss = model.rate_bits(x[rows] + torch.rand((512, 2), generator=generator) - 0.5).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    symbols = torch.round(x)
    with torch.no_grad():
        rate = float(model.rate_bits(symbols).mean())
    entropy = 0.0
    for column in symbols.T:
        share = torch.unique(column, return_counts=True)[1] / len(column)
        entropy += float(-(share * share.log2()).sum())
    assert entropy < rate < 1.03 * entropy
