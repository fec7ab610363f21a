"""Tables of dependent quantization from symbols that were chosen: the first quantizer's, and zero of the second."""

import numpy as np
import numpy.typing as npt

from taskcodec.coding import DependentTables, SharedTables, freeze_pmf
from taskcodec.coding.models.tables import TOTAL
from taskcodec.coding.trellis import Trellis
from taskcodec.entropy_models.empirical import MARGIN, PRIOR_WEIGHT, reach_of, smoothed

Symbols = npt.NDArray[np.int32]


def freeze_dependent(
    symbols: Symbols, second: npt.NDArray[np.uint8], trellis: Trellis, sharing: Symbols | None = None
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
    numbers, far = int(own.max()) + 1, reach_of(k)
    first, pmfs, shares = [], [], []
    for number in range(numbers):
        of_it = own == number
        values, later = symbols[:, of_it], second[:, of_it] == 1
        earlier, zeros = values[~later], values[later] == 0
        low = int(np.clip(min(0, values.min()) - MARGIN, -far, far - 1))
        high = int(np.clip(max(0, values.max()) + MARGIN, -far, far - 1))
        pmf = smoothed(earlier if earlier.size else values.ravel(), low, high)
        first.append(low)
        pmfs.append(pmf)
        shares.append((zeros.sum() + PRIOR_WEIGHT * pmf[-low]) / (zeros.size + PRIOR_WEIGHT))
    escape = 0.25 / (n * k / numbers + PRIOR_WEIGHT)
    tables = freeze_pmf(np.array(first, np.int32), pmfs, escape)
    room = TOTAL - tables.counts[tables.starts[1:] - 1].astype(np.int64) - (tables.sizes - 1)
    counts = np.clip(np.rint(np.array(shares) * TOTAL), 1, room).astype(np.uint16)
    plain = tables if sharing is None else SharedTables(tables, sharing)
    return DependentTables(plain, counts, trellis)
