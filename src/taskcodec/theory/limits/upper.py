"""The best law that is found for samples: fitted, chosen and refined on these alone.

    samples --3/4--> every candidate --1/4--> the one with the least F --all samples--> its law

What the bound is then evaluated on must be other samples still.
"""

from collections.abc import Callable, Iterator
from functools import cached_property

import numpy as np

from taskcodec.theory.limits.blahut_arimoto import GRID, grid_law
from taskcodec.theory.limits.closed_forms import water_level
from taskcodec.theory.limits.copies import numbered
from taskcodec.theory.limits.laws import Floats, Law, at_distortion
from taskcodec.theory.limits.mixture import GaussianMixture
from taskcodec.theory.limits.mixture_fit import Frame, MixtureOptions, fit_mixture, frame_of, one_gaussian
from taskcodec.theory.limits.particles import POINTS, descend

HELD_BACK = 4
"""Every so many-th sample chooses among laws."""
FEW_DIMENSIONS = 10
"""Up to so many features components have all axes of their own, and laws are refined by gradients."""
LEADING = 128
"""Of more features so many leading coordinates do."""
COMPONENTS, WIDE_COMPONENTS = (4, 16, 64), (4, 16)
SAMPLES_PER_COMPONENT = 20
"""Mixtures of few features and of many that are tried, where there are so many samples for each component."""
PRIORS = (0.1, 10.0)
WIDE_PRIORS = (1.0,)
"""What the common covariance counts for: few features, many."""
ROUNDS = 2
"""The slope that gives a distortion depends on the law, and it on the slope: so often one follows the other."""
FINER = 8
"""Slopes, each four times the last, at which water-filling is tried where the best law has no reproductions so near."""

Candidate = Callable[[Floats, Frame, float], Law]


class UpperBound:
    """Laws for samples (n, d), 8 or more, in double precision."""

    def __init__(self, samples: Floats) -> None:
        self.samples = samples
        numbers = numbered(samples)
        if numbers.max() < HELD_BACK:  # a source of a few values: copies are what it is made of
            numbers = np.arange(len(samples))
        back = numbers % HELD_BACK == HELD_BACK - 1
        self._learned, self._chosen_on = samples[~back], samples[back]

    @cached_property
    def frame(self) -> Frame:
        """Of all samples."""
        return frame_of(self.samples)

    @cached_property
    def _learned_frame(self) -> Frame:
        return frame_of(self._learned)

    def law_for(self, distortion: float) -> tuple[Law, float]:
        """The best law found at about this distortion, above 0, and its slope."""
        slope = 0.5 / water_level(self.frame.variances, distortion)
        candidate, learned = self._best(slope)
        for turn in range(ROUNDS):
            if turn:
                learned = candidate(self._learned, self._learned_frame, slope)
            # On samples that did not fit the law: on its own the error is less.
            near = at_distortion(learned, self._chosen_on, distortion, slope)
            if near is None:
                break
            slope = near[1]
        return candidate(self.samples, self.frame, slope), slope

    def laws_for(self, distortion: float) -> Iterator[tuple[Law, float]]:
        """The best law and its slope; then others, for samples that are further from all of its reproductions."""
        law, slope = self.law_for(distortion)
        yield law, slope
        for _ in range(FINER):
            yield one_gaussian(self.frame, slope), slope
            slope *= 4

    def _best(self, slope: float) -> tuple[Candidate, Law]:
        """The candidate that is best on samples held back from it, and its law."""

        def nats(fitted: tuple[Candidate, Law]) -> float:
            return float(fitted[1].scores(self._chosen_on, slope).nats.mean())

        return min(((one, one(self._learned, self._learned_frame, slope)) for one in self._candidates()), key=nats)

    def _candidates(self) -> list[Candidate]:
        n, d = self._learned.shape
        few = d <= FEW_DIMENSIONS
        found: list[Candidate] = [lambda x, frame, slope: one_gaussian(frame, slope)]
        for components in COMPONENTS if few else WIDE_COMPONENTS:
            if components * SAMPLES_PER_COMPONENT <= n:
                for prior in PRIORS if few else WIDE_PRIORS:
                    found.append(_mixture(MixtureOptions(components, d if few else min(LEADING, d), prior)))
        if few and n >= POINTS:
            found.append(_moved)
        if d in GRID:
            found.append(lambda x, frame, slope: grid_law(x, slope))
        return found


def _mixture(options: MixtureOptions) -> Candidate:
    def fitted(x: Floats, frame: Frame, slope: float) -> GaussianMixture:
        return fit_mixture(x, frame, slope, options)

    return fitted


def _moved(x: Floats, frame: Frame, slope: float) -> Law:
    """Points that start where a mixture has its reproductions."""
    mixture = fit_mixture(x, frame, slope, MixtureOptions(COMPONENTS[1], x.shape[1], PRIORS[0]))
    return descend(x, slope, mixture.draw(POINTS, seed=0))
