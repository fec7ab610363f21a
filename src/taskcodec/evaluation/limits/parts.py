"""What fits codecs and bounds, and what measures both."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from taskcodec.errors import SourceError
from taskcodec.theory.limits.copies import numbered
from taskcodec.theory.limits.laws import Floats
from taskcodec.transforms.companding import CompandingKind, choose_companding, compand

Features = npt.NDArray[np.float32]

FEWEST = 16
"""Samples that differ."""
FITTED = 0.75


@dataclass(frozen=True, eq=False)
class Parts:
    """What is fitted and what is held out, as features and in the domain of errors.

    Attributes:
        first: (n,) whether a sample is among those that fit.
        fitted, held: features.
        learned, tested: the same in the domain of errors.
        companding: into that domain.
    """

    first: npt.NDArray[np.bool_]
    fitted: Features
    held: Features
    learned: Floats
    tested: Floats
    companding: CompandingKind

    def errors(self, decoded: Features) -> Floats:
        """(n,) squared errors of what came back of the samples held out, summed over features."""
        return np.asarray(((self.tested - compand(decoded, self.companding)) ** 2).sum(axis=1))


def split(name: str, x: Features, companded: bool, seed: int) -> Parts:
    """By samples that differ: copies of one lie on one side. Raises SourceError where there are too few."""
    own = numbered(x)
    count = int(own.max()) + 1
    if count < FEWEST:
        raise SourceError(f"{name}: limits need {FEWEST} samples or more that differ, found {count}")
    order = np.random.default_rng(seed).permutation(count)
    first = np.isin(own, order[: math.ceil(FITTED * count)])
    companding = choose_companding(x) if companded else "identity"
    whole = compand(x, companding).astype(np.float64)
    return Parts(first, x[first], x[~first], whole[first], whole[~first], companding)
