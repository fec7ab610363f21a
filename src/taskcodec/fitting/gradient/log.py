"""The logs of a training; of a training that goes on, the earlier lines stay."""

import csv
import os
from pathlib import Path

from lightning.pytorch.loggers import CSVLogger, Logger, TensorBoardLogger
from lightning.pytorch.utilities import rank_zero_only

from taskcodec.errors import UsageError

METRICS = "metrics.csv"


def loggers_of(place: Path, names: tuple[str, ...], step: int) -> list[Logger]:
    """Lightning's loggers by these names.

    Args:
        place: the folder of checkpoints and logs.
        names: "csv" (metrics.csv) and "tensorboard".
        step: gradient steps done; lines of metrics.csv from before stay.

    Raises:
        UsageError: another name, or TensorBoard is not installed.
    """
    made: list[Logger] = []
    for name in names:
        if name == "csv":
            made.append(_csv(place, step))
        elif name == "tensorboard":
            try:
                made.append(TensorBoardLogger(place, name="", version="tensorboard"))
            except ModuleNotFoundError as error:
                raise UsageError("TensorBoard is not installed; run: pip install tensorboard") from error
        else:
            raise UsageError(f"logger {name!r} is neither csv nor tensorboard")
    return made


def is_first() -> bool:
    """False in the further processes of DDP: files are the first one's."""
    return getattr(rank_zero_only, "rank", 0) == 0


def _csv(place: Path, step: int) -> CSVLogger:
    """Lightning's logger removes the file that lies there: earlier lines wait beside it, where a kill leaves them."""
    logger = CSVLogger(place, name="", version="")
    if not is_first():
        return logger
    path, aside = place / METRICS, place / f"{METRICS}.partial"
    if path.exists():
        names = _set_aside(path, aside, step)
    elif aside.exists() and step:
        names = _names(aside)
    else:
        names = []
    writer = logger.experiment
    if names:
        os.replace(aside, path)
        writer.metrics_keys = names
    return logger


def _set_aside(path: Path, aside: Path, step: int) -> list[str]:
    """Write the lines from before `step` to `aside`; gives the names of the columns, none where no line is left."""
    with open(path, newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if (row.get("step") or "").isdigit() and int(row["step"]) < step]
    if not rows:
        return []
    names = list(rows[0])
    with open(aside, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=names, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    return names


def _names(path: Path) -> list[str]:
    with open(path, newline="", encoding="utf-8") as file:
        return next(csv.reader(file), [])
