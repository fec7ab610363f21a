"""Gaussian mixtures as laws of reproductions: no ceiling on the rate, and everything in closed form.

With s = 1 / (2 lambda), exp(-lambda |x - y|^2) is a Gaussian of variance s but for its constant, so

    F(x) = -log p(x) - d/2 log(2 pi s),      p = nu * N(0, s I)

and for nu = sum_k w_k N(m_k, C_k) p is a mixture with covariances C_k + s I. Fitting it to samples by likelihood, no
eigenvalue below s, is Blahut and Arimoto's descent; with one component it is reverse water-filling.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp

from taskcodec.theory.limits.laws import Floats, Scores, log_of


@dataclass(frozen=True, eq=False)
class GaussianMixture:
    """sum_k w_k N(m_k, C_k) in coordinates z = (x - centre) @ basis.

    C_k has axes of its own among the leading r coordinates, and lies along the others.

    Attributes:
        centre: (d,).
        basis: (d, d) orthonormal.
        weights: (K,).
        means: (K, d) in coordinates.
        axes: (K, r, r) orthonormal, columns.
        variances: (K, d) eigenvalues of C_k, r along the axes and then those of the other coordinates; 0 and up.
    """

    centre: Floats
    basis: Floats
    weights: Floats
    means: Floats
    axes: Floats
    variances: Floats

    @property
    def method(self) -> str:
        """As `Law.method`."""
        return "one Gaussian" if len(self.weights) == 1 else f"mixture of {len(self.weights)} Gaussians"

    def scores(self, x: Floats, slope: float) -> Scores:
        """As `Law.scores`."""
        return self.scores_of_coordinates((x - self.centre) @ self.basis, slope)

    def scores_of_coordinates(self, z: Floats, slope: float) -> Scores:
        """The same, of (n, d) coordinates."""
        s = 1 / (2 * slope)
        logs, errors = np.empty((2, len(self.weights), len(z)))
        for k, c in enumerate(self.variances):
            squares, v = self._squares(z, k), c + s
            logs[k] = -(squares @ (1 / v) + np.log(v / s).sum()) / 2
            errors[k] = s * s * (squares @ v**-2) + s * float((c / v).sum())
        logs += log_of(self.weights)[:, None]
        total = logsumexp(logs, axis=0)
        return Scores(-total, (np.exp(logs - total) * errors).sum(axis=0))

    def shares(self, z: Floats, slope: float) -> tuple[Floats, float]:
        """(n, K) shares of the components in samples of coordinates (n, d), and the mean of F."""
        s = 1 / (2 * slope)
        logs = np.empty((len(self.weights), len(z)))
        for k, c in enumerate(self.variances):
            logs[k] = -(self._squares(z, k) @ (1 / (c + s)) + np.log1p(c / s).sum()) / 2
        logs += log_of(self.weights)[:, None]
        total = logsumexp(logs, axis=0)
        return np.exp(logs - total).T, -float(total.mean())

    def _squares(self, z: Floats, k: int) -> Floats:
        """(n, d) squared distances from a component's mean, along its axes."""
        away, r = z - self.means[k], self.axes.shape[1]
        away[:, :r] = away[:, :r] @ self.axes[k]
        return np.asarray(np.square(away, out=away))

    def draw(self, count: int, seed: int) -> Floats:
        """(count, d) reproductions."""
        rng, r = np.random.default_rng(seed), self.axes.shape[1]
        which = rng.choice(len(self.weights), count, p=self.weights)
        z = rng.standard_normal((count, len(self.centre))) * np.sqrt(self.variances[which])
        z[:, :r] = np.einsum("nj,nij->ni", z[:, :r], self.axes[which])
        return np.asarray((z + self.means[which]) @ self.basis.T + self.centre)
