"""Bits-back coding (Townsend, Bird and Barber, "Practical lossless compression with latent variables using bits back
coding", ICLR 2019, section 2): what a model with latent variables z gives x costs, at the price of coding z and x.

    push:  pop z by q(z|x),  push x by p(x|z),  push z by p(z)         pop:  the inverse of each, in the other order

The coder is a stack. What is popped is bits of what was coded before, and comes back when the row is decoded: a row
takes log q(z|x) - log p(x|z) - log p(z) bits net, in the mean -log p(x) where q is the posterior.

z may be coded by bits-back itself, with latent variables above it, and so on: a prior is whatever pushes and pops.
Bits of a level are then pushed before those of the next are popped (Kingma, Abbeel, Ho, "Bit-Swap", ICML 2019).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Protocol

import constriction
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

    It is a `Part` itself.

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

    def push(self, coder: Any, symbols: Symbols, given: Given = ()) -> None:
        """Push x: (n, c) symbols."""
        z = self.posterior.pop(coder, (len(symbols), self.latents), [symbols])
        self.likelihood.push(coder, symbols, [z])
        self.prior.push(coder, z)

    def pop(self, coder: Any, shape: Sequence[int], given: Given = ()) -> Symbols:
        """Invert `push`."""
        z = self.prior.pop(coder, (shape[0], self.latents))
        x = self.likelihood.pop(coder, shape, [z])
        self.posterior.push(coder, z, [x])
        return x

    @property
    def first(self) -> "BitsBack":
        """The same for rows that have nothing before them to take bits from: all latent variables are the likeliest."""
        prior = self.prior.first if isinstance(self.prior, BitsBack) else self.prior
        return replace(self, prior=prior, posterior=_Likeliest(self.posterior))

    def code_length(self, symbols: Symbols, given: Given = ()) -> Bits:
        """(n, c) symbols -> (n,) what they take net, by z that chance draws: always the same chance."""
        return self.net_bits(symbols, self.drawn(symbols))

    def drawn(self, x: Symbols) -> Symbols:
        """(n, m) z that chance draws for (n, c) symbols."""
        words = np.random.default_rng(0).integers(1, 2**32, len(x) * self.latents + 1, dtype=np.uint32)
        return self.posterior.pop(constriction.stream.stack.AnsCoder(words), (len(x), self.latents), [x])

    def net_bits(self, x: Symbols, z: Symbols) -> Bits:
        """(n,) what x takes with these z, bits that came back taken off."""
        spent = self.likelihood.code_length(x, [z]) + self.prior.code_length(z)
        return np.asarray(spent - self.posterior.code_length(z, [x]))


@dataclass(frozen=True, eq=False)
class _Likeliest:
    """A posterior without chance: z is the likeliest, and neither takes bits nor gives them."""

    of: Posterior

    def push(self, coder: Any, symbols: Symbols, given: Given = ()) -> None:
        pass

    def pop(self, coder: Any, shape: Sequence[int], given: Given = ()) -> Symbols:
        return self.best(given)

    def code_length(self, symbols: Symbols, given: Given = ()) -> Bits:
        return np.zeros(len(symbols))

    def best(self, given: Given) -> Symbols:
        return self.of.best(given)


def push_chain(coder: Any, x: Symbols, model: BitsBack) -> None:
    """Push (n, c) symbols, n of any size: the first rows give bits to the next, all of these to more, and so on.

    So no bits are needed from elsewhere but what the first rows take beyond -log p: they are in what is written. How
    many rows z can be popped for at once depends on what a row leaves net for what its z take: `growth`. Where that is
    too large the coder runs into its start: then some z are not drawn, but follow from zeros, and cost what they cost.
    """
    first, *later = _runs(len(x), model.growth) or [slice(0, 0)]
    model.first.push(coder, x[first])
    for rows in later:
        model.push(coder, x[rows])


def pop_chain(coder: Any, shape: Sequence[int], model: BitsBack) -> Symbols:
    """Invert `push_chain`."""
    first, *later = _runs(shape[0], model.growth) or [slice(0, 0)]
    found = np.empty(tuple(shape), np.int32)
    for rows in reversed(later):
        found[rows] = model.pop(coder, (rows.stop - rows.start, *shape[1:]))
    found[first] = model.first.pop(coder, (first.stop - first.start, *shape[1:]))
    return found


def _runs(count: int, growth: int) -> list[slice]:
    """The first row, or two where others cannot follow as fast, and then as many for all before as growth says."""
    ends = [0, min(1 if growth == MOST_GROWTH else 2, count)] if count else [0]
    while ends[-1] < count:
        ends.append(min(ends[-1] + max(ends[-1] * growth // MOST_GROWTH, 1), count))
    return [slice(a, b) for a, b in pairwise(ends)]
