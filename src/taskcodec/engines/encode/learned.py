"""Sources of vectors seen through the analysis network of a learned codec, and such a codec in steps for a source.

vectors (n, inputs) --g_a--> features (n, d), which the codec quantizes and a store decodes to
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from taskcodec.codec import Codec
from taskcodec.data.sources import FeatureSource, ImageSource, Source
from taskcodec.engines.encode.records import read_item
from taskcodec.engines.encode.sources import Rates
from taskcodec.engines.picture_coder import PictureCoder
from taskcodec.errors import MismatchError, needing_packages
from taskcodec.loading import load_codec
from taskcodec.samples import spread_rows
from taskcodec.stack.pictures import Pixels
from taskcodec.store import Store
from taskcodec.transforms.spec import CARRIED, NAME_IT, BackboneSpec, recorded_file

RATED, RATED_PIXELS = 32, 2**24
"""A step is chosen by at most so many pictures of a source, and so many pixels."""


def through(source: Source, codec: Codec | None) -> Source:
    """A source of vectors as one of a codec's features; any other source, and any other codec's, as it is.

    Raises MismatchError where the vectors are not of the length that g_a reads.
    """
    if codec is None or codec.g_a is None or codec.inputs is None or not isinstance(source, FeatureSource):
        return source
    if source.dimension != codec.inputs:
        raise MismatchError(f"{source.name}: vectors of {source.dimension} numbers, a codec for {codec.inputs}")
    return replace(
        source, dimension=codec.dimension, block=lambda start, stop: codec.analyse(list(source.block(start, stop)))
    )


def through_analysis_of(store: Store | None, source: Source) -> Source:
    """What is to be appended to a store, through the analysis that it records, unless it holds features already."""
    vectors = store is not None and not store.manifest.of_pictures
    return through_unless_features(source, store.codec.backbone if store is not None and vectors else None)


def through_unless_features(source: Source, spec: BackboneSpec | None) -> Source:
    """The same for the analysis that such a store records."""
    if spec is not None and isinstance(source, FeatureSource):
        inputs = spec.preprocessing.get("inputs")
        if source.dimension == spec.dimension != inputs:
            return source
    return through_recorded(source, spec)


def through_recorded(source: Source, spec: BackboneSpec | None) -> Source:
    """The same for the analysis that a store records, whose codec is read again from its file.

    Raises BackboneError where it is not there any more, MismatchError where the file holds another codec by now.
    """
    if spec is None or not spec.name.startswith(CARRIED) or not isinstance(source, FeatureSource):
        return source
    codec = load_codec(Path(recorded_file(spec)))
    if codec.g_a is None or codec.g_a.sha256 != spec.weights_sha256:
        raise MismatchError(f"{spec.loadable}: not the codec that the store was made with: {NAME_IT}")
    return through(source, codec)


def in_steps_for(bits: Rates, codec: Codec, source: ImageSource) -> Codec:
    """A codec of pictures in the steps at which pictures of this source take so many bits, by layer.

    Raises UsageError as `taskcodec.fitting.picture_rate.at_rates`. Where nothing can be read, the codec is as it was.
    """
    with needing_packages():
        from taskcodec.fitting.picture_rate import at_rates

    coder: Any = PictureCoder(codec, "")
    found, pixels = list[Pixels](), 0
    spread = np.random.default_rng(0).permutation(spread_rows(len(source), min(len(source), RATED), nearest=True))
    for number in spread.tolist():
        read = read_item(source.items[number], number, coder, source.keeps_truncated)[1]
        if read is not None:
            found.append(read)
            pixels += read.shape[0] * read.shape[1]
        if pixels > RATED_PIXELS:
            break
    rates = bits if isinstance(bits, Mapping) else {codec.base.name: bits}
    return at_rates(codec, found, rates) if found else codec
