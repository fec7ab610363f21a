"""Shift: how far the data at hand are from those that a codec was fitted on, and whether anything should be done.

Two things can go wrong, and different things cure them.

- The TABLES expect other symbols. That costs rate and loses nothing: the mean code length is the entropy of the symbols
  plus the Kullback-Leibler divergence between their counts and the tables (Cover and Thomas, "Elements of Information
  Theory", section 5.4). Refitting the tables to the data saves that divergence.
- The transform has dropped the DIRECTIONS in which these data vary. That costs no rate and loses information, for
  every task that needs those directions. No refit brings them back; a fit on such data does.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from taskcodec.codec import Codec
from taskcodec.coding import TABLE_BITS, DependentTables
from taskcodec.coding.symbol_model import ColumnTables
from taskcodec.entropy_models.empirical import freeze
from taskcodec.errors import MismatchError
from taskcodec.fitting.closed_form.rate import MIN_ADAPT_SAMPLES
from taskcodec.transforms.affine import outside_share

MATERIAL_RATE = 0.10
"""Tables count as shifted where a refit would save this share of the rate. Unseen samples of the fitted collection
come to 0, other collections of photographs to 0.03 and 0.09, digits to 0.66 (measured, docs/shift.md)."""
MATERIAL_VARIANCE = 0.25
"""Directions count as shifted where this share more of the variance lies outside them than did on the fit data ..."""
MATERIAL_KEPT, MORE_LOST = 0.5, 0.1
"""... or where less than the first share is kept of what was kept of those, and the second more lies outside: a codec
of few axes keeps little anyway, and most of that may be gone."""
FEWEST = 8
"""So many samples tell that directions are others; of tables only MIN_ADAPT_SAMPLES do."""
SIMULATIONS = 4
TOTAL = 1 << TABLE_BITS


@dataclass(frozen=True)
class Shift:
    """Samples of some data against a codec.

    Attributes:
        samples: how many were measured.
        rate_bits: what they take, in bits a sample.
        expected_rate_bits: what symbols drawn from the tables take.
        escape_share: the share of symbols outside their tables' range (each takes 32 raw bits more).
        kl_bits: what tables made for these data would save, in bits a sample: each half of the samples coded with
            tables of the other. Of conditional tables the divergence of the symbols' counts from them, less what as
            many symbols drawn from the tables themselves would show.
        outside_share: the share of the features' variance outside the directions that the transform keeps.
        fitted_outside_share: the same on the data that the codec was fitted on.
        refitted: the codec was fitted or refitted to a store already: to a part of these data, or to what they are
            appended to.
        conditional: the codec's tables are conditional: a refit leaves them as they are.
    """

    samples: int
    rate_bits: float
    expected_rate_bits: float
    escape_share: float
    kl_bits: float
    outside_share: float
    fitted_outside_share: float
    refitted: bool = False
    conditional: bool = False

    @property
    def tables_shifted(self) -> bool:
        """The tables cost more than MATERIAL_RATE of the rate. False where the samples are too few to tell."""
        return self.samples >= MIN_ADAPT_SAMPLES and self.kl_bits > MATERIAL_RATE * self.rate_bits

    @property
    def directions_shifted(self) -> bool:
        """MATERIAL_VARIANCE more is lost than on the fit data, or most of what was kept of these.

        False where the samples are too few to tell.
        """
        lost_more = self.outside_share - self.fitted_outside_share
        little_kept = 1 - self.outside_share < MATERIAL_KEPT * (1 - self.fitted_outside_share)
        shifted = lost_more > MATERIAL_VARIANCE or (lost_more > MORE_LOST and little_kept)
        return self.samples >= FEWEST and shifted

    @property
    def warning(self) -> str | None:
        """What is wrong and what to do about it, in one line; None where nothing is."""
        if self.directions_shifted:
            return (
                f"{self.outside_share:.0%} of the variance of these features lies outside the directions that the "
                f"codec keeps ({self.fitted_outside_share:.0%} on the data it was fitted on): tasks that need it will "
                "suffer; fit a codec to these data, or use a dimensionwise one"
            )
        if not self.tables_shifted:
            return None
        excess = f"the codec's tables cost {self.kl_bits:.0f} of {self.rate_bits:.0f} bits a sample more than tables of"
        if self.conditional:
            why, cure = "was trained on other data or too shortly", "train it on such data, or for longer"
        elif self.refitted:
            why = "was made for other data or from too few samples"
            cure = "encode these into a store of their own, or fit a codec to them"
        else:
            why = "was fitted on other data or on too few samples"
            cure = "let it be refitted (--refit) or fit one to these data"
        return f"{excess} these data's own would: it {why}; {cure}"


def measure_shift(codec: Codec, features: npt.ArrayLike) -> Shift:
    """Measure (n, d) features, n >= 1, against a codec; a few thousand rows spread over the data are plenty.

    Raises:
        MismatchError: features of another dimension, none, or not finite.
    """
    x = np.asarray(features, dtype=np.float32)
    if x.ndim != 2 or not len(x):
        raise MismatchError(f"shift: expected features of shape (n >= 1, {codec.dimension}), found {x.shape}")
    base = codec.base
    symbols = codec.by_layer(codec.encode_features(x))[base.name]
    bank, counts = base.model.choices, base.model.slot_counts(symbols)
    escapes = int(counts[bank.starts[1:] - 1].sum())
    rate = float(base.model.code_length(symbols).mean())
    plain = base.model.plain is not None
    share, used = bank.counts / TOTAL, _used(bank, counts)
    own = _held_out_bits(symbols) if plain else (_entropy_bits(bank, counts) + _chance_bits(bank, used)) / len(x)
    table_bits = -np.add.reduceat(share * np.log2(share), bank.starts[:-1])
    return Shift(
        samples=len(x),
        rate_bits=rate,
        expected_rate_bits=float((used * table_bits).sum() / len(x)),
        escape_share=escapes / symbols.size,
        kl_bits=max(0.0, rate - own),
        outside_share=outside_share(base.transform.affine, x),
        fitted_outside_share=_fitted_outside_share(codec),
        refitted="adapted_from" in codec.provenance or codec.provenance.get("fitted") is True,
        conditional=not plain and not isinstance(base.model, DependentTables),
    )


def _used(bank: ColumnTables, counts: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """How many symbols were coded with each table of the bank, from the counts of all its slots."""
    return np.asarray(np.add.reduceat(counts, bank.starts[:-1]))


def _held_out_bits(symbols: npt.NDArray[np.int32]) -> float:
    """Bits a sample of (n, k) symbols with tables of their own: each half is coded with tables frozen from the other.

    The entropy of the counts would promise what no tables keep: at a fine step each symbol is seen once, and those
    beyond the longest table cost 32 raw bits whatever the tables.
    """
    if len(symbols) < 2:
        return math.inf  # nothing to learn from
    halves = symbols[::2], symbols[1::2]
    tables = [freeze(half.astype(np.float32), 1.0, 0.5).model for half in halves]
    found = [table.code_length(half).sum() for table, half in zip(tables, reversed(halves), strict=True)]
    return float(sum(found) / len(symbols))


def _entropy_bits(bank: ColumnTables, counts: npt.NDArray[np.int64]) -> float:
    """Empirical entropy of the slots of each table, times the symbols coded with it, summed over the tables."""
    seen = counts > 0
    share = counts[seen] / np.repeat(_used(bank, counts), np.diff(bank.starts))[seen]
    return float(-(counts[seen] * np.log2(share)).sum())


def _chance_bits(bank: ColumnTables, used: npt.NDArray[np.int64]) -> float:
    """The divergence that symbols drawn from the tables show by chance, in bits; `used` symbols from each.

    About (size - 1) / (2 ln 2) for each table (Miller 1955); simulated, because most slots of a table expect less
    than one of few symbols, where that formula overstates it.
    """
    generator = np.random.default_rng(0)
    columns = [bank.column(j) / TOTAL for j in range(bank.columns)]
    length = TABLE_BITS - np.log2(bank.counts)
    found = []
    for _ in range(SIMULATIONS):
        drawn = [generator.multinomial(count, column) for count, column in zip(used.tolist(), columns, strict=True)]
        counts = np.concatenate(drawn)
        found.append(float((counts * length).sum()) - _entropy_bits(bank, counts))
    return float(np.mean(found))


def _fitted_outside_share(codec: Codec) -> float:
    """As recorded by the fit; 0 for codecs that keep every direction and for those that do not say."""
    value = codec.provenance.get("outside_share", 0.0)
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else 0.0


class ShiftWatch:
    """Measures shift while a source is encoded: keeps between ROWS and 2 * ROWS rows, evenly spread over it.

    Call it with each part, then ask `measure`.
    """

    ROWS = 2048

    def __init__(self) -> None:
        self.codec: Codec | None = None
        self.kept = np.empty((0, 0), np.float32)
        self.stride, self.seen = 1, 0

    def __call__(self, codec: Codec, features: npt.NDArray[np.float32]) -> None:
        """Take note of the next (n, d) features, and of the codec that codes them."""
        self.take(codec, len(features), features[self.wanted(len(features))])

    def wanted(self, count: int) -> slice:
        """Which of the next `count` rows are kept: all that `take` needs of them."""
        stride = self._stride_after(count)
        return slice(-self.seen % stride, count, stride)

    def take(self, codec: Codec, count: int, part: npt.NDArray[np.float32]) -> None:
        """As a call with the next `count` features, of which only those `wanted` are at hand."""
        self.codec, stride = codec, self._stride_after(count)
        self.kept, self.stride = self.kept[:: stride // self.stride], stride
        self.seen += count
        if len(part):
            self.kept = np.concatenate([self.kept, part]) if len(self.kept) else part

    def _stride_after(self, count: int) -> int:
        stride = self.stride
        while -(-(self.seen + count) // stride) > 2 * self.ROWS:
            stride *= 2
        return stride

    def measure(self) -> Shift | None:
        """The shift of what was seen; None where nothing was."""
        return measure_shift(self.codec, self.kept) if self.codec is not None and len(self.kept) else None
