"""What symbols tell of latent variables, in integers: messages up the trees, renormalised after every factor.

Numbers are whole, in float64, so that products go to any BLAS: each stays below 2**53, hence exact, whatever the order,
threads or machine. Scaling is by powers of two, and rounding down.
"""

import numpy as np
import numpy.typing as npt

from taskcodec.coding.models.latent.forest import Forest

WEIGHT_BITS = 26
"""Messages are at most 2**WEIGHT_BITS: a product of two is exact, and so is a sum of K with counts of 16 bits."""
Whole = npt.NDArray[np.float64]


def inner_messages(forest: Forest, transition: Whole, likelihood: Whole) -> Whole:
    """What lies in and below each variable tells of it.

    Args:
        forest: which depends on which.
        transition: (m - roots, K, K) counts, parents in rows.
        likelihood: (c, n, K) counts of each row's symbols.

    Returns:
        (m, n, K) whole numbers from 1 to 2**WEIGHT_BITS, in proportion.
    """
    roots, (_, n, k) = forest.levels[0].stop, likelihood.shape
    inner = np.ones((forest.latents, n, k))
    for columns, owners in forest.emitted:
        inner[owners] = _scaled(inner[owners] * likelihood[columns])
    for level, merged in zip(forest.levels[:0:-1], forest.merged[:0:-1], strict=True):
        own = slice(level.start - roots, level.stop - roots)
        told = _scaled(inner[level] @ transition[own].transpose(0, 2, 1))
        for children, parents in merged:
            inner[parents] = _scaled(inner[parents] * told[children - level.start])
    return inner


def _scaled(weights: Whole) -> Whole:
    """Whole numbers (..., K) -> the same times a power of two, rounded down, the largest of WEIGHT_BITS bits."""
    exponent = np.frexp(weights.max(axis=-1, keepdims=True))[1]
    found = np.ldexp(weights, WEIGHT_BITS - exponent)
    np.floor(found, out=found)
    return np.asarray(np.maximum(found, 1.0, out=found))
