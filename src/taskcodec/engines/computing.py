"""Features of some samples of a source, for a fit: of those alone that are asked for, whoever computes them."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from taskcodec.data.sources import ImageSource, Source, open_source
from taskcodec.engines.encode.local import Batches, Features, Progress
from taskcodec.engines.encode.records import BackboneLike
from taskcodec.engines.encode.sources import backbone_for, check_device, labelled


@dataclass(frozen=True, eq=False)
class Asked:
    """A source by name, how it is read, and the backbone that looks at it: by name, itself, or the default one."""

    given: str | Path
    truncated: str = "keep"
    labels: str | None = None
    backbone: str | BackboneLike | None = None
    device: str | None = None


@dataclass(frozen=True, eq=False)
class Computing:
    """A source that is open, and who computes features of it.

    Attributes:
        source: with its labels.
        table: the labels that were asked for, by id.
        batches: of the source, computed when they are run.
        views: computes features (v, m, d) of v random views of m of its images; needs images.
    """

    source: Source
    table: dict[str, str]
    batches: Batches
    views: Callable[[Progress | None], Features]


def opened(asked: Asked, device: str | None) -> tuple[Source, dict[str, str], BackboneLike | None]:
    """The source, its table of labels, and the backbone on a device. Raises what opening them does."""
    source, table = labelled(open_source(asked.given, asked.truncated), asked.labels)
    return source, table, backbone_for(source, asked.backbone, device)


def computing_here(asked: Asked) -> Computing:
    """This process computes. Raises UsageError where it lacks the device, and what opening the source does."""
    check_device(asked.device)
    source, table, backbone = opened(asked, asked.device)
    return Computing(source, table, Batches(source, backbone), partial(views_of, source, backbone))


def views_of(source: Source, backbone: BackboneLike | None, progress: Progress | None = None) -> Features:
    """(v, m, d) features of v random views of m images of a source. Raises SourceError where none can be read."""
    from taskcodec.engines.encode.augmented_views import view_features  # which needs Pillow

    assert isinstance(source, ImageSource)
    assert backbone is not None
    return view_features(source, backbone, backbone.preprocess.crop, progress)
