"""Which layers are asked for: `features,picture[:BYTES],original`, each perhaps at another place: `original@PLACE`."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Any

from taskcodec.errors import UsageError
from taskcodec.store.file_layers.elsewhere import checked_place, is_within
from taskcodec.store.file_layers.layout import FEATURES, KINDS, PICTURE, BesideLayer

PICTURE_BYTES = 4000
"""Of a picture where no number is given: short side 250, on which a person sees what is there, a tenth of a small
JPEG file of it."""
MOST_PICTURE_BYTES = 2**20


@dataclass(frozen=True)
class Wanted:
    """A layer beside the features: its name, which is its kind, the bytes of its pictures, and where it is to lie.

    `place` is None in the store itself.
    """

    name: str
    picture_bytes: int | None = None
    place: str | None = None

    @property
    def options(self) -> dict[str, Any]:
        """As the layer keeps them."""
        return {} if self.picture_bytes is None else {"bytes": self.picture_bytes}

    @property
    def words(self) -> str:
        """As it is asked for."""
        words = self.name if self.picture_bytes is None else f"{self.name}:{self.picture_bytes}"
        return words if self.place is None else f"{words}@{self.place}"


def wanted_layers(asked: str | Sequence[str] | None) -> tuple[Wanted, ...]:
    """The layers beside the features among those asked for, which are always there; none where none is named.

    Raises UsageError on a layer that there is not, one named twice, another order, or a number of bytes that is none.
    """
    if asked is None:
        return ()
    names = _parts(asked)
    found = list[Wanted]()
    order = [FEATURES, *KINDS]
    for part in names:
        what, at, place = part.partition("@")
        name, colon, number = what.partition(":")
        if name not in order or (colon and name != PICTURE) or (at and name == FEATURES):
            raise UsageError(
                f"--layers: {part!r} is no layer; there are features, picture[:BYTES] and original, these two also at "
                "another place: original@PLACE"
            )
        if name != FEATURES:
            size = _bytes(number, bool(colon)) if name == PICTURE else None
            found.append(Wanted(name, size, checked_place(place) if at else None))
    places = [order.index(part.partition("@")[0].partition(":")[0]) for part in names]
    if places != sorted(set(places)):
        raise UsageError("--layers: each layer once, in the order features,picture,original")
    elsewhere = [each.place for each in found if each.place is not None]
    if any(is_within(a, [b]) for a, b in permutations(elsewhere, 2)):
        raise UsageError("--layers: each layer at a place of its own, that does not lie in another's")
    return tuple(found)


def without_learned(asked: str | Sequence[str] | None, learned: Sequence[str]) -> str | Sequence[str] | None:
    """What is asked for beside the layers that a codec has, one or more: those are kept, named or not.

    Raises UsageError on a layer that there is not, as of features: what such a codec codes has none.
    """
    if asked is None:
        return None
    parts = _parts(asked)
    others = [part for part in parts if part not in learned]
    for part in others:
        if part.partition("@")[0].partition(":")[0] not in KINDS:
            raise UsageError(
                f"--layers: {part!r} is no layer; there are {', '.join(learned)} of the codec, which are always kept, "
                "and original, also at another place: original@PLACE"
            )
    return others or None


def layer_of(found: BesideLayer, place: str | None = None) -> Wanted:
    """How a layer that is there, or at another place, was asked for."""
    return Wanted(found.name, found.options.get("bytes"), place)


def _parts(asked: str | Sequence[str]) -> list[str]:
    return [part.strip() for part in (asked.split(",") if isinstance(asked, str) else asked)]


def _bytes(number: str, given: bool) -> int:
    from taskcodec.transforms.pictures.small import LEAST_BYTES

    size = int(number) if number.isdecimal() else 0 if given else PICTURE_BYTES
    if not LEAST_BYTES <= size <= MOST_PICTURE_BYTES:
        limits = f"{LEAST_BYTES} to {MOST_PICTURE_BYTES}"
        raise UsageError(f"--layers: picture:BYTES takes {limits} bytes, found {number!r}")
    return size
