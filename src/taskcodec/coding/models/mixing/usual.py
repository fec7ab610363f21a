"""The weights that contexts have where nothing else was fitted: a codec ships how its own differ from these.

They are part of the format. They were fitted once, to eight tables together, for four contexts of one column, three of
two and two of three beside the one of none.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from taskcodec.coding.models.mixing.columns import BUCKETS, WEIGHT_BITS, Context

_FITTED = np.array(
    [
        [6, 6, 6, 15, 13, 15, 18, 19, 36, 36, 6, 27, 30, 30, 40, 44, 44, 50, 50, 50],
        [6, 6, 6, -5, -5, -3, -1, 2, 2, 3, 6, -4, -3, 0, 3, 9, 12, 10, 10, 16],
        [6, 6, 6, 3, 3, 6, 11, 11, 13, 13, 6, 5, 7, 7, 9, 9, 9, 9, 9, 9],
        [6, 6, 6, 7, 8, 6, 2, 1, 0, 0, 6, 4, 2, 0, 1, 3, 7, 7, 7, 7],
    ],
    np.int64,
)
"""By how many columns a context is of, 3 for more."""
_TOGETHER = (1, 4, 3, 2)


def usual_weights(contexts: Sequence[Context]) -> npt.NDArray[np.int64]:
    """(contexts, BUCKETS) weights in units of 2**-WEIGHT_BITS."""
    if len(contexts) == 1:
        return np.full((1, BUCKETS), 1 << WEIGHT_BITS, np.int64)
    kinds = [min(len(context), len(_FITTED) - 1) for context in contexts]
    return np.stack([_FITTED[kind] * _TOGETHER[kind] // kinds.count(kind) for kind in kinds])
