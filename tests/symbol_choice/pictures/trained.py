"""A codec of pictures with side information, trained for a moment."""

from functools import lru_cache

import numpy as np

from taskcodec.codec import Codec
from taskcodec.fitting.gradient.pictures.data import KnownPicture, PictureSet
from taskcodec.fitting.gradient.pictures.recipe import LayerChoice, LayersRecipe
from taskcodec.fitting.gradient.pictures.training import train_layers
from taskcodec.fitting.gradient.recipe import NetworkChoice, Schedule
from tests.pictured import picture

SIZES = {"widths": [8], "latent": 6, "blocks": 1, "narrow": 1}


@lru_cache
def trained(layers: tuple[str, ...] = ("picture",), steps: int = 40) -> Codec:
    """Layers of squared error, each on the one before."""
    data = PictureSet([KnownPicture(picture(24, 24, seed)) for seed in range(8)], {})
    choices = tuple(
        LayerChoice(
            name,
            NetworkChoice("light", SIZES),
            NetworkChoice("light_synthesis"),
            given=layers[number - 1 : number] if number else (),
            beta=0.004 if name == layers[-1] else 0.02,
            entropy={"side": 3, "hyper": 6, "context": 6},
        )
        for number, name in enumerate(layers)
    )
    schedule = Schedule(steps, batch=4, learning_rate=5e-3)
    codec = train_layers(data, LayersRecipe(choices, 0.004, joint=True, crop=16), schedule).codec
    assert codec is not None
    return codec


def cost(codec: Codec, packet: bytes, x: np.ndarray, bit: float = 0.004) -> float:
    """Squared error times pixels, and what its bytes cost."""
    error = np.square((codec.decompress(packet).astype(float) - x) / 255).mean()
    return float(error * x.shape[0] * x.shape[1] + bit * 8 * len(packet))
