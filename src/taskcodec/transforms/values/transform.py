"""What turns the values of samples into whole numbers, a row each, and gives these very values back.

    values of n samples --to_symbols--> symbols (n, c) --model--> bits
    values of n samples <--to_values--- symbols (n, c) <--model-- bits

A kind of values (pictures of one size, rows of a table) is a file beside this one. Nothing here rounds.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, NoReturn, Self

import numpy as np
import numpy.typing as npt

from taskcodec.errors import UsageError

Symbols = npt.NDArray[np.int32]
NO_FEATURES = "a lossless codec: its samples have values, and no features; take what decode gives"


class ValuesTransform(ABC):
    """Values <-> symbols, both ways exactly."""

    kind: ClassVar[str]
    """What its kind is called in files."""

    @property
    @abstractmethod
    def columns(self) -> int:
        """c, the symbols of a sample."""

    @property
    @abstractmethod
    def dimension(self) -> int:
        """How many values a sample has."""

    @abstractmethod
    def gathered(self, samples: Any) -> tuple[Any, bool]:
        """The values of samples, of one or many, as `to_symbols` takes them, and whether it was one alone.

        Raises MismatchError on samples of another kind.
        """

    @abstractmethod
    def to_symbols(self, values: Any) -> Symbols:
        """The values of n samples -> (n, c). Raises MismatchError on values of another kind."""

    @abstractmethod
    def to_values(self, symbols: Symbols) -> Any:
        """Invert `to_symbols`. Raises CorruptFileError on symbols that no values have."""

    def one(self, values: Any) -> Any:
        """The first of many values, by itself."""
        return values[0]

    @property
    @abstractmethod
    def words(self) -> str:
        """What a sample is, for people."""

    @abstractmethod
    def manifest(self) -> dict[str, Any]:
        """Plain JSON for the codec's manifest, its kind under "kind"."""

    def tensors(self) -> dict[str, npt.NDArray[Any]]:
        """What the codec's file holds of it beside that."""
        return {}

    @classmethod
    @abstractmethod
    def read(cls, described: Mapping[str, Any], tensors: Mapping[str, npt.NDArray[Any]]) -> Self:
        """Invert `manifest` and `tensors`. Raises KeyError, TypeError or CorruptFileError on anything else."""

    @property
    def affine(self) -> NoReturn:
        """No map of features. Raises UsageError."""
        raise UsageError(NO_FEATURES)

    @property
    def of_features(self) -> NoReturn:
        """No features. Raises UsageError."""
        raise UsageError(NO_FEATURES)

    def analyse(self, features: npt.ArrayLike, below: Any = None) -> NoReturn:
        """No features. Raises UsageError."""
        raise UsageError(NO_FEATURES)

    def synthesise(self, latent: Any, below: Any = None) -> NoReturn:
        """No features. Raises UsageError."""
        raise UsageError(NO_FEATURES)
