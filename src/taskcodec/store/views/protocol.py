"""What a view of a store, as a data frame or a torch data set, needs of it."""

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from taskcodec.store.format.manifest import Manifest


class Readable(Protocol):
    """Rows that decode as they are indexed, and what is known of each."""

    def __len__(self) -> int: ...
    @property
    def manifest(self) -> Manifest: ...
    @property
    def features(self) -> Any: ...
    @property
    def ids(self) -> npt.NDArray[Any]: ...
    @property
    def labels(self) -> npt.NDArray[Any] | None: ...
    @property
    def numeric_labels(self) -> npt.NDArray[np.float64]: ...
    def to_numpy(self) -> npt.NDArray[np.float32]: ...
