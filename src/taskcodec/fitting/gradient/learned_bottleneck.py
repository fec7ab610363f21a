"""The learned bottleneck of LCLP for frozen features, as a fit that returns a `Codec`.

    x --(x + bias) * exp(scale)--> y --noise (training) or rounding--> factorized density --> bits
    x_hat <-- y_hat * exp(-scale) - bias

"Lossy Compression for Lossless Prediction" (Dubois et al., NeurIPS 2021), zero-shot compressor, trained as the authors'
minimal script does: Adam from 0.1, lowered tenfold in stages, batches of 128, loss = L1 distortion + beta * rate.
Beta multiplies the rate, in bits, here; the authors' counts nats, so theirs is beta / ln 2. Under L1 the best step of
a fine quantizer is 4 beta / ln 2 in features' units, which is what the learned scales should come to.
"""

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from taskcodec.codec import Codec
from taskcodec.distortions.feature_l1 import absolute_error
from taskcodec.entropy_models.empirical import sketch
from taskcodec.entropy_models.factorized import FactorizedDensity
from taskcodec.errors import MismatchError, UsageError
from taskcodec.fitting.closed_form.fit import SKETCH_SIZE
from taskcodec.layer import BASE, Layer
from taskcodec.quantization.uniform import UniformQuantizer
from taskcodec.samples import as_features
from taskcodec.transforms.affine import AffineTransform
from taskcodec.transforms.spec import BackboneSpec

BATCH = 128
LEARNING_RATE = 0.1
STAGES = 3
"""The learning rate is lowered tenfold after each but the last."""
MAX_STEPS = 400
"""Gradient steps in a stage at most; it ends early where the loss has stopped falling."""
PATIENCE_STEPS = 60
MIN_GAIN = 0.002
"""A smaller relative fall of the mean loss over PATIENCE_STEPS steps counts as none."""


class LearnedBottleneck(torch.nn.Module):
    """Scale and shift of d columns, and their factorized density."""

    def __init__(self, dimension: int, generator: torch.Generator) -> None:
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(dimension))  # a logarithm; starts at 1, as the authors'
        self.bias = torch.nn.Parameter(torch.zeros(dimension))
        self.density = FactorizedDensity(dimension, generator=generator)

    def latent(self, x: Tensor) -> Tensor:
        """(n, d) features -> (n, d) latent in units of the step."""
        return (x + self.bias) * self.scale.exp()

    def loss(self, x: Tensor, beta: float, generator: torch.Generator) -> Tensor:
        """Mean of L1 distortion + beta * bits over a batch (n, d), with uniform noise in place of rounding."""
        y = self.latent(x)
        y = y + torch.rand(y.shape, generator=generator) - 0.5
        decoded = y * (-self.scale).exp() - self.bias
        return (absolute_error(decoded, x) + beta * self.density.rate_bits(y)).mean()


def fit_learned_bottleneck(
    features: npt.ArrayLike,
    beta: float,
    *,
    max_steps: int = MAX_STEPS,
    seed: int = 0,
    backbone: BackboneSpec | None = None,
    provenance: dict[str, Any] | None = None,
) -> Codec:
    """Train on unlabelled features; the codec's step is 1, its tables are the learned density's.

    Args:
        features: (n, d), n >= 2, as the backbone gives them.
        beta: L1 distortion that one bit is worth, in the features' unit.
        max_steps: gradient steps in each of STAGES stages, at most.
        seed: of initialisation, batches and noise.
        backbone: what computed the features, recorded in the codec.
        provenance: free JSON, recorded in the codec. `trained_bits` is added: the density's bits a sample for the
            rounded latents of (at most 4,096 of) the features.

    Raises:
        UsageError: beta that is no positive number.
        MismatchError: features that are no (n, d) array of finite numbers.
    """
    x = as_features(features)
    if x.ndim != 2 or len(x) < 2 or x.shape[1] < 1 or not np.isfinite(x).all():
        raise MismatchError(f"expected at least 2 finite feature vectors as an (n, d) array, found {x.shape}")
    if not (math.isfinite(beta) and beta > 0):
        raise UsageError(f"beta must be a positive number, found {beta}")
    generator = torch.Generator().manual_seed(seed)
    model = LearnedBottleneck(x.shape[1], generator)
    _train(model, torch.from_numpy(np.ascontiguousarray(x)), beta, max_steps, generator)
    return _to_codec(model, x[:: max(1, -(-len(x) // 4096))], beta, len(x), backbone, provenance or {})


def _train(model: LearnedBottleneck, x: Tensor, beta: float, max_steps: int, generator: torch.Generator) -> None:
    optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE)
    for stage in range(STAGES):
        for group in optimizer.param_groups:
            group["lr"] = LEARNING_RATE * 0.1**stage
        recent: list[float] = []
        for _ in range(max_steps):
            rows = torch.randint(len(x), (BATCH,), generator=generator)
            loss = model.loss(x[rows], beta, generator)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            recent.append(float(loss.detach()))
            if len(recent) == 2 * PATIENCE_STEPS:
                if np.mean(recent[PATIENCE_STEPS:]) > (1 - MIN_GAIN) * np.mean(recent[:PATIENCE_STEPS]):
                    break
                recent = recent[PATIENCE_STEPS:]


@torch.no_grad()
def _to_codec(
    model: LearnedBottleneck,
    part: npt.NDArray[np.float32],
    beta: float,
    samples: int,
    backbone: BackboneSpec | None,
    provenance: dict[str, Any],
) -> Codec:
    # Symbol 0 stands for the median of the density, as in CompressAI: so a column that is not worth its bits is free.
    median, scale = model.density.quantile(0.5), (-model.scale).exp()
    transform = AffineTransform("identity", (median * scale - model.bias).numpy(), scale.numpy())
    latent = transform.analyse(part)
    symbols = np.rint(latent).astype(np.int32)
    tables = model.density.freeze(median, symbols)
    bits = model.density.rate_bits(median + torch.from_numpy(symbols.astype(np.float32)))
    record = {"method": "learned bottleneck", "beta": beta, "samples": samples, "trained_bits": float(bits.mean())}
    quantizer = UniformQuantizer.unshifted(1.0, 0.5, tables, tables.columns)
    base = Layer(BASE, transform, quantizer, tables, sketch(latent, SKETCH_SIZE))
    return Codec.of_layer(base, backbone, {**record, **provenance})
