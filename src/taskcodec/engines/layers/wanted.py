"""Which layers are asked for: `features,picture[:BYTES],original`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from taskcodec.errors import UsageError
from taskcodec.store.file_layers.layout import FEATURES, KINDS, ORIGINAL, PICTURE, BesideLayer

PICTURE_BYTES = 4000
"""Of a picture where no number is given: short side 250, on which a person sees what is there, a tenth of a small
JPEG file of it."""
MOST_PICTURE_BYTES = 2**20


@dataclass(frozen=True)
class Wanted:
    """A layer beside the features: its name, which is its kind, and the bytes of its pictures."""

    name: str
    picture_bytes: int | None = None

    @property
    def options(self) -> dict[str, Any]:
        """As the layer keeps them."""
        return {} if self.picture_bytes is None else {"bytes": self.picture_bytes}

    @property
    def words(self) -> str:
        """As it is asked for."""
        return self.name if self.picture_bytes is None else f"{self.name}:{self.picture_bytes}"


def wanted_layers(asked: str | Sequence[str] | None) -> tuple[Wanted, ...]:
    """The layers beside the features among those asked for, which are always there; none where none is named.

    Raises UsageError on a layer that there is not, one named twice, another order, or a number of bytes that is none.
    """
    if asked is None:
        return ()
    from taskcodec.transforms.pictures.small import LEAST_BYTES

    names = [part.strip() for part in (asked.split(",") if isinstance(asked, str) else asked)]
    found = list[Wanted]()
    order = [FEATURES, *KINDS]
    for part in names:
        name, colon, number = part.partition(":")
        if name not in order or (colon and name != PICTURE):
            raise UsageError(f"--layers: {part!r} is no layer; there are features, picture[:BYTES] and original")
        if name == PICTURE:
            size = int(number) if number.isdecimal() else 0 if colon else PICTURE_BYTES
            if not LEAST_BYTES <= size <= MOST_PICTURE_BYTES:
                limits = f"{LEAST_BYTES} to {MOST_PICTURE_BYTES}"
                raise UsageError(f"--layers: picture:BYTES takes {limits} bytes, found {number!r}")
            found.append(Wanted(name, size))
        elif name == ORIGINAL:
            found.append(Wanted(name))
    places = [order.index(part.partition(":")[0]) for part in names]
    if places != sorted(set(places)):
        raise UsageError("--layers: each layer once, in the order features,picture,original")
    return tuple(found)


def layer_of(found: BesideLayer) -> Wanted:
    """How a layer that is there was asked for."""
    return Wanted(found.name, found.options.get("bytes"))
