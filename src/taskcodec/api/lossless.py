"""`taskcodec fit --lossless` from Python: a codec that gives back the very values of a source."""

from dataclasses import dataclass
from pathlib import Path

from taskcodec.api.fit import Fitted
from taskcodec.data import FeatureSource, open_source
from taskcodec.engines.encode.local import Progress
from taskcodec.engines.encode.notes import left_out
from taskcodec.engines.values.gather import gather
from taskcodec.errors import SourceError, check_kind, check_one_of
from taskcodec.fitting.lossless.fit import MODELS, fit_lossless


@dataclass(frozen=True)
class LosslessOptions:
    """The options of `taskcodec fit --lossless`.

    Attributes:
        model: how values are modelled, by name; without it, what suits them.
    """

    model: str | None = None

    def check(self) -> None:
        """Raise UsageError on options that are none."""
        if self.model is not None:
            check_one_of("--model", self.model, MODELS)


def fit_source_lossless(
    given: str | Path, options: LosslessOptions | None = None, progress: Progress | None = None
) -> Fitted:
    """Fit a lossless codec to small pictures of one size: a folder, a list, shards or IDX files, by name.

    Raises UsageError on options that are none, SourceError where there is nothing to read.
    """
    options = LosslessOptions() if options is None else options
    check_kind("options", options, LosslessOptions, "LosslessOptions")
    options.check()
    source = open_source(given)
    if isinstance(source, FeatureSource):
        raise SourceError(f"{source.name}: vectors of floats; a lossless codec takes small pictures of one size")
    found = gather(source, progress)
    codec = fit_lossless(found.pixels, found.transform, options.model, progress)
    return Fitted(codec, tuple(note for note in (left_out(source), *found.notes) if note is not None))
