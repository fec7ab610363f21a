"""The least bytes at which a task loses no more than so much, with an interval over pictures; and ratios of them.

Settings of a codec make a line of quality over bytes, along those that no cheaper one equals; between two of them
quality is linear in the logarithm of bytes. Pictures are drawn, the same for all codecs; what is averaged over classes
is biased in a draw, so that the draws' spread is set at the measured value.
"""

from dataclasses import dataclass

import numpy as np

LOSS = 0.02
DRAWS = 1000


@dataclass(frozen=True, eq=False)
class Line:
    """A codec's settings, first as measured, then in each draw. sizes, losses: (settings, 1 + draws), mean bytes a
    picture and what the task loses."""

    settings: tuple
    sizes: np.ndarray
    losses: np.ndarray

    def least(self):
        """(1 + draws,) bytes; infinite where no setting is good enough."""
        return np.array([crossing(*columns, LOSS) for columns in zip(self.sizes.T, self.losses.T, strict=True)])

    def sure(self):
        """Bytes of the cheapest setting whose loss is within the limit in 39 of 40 draws; None where none is."""
        good = [
            size
            for size, losses in zip(self.sizes[:, 0], self.losses, strict=True)
            if np.quantile(losses[1:], 0.975) <= LOSS
        ]
        return min(good, default=None)


def line(reads, original, reader, payload=False):
    """The `Line` of one codec's `Read`s."""
    weights = drawn(len(original.sizes))
    raw = in_draws(original.scores[reader], weights)
    sizes = np.array([weights @ (each.payloads if payload else each.sizes) for each in reads]) / weights.sum(axis=1)
    losses = np.array([raw - in_draws(each.scores[reader], weights) for each in reads])
    losses[:, 1:] += losses[:, :1] - losses[:, 1:].mean(axis=1, keepdims=True)
    return Line(tuple(each.setting for each in reads), sizes, losses)


def drawn(pictures):
    """(1 + DRAWS, pictures) how often each picture counts: once, then as drawn."""
    draws = np.random.default_rng(0).multinomial(pictures, np.full(pictures, 1 / pictures), size=DRAWS)
    return np.concatenate([np.ones((1, pictures), int), draws])


def in_draws(scores, weights):
    """(1 + draws,) with the value that its package gives first."""
    return np.concatenate([[scores.value], scores.values(weights[1:])])


def crossing(sizes, losses, limit):
    """Bytes at which a line comes within the limit; those of its cheapest setting where that is within."""
    places = front(sizes, losses)
    for number, place in enumerate(places):
        if losses[place] <= limit:
            if number == 0:
                return sizes[place]
            before = places[number - 1]
            share = (losses[before] - limit) / (losses[before] - losses[place])
            return float(np.exp((1 - share) * np.log(sizes[before]) + share * np.log(sizes[place])))
    return np.inf


def front(sizes, losses):
    """Places of the settings that no cheaper one equals, the cheapest first."""
    kept, lowest = [], np.inf
    for place in np.lexsort((losses, sizes)):
        if losses[place] < lowest:
            kept.append(int(place))
            lowest = losses[place]
    return kept


def told(values):
    """Of (1 + draws,): the value with its interval of 95 %; None stands for infinite."""
    low, high = np.quantile(values[1:], [0.025, 0.975], method="nearest")
    names = ("value", "low", "high")
    return {name: float(v) if np.isfinite(v) else None for name, v in zip(names, (values[0], low, high), strict=True)}
