"""Tables and reconstruction points from samples of the latent.

Each column's symbols are counted and smoothed by a two-sided geometric density of the same location and spread, so
that every symbol near the data keeps a positive probability; what lies farther goes through the table's escape.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from taskcodec.coding import DependentTables, SharedTables, SymbolModel, Tables, freeze_pmf
from taskcodec.coding.models.tables import TOTAL
from taskcodec.coding.trellis import Trellis
from taskcodec.quantization.uniform import Latent, Runs, Symbols, UniformQuantizer, quantize

PRIOR_WEIGHT = 4.0
"""How many samples the smoothing density counts for."""
POINT_WEIGHT = 2.0
"""How many samples at symbol * step each reconstruction point starts from."""
MARGIN = 2
"""In-range symbols kept beyond the smallest and largest seen."""
SHARED_TABLES = 32
"""Tables that columns share, at most: with more, other samples take as many bits (measured at 4 to 512 samples)."""
SPREAD_WEIGHT = 4.0
"""How many samples of the mean spread each column's own is shrunk by, where columns share tables."""
SURPRISE, SURPRISED = 0.5, 25
"""Of fewer samples than the second number, symbols of all columns count for so many samples in every shared table: a
column that was silent in eight samples speaks in others, and each such symbol would take 32 raw bits."""
SILENT_SPREAD = 0.02
"""Columns of less spread than this share of a step are alike."""
MAX_RANGE = 2048
"""Longest in-range run of one column's symbols; what lies outside is escaped ..."""
MAX_COUNTS = 2**24
"""... as is what would take more than about so many counts in all, which files still hold."""


@dataclass(frozen=True, eq=False)
class Frozen:
    """What coding needs at one step.

    Attributes:
        quantizer: with reconstruction points for the symbols of the tables.
        model: tables of each of k columns, or those that they share.
    """

    quantizer: UniformQuantizer
    model: Tables | SharedTables


def freeze(
    latent: Latent, step: float, rounding: float, prior: Latent | None = None, chosen: Symbols | None = None
) -> Frozen:
    """Count (n, k) samples of the latent at this step into tables and points.

    `prior`: (m, k) further samples that count for PRIOR_WEIGHT in all (the density a codec was fitted on, when the
    tables are refitted to few samples of other data). `chosen`: the samples' symbols, where they were not rounded to.
    """
    symbols = quantize(latent, step, rounding) if chosen is None else chosen
    low, high = symbols.min(axis=0), symbols.max(axis=0)
    if prior is not None:
        prior_symbols = quantize(prior, step, rounding)
        low, high = np.minimum(low, prior_symbols.min(axis=0)), np.maximum(high, prior_symbols.max(axis=0))
    reach = _reach(latent.shape[1])
    first, last = np.clip(low - MARGIN, -reach, reach - 1), np.clip(high + MARGIN, -reach, reach - 1)
    residual = latent / np.float32(step) - symbols
    columns = np.ascontiguousarray(symbols.T)
    medians = np.median(columns, axis=1)  # of all in one call: a call a column takes longer
    pmfs, points = [], []
    for j, (column, median) in enumerate(zip(columns, medians, strict=True)):
        others = None if prior is None else prior_symbols[:, j]
        pmf, point = _counted(column, residual[:, j], int(first[j]), int(last[j]), median, others)
        pmfs.append(pmf)
        points.append(point)
    tables = freeze_pmf(first.astype(np.int32), pmfs, 0.25 / (len(symbols) + PRIOR_WEIGHT))
    return Frozen(_quantizer(step, rounding, np.concatenate(points), tables), tables)


def freeze_shared(latent: Latent, step: float, rounding: float, chosen: Symbols | None = None) -> Frozen:
    """As `freeze`, with one table for all columns of about the same spread: what a few samples can tell.

    With so few, a column's own counts promise a rate that other samples do not keep, and tables and points of all
    columns take more bytes than the samples. Columns are grouped by the logarithm of their mean magnitude.
    """
    symbols = quantize(latent, step, rounding) if chosen is None else chosen
    n = len(latent)
    spread = np.abs(latent).mean(axis=0, dtype=np.float64)
    spread = (n * spread + SPREAD_WEIGHT * spread.mean()) / (n + SPREAD_WEIGHT)
    level = np.log(np.maximum(spread, SILENT_SPREAD * step))
    edges = np.linspace(level.min(), level.max(), min(n, SHARED_TABLES) + 1)[1:-1]
    group = np.searchsorted(edges, level, side="right")
    numbers, index = np.unique(group, return_inverse=True)
    residual = latent / np.float32(step) - symbols
    first, pmfs, points = [], [], []
    surprise, reach = SURPRISE / (n + SURPRISE) if n < SURPRISED else 0.0, _reach(latent.shape[1])
    every = (int(symbols.min()), int(symbols.max())) if surprise else (0, 0)
    for number in range(len(numbers)):
        values, drift = symbols[:, index == number].ravel(), residual[:, index == number].ravel()
        least, most = min(int(values.min()), every[0]), max(int(values.max()), every[1])
        low, high = (int(np.clip(end, -reach, reach - 1)) for end in (least - MARGIN, most + MARGIN))
        pmf, point = _counted(values, drift, low, high, np.median(values))
        if surprise:
            pmf = (1 - surprise) * pmf + surprise * _shares(symbols, low, high)
        first.append(low)
        pmfs.append(pmf)
        points.append(point)
    escape = 0.25 / (latent.size / len(numbers) + PRIOR_WEIGHT)
    shared = SharedTables(freeze_pmf(np.array(first, np.int32), pmfs, escape), index.astype(np.int32))
    return Frozen(_quantizer(step, rounding, shared.spread_points(np.concatenate(points)), shared.plain), shared)


def freeze_dependent(
    symbols: npt.NDArray[np.int32],
    second: npt.NDArray[np.uint8],
    trellis: Trellis,
    sharing: npt.NDArray[np.int32] | None = None,
) -> DependentTables:
    """Count (n, k) symbols into tables.

    Args:
        symbols: of samples.
        second: (n, k) 1 where one is of the second quantizer, else 0.
        trellis: the state machine.
        sharing: (k,) numbers, alike for columns that are to have one table; without it each has its own.
    """
    n, k = symbols.shape
    own = np.arange(k, dtype=np.int32) if sharing is None else sharing
    numbers, far = int(own.max()) + 1, _reach(k)
    first, pmfs, shares = [], [], []
    for number in range(numbers):
        of_it = own == number
        values, later = symbols[:, of_it], second[:, of_it] == 1
        earlier, zeros = values[~later], values[later] == 0
        low = int(np.clip(min(0, values.min()) - MARGIN, -far, far - 1))
        high = int(np.clip(max(0, values.max()) + MARGIN, -far, far - 1))
        told = earlier if earlier.size else values.ravel()
        pmf = _smoothed(told, low, high, np.median(told))
        first.append(low)
        pmfs.append(pmf)
        shares.append((zeros.sum() + PRIOR_WEIGHT * pmf[-low]) / (zeros.size + PRIOR_WEIGHT))
    escape = 0.25 / (n * k / numbers + PRIOR_WEIGHT)
    tables = freeze_pmf(np.array(first, np.int32), pmfs, escape)
    room = TOTAL - tables.counts[tables.starts[1:] - 1].astype(np.int64) - (tables.sizes - 1)
    counts = np.clip(np.rint(np.array(shares) * TOTAL), 1, room).astype(np.uint16)
    plain = tables if sharing is None else SharedTables(tables, sharing)
    return DependentTables(plain, counts, trellis)


def _quantizer(step: float, rounding: float, points: npt.NDArray[np.float64], tables: Tables) -> UniformQuantizer:
    """Points as files hold them: the codec in memory and the one read back are then the same."""
    narrow = points.astype(np.float16).astype(np.float32)
    return UniformQuantizer(float(step), rounding, narrow, Runs.of(tables, tables.columns))


def _counted(
    symbols: npt.NDArray[np.int32],
    residual: Latent,
    low: int,
    high: int,
    median: np.float64,
    prior: npt.NDArray[np.int32] | None = None,
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Probabilities and points of the symbols from low to high, as (n,) samples and what rounding took of them tell.

    `median`: of the symbols. `prior`: further symbols, whose density is half of what counts of symbols are smoothed by.
    """
    size = high - low + 1
    inside = (symbols >= low) & (symbols <= high)
    index = symbols[inside] - low
    counts = np.bincount(index, minlength=size).astype(np.float64)
    drift = np.bincount(index, weights=residual[inside], minlength=size)
    return _smoothed(symbols, low, high, median, prior), drift / (counts + POINT_WEIGHT)


def _smoothed(
    symbols: npt.NDArray[np.int32],
    low: int,
    high: int,
    median: np.float64,
    prior: npt.NDArray[np.int32] | None = None,
) -> npt.NDArray[np.float64]:
    """Probabilities of the symbols from low to high, as (n,) of them tell; the others as `_counted` takes them."""
    size = high - low + 1
    index = symbols[(symbols >= low) & (symbols <= high)] - low
    counts = np.bincount(index, minlength=size).astype(np.float64)
    spread = float(index.std()) if index.size else 0.0
    density = _geometric(symbols, median, low, size)
    if prior is not None:
        density = 0.5 * density + 0.5 * _shares(prior, low, high)
    blurred = _blur(counts, spread * len(symbols) ** -0.2)
    return np.asarray((blurred + PRIOR_WEIGHT * density) / (blurred.sum() + PRIOR_WEIGHT), dtype=np.float64)


def _shares(symbols: npt.NDArray[np.int32], low: int, high: int) -> npt.NDArray[np.float64]:
    """The share of each symbol from low to high; those beyond count for the nearest."""
    counts = np.bincount(np.clip(symbols.ravel() - low, 0, high - low), minlength=high - low + 1)
    return np.asarray(counts / symbols.size, dtype=np.float64)


def sketch_of(latent: Latent, size: int, model: SymbolModel) -> Latent:
    """As `sketch`, with one density for all columns that share a table."""
    index = model.sharing
    if index is None:
        return sketch(latent, size)
    parts = [sketch(latent[:, index == number].reshape(-1, 1), size) for number in range(int(index.max()) + 1)]
    return np.concatenate(parts, axis=1)[:, index]


def _reach(columns: int) -> int:
    """How far from 0 the runs of so many columns reach: symbols from -reach to reach - 1."""
    return max(1, min(MAX_RANGE, MAX_COUNTS // columns) // 2)


def _blur(counts: npt.NDArray[np.float64], width: float) -> npt.NDArray[np.float64]:
    """Spread counts by a Gaussian `width` symbols wide where a step is fine against the data.

    Each symbol then counts for few samples, and raw counts would promise a rate that other samples do not keep. The
    width is Silverman's (Density Estimation, 1986): spread * n^(-1/5), a little less.
    """
    if width < 1.0:
        return counts
    reach = min(int(3 * width), (len(counts) - 1) // 2)
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / (0.7 * width)) ** 2)
    return np.convolve(counts, kernel / kernel.sum(), mode="same")


def _geometric(symbols: npt.NDArray[np.int32], median: np.float64, first: int, size: int) -> npt.NDArray[np.float64]:
    location = float(np.clip(median, first, first + size - 1))  # all may lie beyond the longest table
    spread = max(float(np.abs(symbols - location).mean()), 0.15)
    density = np.exp(-np.abs(first + np.arange(size) - location) / spread)
    return np.asarray(density / density.sum(), dtype=np.float64)


def sketch(latent: Latent, size: int) -> Latent:
    """(n, k) samples -> (size, k) quantiles of each column: a density that can be quantized again at any step."""
    probabilities = np.concatenate([[0.0], (np.arange(size - 2) + 0.5) / (size - 2), [1.0]])
    largest = float(np.finfo(np.float16).max)
    quantiles = np.clip(np.quantile(latent, probabilities, axis=0), -largest, largest).astype(np.float16)
    return np.asarray(quantiles, dtype=np.float32)


def pseudo_samples(quantiles: Latent, count: int) -> Latent:
    """(size, k) quantiles -> (count, k) samples of the density between them, evenly spaced in probability."""
    size = len(quantiles)
    position = (np.arange(count) + 0.5) / count * (size - 2) + 0.5
    low = np.clip(np.floor(position).astype(np.int64), 0, size - 2)
    weight = (position - low).astype(np.float32)[:, None]
    return np.asarray((1 - weight) * quantiles[low] + weight * quantiles[low + 1], dtype=np.float32)
