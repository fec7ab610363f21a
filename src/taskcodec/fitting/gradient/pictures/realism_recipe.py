"""What a second synthesis is, and how it is trained on a code that is finished, as data: no torch here."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from taskcodec.errors import UsageError, check_one_of, shortened
from taskcodec.fitting.gradient.pictures.recipe import NETWORK_SIZES, SETTLED
from taskcodec.fitting.gradient.recipe import NetworkChoice
from taskcodec.transforms.networks.carried import PICTURE_SYNTHESES

MOST_WINDOW = 1 << 9
MOST_DRAWS = 1 << 5


@dataclass(frozen=True)
class RealismRecipe:
    """A second synthesis for one layer.

    Attributes:
        layer: of the codec, whose symbols it decodes.
        noise: channels of noise at each place of the latent.
        synthesis: its network; None for that of g_s, with its sizes and, where they fit, its weights to start from.
        windows: sides in pixels of the squares on which what is decoded is held against the data; one that is larger
            than a crop means all of it.
        draws: of a picture in a step, from 2 to MOST_DRAWS; more of them cost time, and steps that vary less.
        crop: side of the squares that are cut from pictures for training, in pixels.
    """

    layer: str
    noise: int = 16
    synthesis: NetworkChoice | None = None
    windows: tuple[int, ...] = (8, 32)
    draws: int = 2
    crop: int = 128
    beta: None = field(default=None, init=False)
    """It takes no bits."""

    def __post_init__(self) -> None:
        if not 1 <= self.noise <= 1 << 12:
            raise UsageError(f"noise: expected channels from 1 to {1 << 12}, found {shortened(self.noise)}")
        if not 1 <= self.crop <= 1 << 12:
            raise UsageError(f"crop must be from 1 to {1 << 12}, found {shortened(self.crop)}")
        if not self.windows or not all(type(each) is int and 2 <= each <= MOST_WINDOW for each in self.windows):
            raise UsageError(f"windows: expected sides from 2 to {MOST_WINDOW}, found {shortened(self.windows)}")
        if not 2 <= self.draws <= MOST_DRAWS:
            raise UsageError(f"draws: expected 2 to {MOST_DRAWS}, found {shortened(self.draws)}")
        if self.synthesis is not None:
            check_one_of("synthesis.name", self.synthesis.name, PICTURE_SYNTHESES)
            for key in self.synthesis.sizes:
                if key in SETTLED:
                    raise UsageError(f"synthesis.{key}: follows from the layer; leave it out")
                check_one_of("size of synthesis", key, NETWORK_SIZES[self.synthesis.name])

    def described(self) -> Mapping[str, Any]:
        """Plain JSON for the codec's record."""
        own = None if self.synthesis is None else {"name": self.synthesis.name, **self.synthesis.sizes}
        told = {"noise": self.noise, "synthesis": own, "windows": list(self.windows), "crop": self.crop}
        # Left out where it is as before there was a choice, so that a training of before goes on.
        return told if self.draws == 2 else {**told, "draws": self.draws}
