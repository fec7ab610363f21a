"""What a layer of decoded pictures has in common with one of files: each picture becomes a PNG file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from taskcodec.errors import CorruptFileError, needing_packages

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


class AsPng:
    """Pictures by row, which are files by the `source_index` of their sample.

    Attributes:
        suffix: of the files: ".png".
    """

    suffix = ".png"
    _places: Callable[[], npt.NDArray[np.int64]]
    """The `source_index` of each row, ascending."""

    def __getitem__(self, row: int) -> Any:
        raise NotImplementedError

    def has(self, row: int) -> bool:
        """Whether there is a picture of a row: of every one."""
        return True

    def of_source(self, index: int) -> bytes | None:
        """A PNG file of the picture by its `source_index`; None of one that could not be coded. Needs Pillow."""
        places = self._places()
        row = int(places.searchsorted(index))
        if row >= len(places) or places[row] != index:
            return None
        return self._file_of(self[row])

    def _file_of(self, picture: Any) -> bytes:
        with needing_packages():
            from taskcodec.transforms.pictures.png import png_of

        return png_of(picture)

    def of_sources(self, indices: Iterable[int]) -> Iterator[bytes | CorruptFileError | None]:
        """What `of_source` gives of each, or its fault where that is damaged: the others are whole."""
        return map(self._file_or_fault, indices)

    def _file_or_fault(self, index: int) -> bytes | CorruptFileError | None:
        try:
            return self.of_source(index)
        except CorruptFileError as error:
            return error
