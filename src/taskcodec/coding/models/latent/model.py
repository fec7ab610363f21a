"""What all models whose rows are coded by bits-back have in common: a row is coded as a whole."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from taskcodec.coding.models.latent.bits_back import BitsBack, pop_chain
from taskcodec.coding.symbol_model import Bits, Given, SymbolModel, Symbols
from taskcodec.errors import UsageError


class LatentModel(SymbolModel):
    """A model with latent variables."""

    def __getstate__(self) -> dict[str, Any]:
        # What is made of the rest is made again.
        return {name: value for name, value in vars(self).items() if name != "bits_back"}

    @property
    @abstractmethod
    def bits_back(self) -> BitsBack:
        """What codes rows."""

    def pop(self, coder: Any, shape: Sequence[int], given: Given = ()) -> Symbols:
        """Invert `push`, which chains rows: see `push_chain`."""
        return pop_chain(coder, shape, self.bits_back)

    def costs(self, symbols: npt.ArrayLike, given: Given = ()) -> Bits:
        """A row's symbols are coded together. Raises UsageError."""
        raise UsageError("a model with latent variables codes a row as a whole: its symbols have no costs of their own")

    def slot_counts(self, symbols: npt.ArrayLike, given: Given = ()) -> npt.NDArray[np.int64]:
        """Which tables code a row is drawn. Raises UsageError."""
        raise UsageError("a model with latent variables draws the tables that it codes by: they have no counts")
