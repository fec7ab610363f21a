"""A store as a data frame. The only module of this floor that imports pandas; it is imported when asked for."""

from typing import Any

import numpy as np
import pandas as pd

from taskcodec.store.views.protocol import Readable


def data_frame(store: Readable) -> Any:
    """See `Store.to_pandas`."""
    frame = pd.DataFrame(store.to_numpy(), columns=[str(number) for number in range(store.manifest.dimension)])
    frame.insert(0, "id", store.ids.astype(object))
    frame.insert(1, "label", np.full(len(store), None) if store.labels is None else store.labels)
    return frame
