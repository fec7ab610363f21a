"""Tables that follow from the columns before, fitted to a codec that is there: fewer bits for the very same symbols.

    symbols (n, k) of the codec on these features --> autoregressive entropy model, trained on them --> integer tables

What a trained codec keeps of a digit or an object comes in clusters, one for each prototype, so columns tell much of
one another; a factorized model cannot say so. The transform, the step and the reconstruction points stay: what is
decoded, and so every prediction, is the same to the last bit.
"""

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from taskcodec.codec import Codec
from taskcodec.entropy_models.autoregressive import Autoregressive
from taskcodec.errors import UsageError
from taskcodec.fitting.closed_form.rate import adapt
from taskcodec.samples import as_features

GROUPS = 8
STEPS = 1500
BATCH = 1024
LEARNING_RATE, DENSITY_LEARNING_RATE = 2e-3, 2e-2
HELD_OUT = 8
"""One sample in so many is kept out of the training, to tell whether it pays."""
MIN_SAMPLES = 512
"""Fewer say too little of how columns depend on one another."""


class _OfSymbols(Autoregressive):
    """The model of what is whole numbers already: the lattice is the codec's."""

    def calibrate(self, latent: Tensor) -> None:
        pass


def with_conditional_tables(
    codec: Codec, features: npt.ArrayLike, *, groups: int = GROUPS, steps: int = STEPS, seed: int = 0
) -> Codec:
    """The codec refitted to features as `adapt` does, and its tables made conditional where that takes fewer bits.

    Args:
        codec: with tables for each column on its own, and 2 columns or more.
        features: (n, d) without labels, n >= MIN_SAMPLES; the more, the better.
        groups: of columns; a sample is decoded in so many steps.
        steps: gradient steps, on batches of BATCH samples.
        seed: of initial weights and order.

    Returns:
        A codec that decodes to the same features as `adapt(codec, features)`: that one itself where conditional tables
        do not take fewer bits for samples that they were not trained on.

    Raises:
        UsageError: too few samples, or a codec whose tables are conditional already.
    """
    if codec.base.model.plain is None:
        raise UsageError("this codec's tables are conditional already")
    x = as_features(features)
    if len(x) < MIN_SAMPLES:
        raise UsageError(f"conditional tables need {MIN_SAMPLES} samples or more, found {len(x)}")
    own = adapt(codec, x)
    if own.columns < 2:
        return own
    symbols = own.encode_features(x)
    test = np.arange(len(x)) % HELD_OUT == HELD_OUT - 1
    model = _trained(symbols[~test], min(groups, own.columns), steps, seed)
    frozen = model.freeze(torch.from_numpy(symbols[~test].astype(np.float32)))
    if frozen.model.code_length(symbols[test]).mean() >= own.code_length(symbols[test]).mean():
        return own
    provenance = {**own.provenance, "conditional_tables_of": own.fingerprint}
    return own.with_base(replace(own.base, model=frozen.model), provenance=provenance)


def _trained(symbols: npt.NDArray[np.int32], groups: int, steps: int, seed: int) -> Autoregressive:
    generator = torch.Generator().manual_seed(seed)
    values = torch.from_numpy(symbols.astype(np.float32))
    model = _OfSymbols(values.shape[1], groups=groups, generator=generator)
    optimizer = torch.optim.Adam(
        [
            {"params": model.density.parameters(), "lr": DENSITY_LEARNING_RATE},
            {"params": model.networks.parameters(), "lr": LEARNING_RATE},
        ]
    )
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(steps):
        rows = torch.randint(len(values), (min(BATCH, len(values)),), generator=generator)
        loss = model.rate_bits(values[rows]).mean()
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
        schedule.step()
    return model.eval()
