"""Bits-back coding (Townsend, Bird and Barber, "Practical lossless compression with latent variables using bits back
coding", ICLR 2019, section 2): what a model with latent variables z gives x costs, at the price of coding z and x.

    push:  pop z by q(z|x),  push x by p(x|z),  push z by p(z)         pop:  the inverse of each, in the other order

The coder is a stack. What is popped is bits of what was coded before, and comes back when the row is decoded: a row
takes log q(z|x) - log p(x|z) - log p(z) bits net, in the mean -log p(x) where q is the posterior.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Protocol

import numpy as np

from taskcodec.coding.symbol_model import Bits, Given, Symbols


class Part(Protocol):
    """What pushes and pops symbols given others, as every `SymbolModel` does."""

    def push(self, coder: Any, symbols: Symbols, given: Given = ()) -> None: ...
    def pop(self, coder: Any, shape: Sequence[int], given: Given = ()) -> Symbols: ...
    def code_length(self, symbols: Symbols, given: Given = ()) -> Bits: ...


class Posterior(Part, Protocol):
    """The same of latent variables given symbols, which also knows the likeliest."""

    def best(self, given: Given) -> Symbols: ...


MOST_GROWTH = 64


@dataclass(frozen=True, eq=False)
class BitsBack:
    """See the module. Several rows are coded at once: then all of their z are popped before one row is pushed.

    Attributes:
        prior: of z.
        likelihood: of x given z.
        posterior: of z given x; both coders must compute the same, so it is integers. It need not be exact.
        latents: m, how many there are.
        growth: of a chain, how many rows may follow for each 64 before them: 1 to 64.
    """

    prior: Part
    likelihood: Part
    posterior: Posterior
    latents: int
    growth: int = MOST_GROWTH

    def push(self, coder: Any, x: Symbols) -> None:
        """Push (n, c) symbols."""
        z = self.posterior.pop(coder, (len(x), self.latents), [x])
        self.likelihood.push(coder, x, [z])
        self.prior.push(coder, z)

    def pop(self, coder: Any, shape: Sequence[int]) -> Symbols:
        """Invert `push`."""
        z = self.prior.pop(coder, (shape[0], self.latents))
        x = self.likelihood.pop(coder, shape, [z])
        self.posterior.push(coder, z, [x])
        return x

    def push_first(self, coder: Any, x: Symbols) -> None:
        """Push rows that have nothing before them to take bits from: z is the likeliest."""
        z = self.posterior.best([x])
        self.likelihood.push(coder, x, [z])
        self.prior.push(coder, z)

    def pop_first(self, coder: Any, shape: Sequence[int]) -> Symbols:
        """Invert `push_first`."""
        z = self.prior.pop(coder, (shape[0], self.latents))
        return self.likelihood.pop(coder, shape, [z])

    def net_bits(self, x: Symbols, z: Symbols) -> Bits:
        """(n,) what rows take with these z, bits that came back taken off."""
        spent = self.likelihood.code_length(x, [z]) + self.prior.code_length(z)
        return np.asarray(spent - self.posterior.code_length(z, [x]))


def push_chain(coder: Any, x: Symbols, model: BitsBack) -> None:
    """Push (n, c) symbols, n of any size: the first rows give bits to the next, all of these to more, and so on.

    So no bits are needed from elsewhere but what the first rows take beyond -log p: they are in what is written. How
    many rows z can be popped for at once depends on what a row leaves net for what its z take: `growth`. Where that is
    too large the coder runs into its start: then some z are not drawn, but follow from zeros, and cost what they cost.
    """
    first, *later = _runs(len(x), model.growth) or [slice(0, 0)]
    model.push_first(coder, x[first])
    for rows in later:
        model.push(coder, x[rows])


def pop_chain(coder: Any, shape: Sequence[int], model: BitsBack) -> Symbols:
    """Invert `push_chain`."""
    first, *later = _runs(shape[0], model.growth) or [slice(0, 0)]
    found = np.empty(tuple(shape), np.int32)
    for rows in reversed(later):
        found[rows] = model.pop(coder, (rows.stop - rows.start, *shape[1:]))
    found[first] = model.pop_first(coder, (first.stop - first.start, *shape[1:]))
    return found


def _runs(count: int, growth: int) -> list[slice]:
    """The first row, or two where others cannot follow as fast, and then as many for all before as growth says."""
    ends = [0, min(1 if growth == MOST_GROWTH else 2, count)] if count else [0]
    while ends[-1] < count:
        ends.append(min(ends[-1] + max(ends[-1] * growth // MOST_GROWTH, 1), count))
    return [slice(a, b) for a, b in pairwise(ends)]
