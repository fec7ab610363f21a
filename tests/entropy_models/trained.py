"""A correlated source, and a short training of any entropy model on it."""

import numpy as np
import torch


def latents(samples, columns=12, seed=0):
    """(samples, columns): four shared directions and a common scale that varies; one column hardly does."""
    generator = torch.Generator().manual_seed(seed)
    mix = 2 * torch.randn((4, columns), generator=torch.Generator().manual_seed(99))
    spread = torch.exp(0.7 * torch.randn((samples, 1), generator=generator))
    shared = torch.randn((samples, 4), generator=generator) @ mix
    y = (shared + 0.6 * torch.randn((samples, columns), generator=generator)) * spread
    y[:, 7] = 0.5 + 0.01 * torch.randn(samples, generator=generator)
    return y


def train(model, y, steps=250, seed=1):
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = 0.01 if step < 0.7 * steps else 0.002
        loss = model(y[torch.randint(len(y), (128,), generator=generator)], generator).bits.mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model.eval()


def symbols_of(frozen, y):
    """What a codec makes of latents."""
    symbols = np.rint(y.numpy() - frozen.centre).astype(np.int32)
    return frozen.model.with_side(symbols)
