"""Covariances of features, and their leading principal axes."""

import numpy as np
import numpy.typing as npt

Array64 = npt.NDArray[np.float64]

SHRINKAGE_SAMPLES = 0.1
"""The covariance of n samples of d features is shrunk to its diagonal with weight d c / (n + d c), c this number."""
ITERATIONS = 4
"""Of the subspace: those axes that a codec keeps, the first third, then capture all but 1e-5 of their variance."""
RIDGE = 1e-10
"""Share of the largest number on a Gram matrix's diagonal added to it: some directions may have no variance."""


def covariance_of(x: npt.NDArray[np.float32]) -> Array64:
    """(n, d) -> (d, d), double precision."""
    centred = x.astype(np.float64) - x.mean(axis=0, dtype=np.float64)
    return np.asarray(centred.T @ centred / max(len(x) - 1, 1))


def shrink(covariance: Array64, samples: int) -> Array64:
    """Shrink the covariance of few samples to its diagonal, so that directions never seen keep a variance."""
    d = len(covariance)
    weight = d * SHRINKAGE_SAMPLES / (samples + d * SHRINKAGE_SAMPLES)
    return np.asarray((1 - weight) * covariance + weight * np.diag(np.diag(covariance)))


def leading_axes(covariance: Array64, count: int) -> tuple[Array64, Array64]:
    """Variances (k,) rising and principal axes (d, k) of a covariance (d, d), k = `count` or d where that is not less.

    Of many features a few axes come several times quicker by iterating a subspace (Halko, Martinsson, Tropp, "Finding
    structure with randomness", 2011, algorithm 4.4); it starts from the same numbers each time. Its last axes are not
    exact: ask for more than are needed.
    """
    d = len(covariance)
    if 2 * count >= d:
        values, vectors = np.linalg.eigh(covariance)
        return values[-count:], vectors[:, -count:]
    basis = np.random.default_rng(0).standard_normal((d, count))
    for _ in range(ITERATIONS):
        basis = _orthonormal(covariance @ basis)
    basis = np.linalg.qr(basis)[0]  # what the Gram matrix has lost, where variances fall far
    values, turn = np.linalg.eigh(basis.T @ covariance @ basis)
    return values, basis @ turn


def _orthonormal(basis: Array64) -> Array64:
    """Orthonormal columns of the same span, by a Cholesky factor of their Gram matrix: all of it matrix products."""
    gram = basis.T @ basis
    gram[np.diag_indices_from(gram)] += RIDGE * max(float(gram.diagonal().max()), np.finfo(np.float64).tiny)
    return np.asarray(np.linalg.solve(np.linalg.cholesky(gram), basis.T).T)
