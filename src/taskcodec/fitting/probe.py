"""A codec that keeps what a linear probe says of samples, although it codes a few axes alone.

    u --analysis--> z --synthesis--> u'      what a probe w says of a sample is off by  o = (u' - u) w
    z - o c           c: the least change of latents by which the probe says again what it said

A codec of leading axes drops all others, and with them a good part of what a probe looks at. The encoder alone can mend
that: its map becomes an oblique projection onto the same axes, along directions that the probe does not see. Decoders
know nothing of it; a latent is a little larger, and the squared error with it.
"""

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from taskcodec.codec import Codec
from taskcodec.entropy_models.empirical import sketch
from taskcodec.errors import MismatchError, UsageError
from taskcodec.fitting.closed_form.leading import Array64
from taskcodec.fitting.closed_form.outliers import without_outliers
from taskcodec.fitting.closed_form.rate import search_step, uniform_of
from taskcodec.samples import as_features
from taskcodec.transforms.affine import AffineTransform
from taskcodec.transforms.companding import compand

MOST_ERROR = 0.1
"""The change adds at most such a share to the squared error: of many outputs and few axes it mends only so much."""
SOFTER, SOFTEST = 4.0, 24
"""By such a factor the weight of the change grows, and so often, until it does not."""
EXACT = 1e-3
"""Its weight at first, as a share of the mean square that the probe sees along axes."""


def keeping(codec: Codec, features: npt.ArrayLike, weights: npt.ArrayLike) -> Codec:
    """The codec at its rate, with an encoder that keeps what a linear probe says: features @ weights.

    Args:
        codec: of one layer of leading axes, as `taskcodec.fit` makes it.
        features: (n, d) samples like those that it will code.
        weights: (d, m) of the probe, or (d,) of one output. Trained on samples that nobody will judge the codec by.

    Raises:
        UsageError: a codec of features as they are, of several layers, with a network or conditional tables; or
            weights that are all 0.
        MismatchError: weights or features of another dimension, or that are not finite.
    """
    transform = codec.base.transform
    if len(codec.layers) > 1 or not isinstance(transform, AffineTransform) or codec.base.model.plain is None:
        raise UsageError("--probe: only codecs of one layer that were fitted in closed form keep what a probe says")
    if transform.axes is None and transform.analysis_matrix is None:
        raise UsageError(
            "--probe: features as they are lose no axis; ask for fewer bits (--bits), or --method bottleneck"
        )
    quantizer, x = uniform_of(codec), without_outliers(as_features(features))
    w = np.asarray(weights, dtype=np.float64)
    w = w[:, None] if w.ndim == 1 else w
    if w.ndim != 2 or w.shape[0] != codec.dimension or not np.isfinite(w).all():
        raise MismatchError(f"--probe: expected finite weights of shape ({codec.dimension}, outputs), found {w.shape}")
    if not w.any():
        raise UsageError("--probe: all its weights are 0")
    changed = _oblique(transform, compand(x, transform.companding), w)
    latent = changed.analyse(x)
    frozen = search_step(latent, codec.rate_of(x), quantizer.step, quantizer.rounding)[1]
    size = len(codec.base.sketch)
    density = sketch(latent, size) if size else codec.base.sketch
    base = replace(codec.base, transform=changed, quantizer=frozen.quantizer, model=frozen.model, sketch=density)
    return codec.with_base(base, provenance={**codec.provenance, "probe": w.shape[1]})


def _oblique(transform: AffineTransform, companded: npt.NDArray[np.float32], weights: Array64) -> AffineTransform:
    """With another analysis: (n, d) companded samples, (d, m) weights of features."""
    analysis, synthesis = _matrices(transform)
    if transform.companding == "sqrt":  # how scores follow roots, in the mean over samples
        weights = 2 * companded.mean(axis=0, dtype=np.float64)[:, None] * weights
    weights = weights / np.linalg.norm(weights)
    away = companded - transform.centre.astype(np.float64)
    dropped = away @ analysis @ synthesis - away
    seen, missed = (transform.scale[:, None] * synthesis) @ weights, dropped @ weights
    gram = seen.T @ seen
    size, error = EXACT * np.trace(gram) / len(gram), float((dropped**2).sum())
    for _ in range(SOFTEST):
        onto = np.linalg.solve(gram + size * np.eye(len(gram)), seen.T) * transform.scale
        if float(((missed @ onto @ synthesis) ** 2).sum()) <= MOST_ERROR * error:
            break
        size *= SOFTER
    analysis = analysis - (analysis @ (synthesis @ weights) - weights) @ onto
    rounded = [matrix.astype(np.float16, order="C").astype(np.float32) for matrix in (analysis, synthesis)]
    return replace(transform, axes=None, analysis_matrix=rounded[0], synthesis_matrix=rounded[1])


def _matrices(transform: AffineTransform) -> tuple[Array64, Array64]:
    """Analysis (d, k) and synthesis (k, d)."""
    found = (
        (transform.analysis_matrix, transform.synthesis_matrix)
        if transform.axes is None
        else (transform.axes.analysis, transform.axes.synthesis)
    )
    assert found[0] is not None
    assert found[1] is not None
    return found[0].astype(np.float64), found[1].astype(np.float64)
