"""What a second synthesis is, and how it is trained on a code that is finished, as data: no torch here."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from taskcodec.errors import UsageError, check_one_of, shortened
from taskcodec.fitting.gradient.pictures.recipe import NETWORK_SIZES, SETTLED
from taskcodec.fitting.gradient.recipe import NetworkChoice
from taskcodec.transforms.networks.carried import GRAIN, PICTURE_SYNTHESES

MOST_WINDOW = 1 << 9
MOST_DRAWS = 1 << 5
MOST_ENLARGED, MOST_WEIGHT = 8, 1000.0
GRAIN_SIZES = ("widths", "blocks", "narrow", "tail", "grains")
"""Sizes of grain that the layer leaves open."""
NOISE, GRAIN_NOISE = 16, 4
"""Channels of noise where none are named."""


@dataclass(frozen=True)
class JudgeChoice:
    """An adversary, see `taskcodec.fitting.gradient.pictures.judge`.

    Attributes:
        backbone: through which it sees, by its name.
        weight: of its loss beside the score.
        enlarge: pictures are made so many times larger for it.
    """

    backbone: str
    weight: float = 0.05
    enlarge: int = 2

    def __post_init__(self) -> None:
        if not 0 < self.weight <= MOST_WEIGHT:
            raise UsageError(
                f"judge.weight must be a positive number up to {MOST_WEIGHT:g}, found {shortened(self.weight)}"
            )
        if not 1 <= self.enlarge <= MOST_ENLARGED:
            raise UsageError(f"judge.enlarge: expected 1 to {MOST_ENLARGED}, found {shortened(self.enlarge)}")


@dataclass(frozen=True)
class RealismRecipe:
    """A second synthesis for one layer.

    Attributes:
        layer: of the codec, whose symbols it decodes.
        noise: channels of noise at each place of the latent, or of each step of grain; None for NOISE or GRAIN_NOISE.
        synthesis: its network; None for that of g_s, with its sizes and, where they fit, its weights to start from;
            grain gives what is added to what g_s gives.
        windows: sides in pixels of the squares on which what is decoded is held against the data; one that is larger
            than a crop means all of it.
        draws: of a picture in a step, from 2 to MOST_DRAWS; more of them cost time, and steps that vary less.
        judge: an adversary beside the score; None for none.
        crop: side of the squares that are cut from pictures for training, in pixels.
    """

    layer: str
    noise: int | None = None
    synthesis: NetworkChoice | None = None
    windows: tuple[int, ...] = (8, 32)
    draws: int = 2
    judge: JudgeChoice | None = None
    crop: int = 128
    beta: None = field(default=None, init=False)
    """It takes no bits."""

    def __post_init__(self) -> None:
        if not 1 <= self.noise_channels <= 1 << 12:
            raise UsageError(f"noise: expected channels from 1 to {1 << 12}, found {shortened(self.noise)}")
        if not 1 <= self.crop <= 1 << 12:
            raise UsageError(f"crop must be from 1 to {1 << 12}, found {shortened(self.crop)}")
        if not self.windows or not all(type(each) is int and 2 <= each <= MOST_WINDOW for each in self.windows):
            raise UsageError(f"windows: expected sides from 2 to {MOST_WINDOW}, found {shortened(self.windows)}")
        if not 2 <= self.draws <= MOST_DRAWS:
            raise UsageError(f"draws: expected 2 to {MOST_DRAWS}, found {shortened(self.draws)}")
        if self.synthesis is not None:
            check_one_of("synthesis.name", self.synthesis.name, (*PICTURE_SYNTHESES, GRAIN))
            for key in self.synthesis.sizes:
                if key in SETTLED:
                    raise UsageError(f"synthesis.{key}: follows from the layer; leave it out")
                open_sizes = GRAIN_SIZES if self.is_grain else NETWORK_SIZES[self.synthesis.name]
                check_one_of("size of synthesis", key, open_sizes)

    @property
    def is_grain(self) -> bool:
        """Whether what it gives is added to what g_s gives."""
        return self.synthesis is not None and self.synthesis.name == GRAIN

    @property
    def noise_channels(self) -> int:
        """Channels of noise at a place."""
        return self.noise if self.noise is not None else GRAIN_NOISE if self.is_grain else NOISE

    def described(self) -> Mapping[str, Any]:
        """Plain JSON for the codec's record."""
        own = None if self.synthesis is None else {"name": self.synthesis.name, **self.synthesis.sizes}
        told = {"noise": self.noise_channels, "synthesis": own, "windows": list(self.windows), "crop": self.crop}
        # Left out where it is as before there was a choice, so that a training of before goes on.
        if self.draws != 2:
            told |= {"draws": self.draws}
        return told if self.judge is None else {**told, "judge": asdict(self.judge)}
