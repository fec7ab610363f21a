"""What a training leaves out."""

from dataclasses import dataclass


@dataclass(frozen=True)
class LeftOut:
    """Samples that are not trained on, since they cannot be read: how many, the first one's name, and its reason."""

    count: int
    first: str
    reason: str
