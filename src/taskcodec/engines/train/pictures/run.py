"""One training of layers of pictures, of a second synthesis, or of what overfitted pictures start from."""

from pathlib import Path
from typing import Any

from taskcodec.engines.train.left_out import LeftOut
from taskcodec.engines.train.pictures.config import LayersConfig
from taskcodec.engines.train.pictures.data import finished_of, fixed_of, picture_set
from taskcodec.engines.train.pictures.overfitted import OverfittedConfig
from taskcodec.engines.train.pictures.realism import RealismConfig
from taskcodec.fitting.gradient.overfitted.start import train_start
from taskcodec.fitting.gradient.pictures.realism import train_realism
from taskcodec.fitting.gradient.pictures.training import train_layers
from taskcodec.fitting.gradient.training import Progress, Trained, Work


def run_pictures(
    config: LayersConfig | RealismConfig | OverfittedConfig, number: int, work: Work, progress: Progress | None
) -> tuple[Trained, LeftOut | None]:
    """Train the recipe of this number; and what was left out. Raises as `train_layers` does, or names what it reads."""
    provenance: dict[str, Any] = {"source": Path(config.data.place).name or config.data.source}
    # What is found out at once comes before the pictures, which may take minutes.
    if isinstance(config, OverfittedConfig):
        data, left_out = picture_set(config)
        own = config.recipes[number]
        trained = train_start(data, own, config.schedule, provenance=provenance, progress=progress)
    elif isinstance(config, RealismConfig):
        codec, real = finished_of(config), config.recipes[number]
        data, left_out = picture_set(config)
        trained = train_realism(data, codec, real, config.schedule, work, provenance=provenance, progress=progress)
    else:
        fixed, recipe = fixed_of(config), config.recipes[number]
        data, left_out = picture_set(config)
        trained = train_layers(data, recipe, config.schedule, work, fixed, provenance=provenance, progress=progress)
    return trained, left_out
