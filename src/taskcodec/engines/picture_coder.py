"""`PictureCoder`: what makes the items of a store of pictures from them, in the place of a backbone."""

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt

from taskcodec.codec import Codec
from taskcodec.errors import MismatchError, UsageError
from taskcodec.loading import load_codec
from taskcodec.stack.pictures import Pixels, decoding_half, needs_no_analysis, with_analyses
from taskcodec.symbol_choice.pictures.goals import goals_of, reasons
from taskcodec.transforms.spec import CARRIED, NAME_IT, BackboneSpec, placed, recorded_file

LARGE_PIXELS = 2**21
"""Pictures with more pixels than this are coded one at a time, and all that are searched for: so memory is bounded."""


class _Whole:
    """Pictures as they are: no pixel is scaled or cut."""

    resize = None

    def __call__(self, image: Any) -> Pixels:
        return np.asarray(image, dtype=np.uint8)


class PictureCoder:
    """The analyses of a codec of pictures.

    Args:
        codec: with its analyses.
        name: where these are to be found again, as stores record it.
        effort: from 2 on symbols are searched for. Raises UsageError where no layer can be searched.
    """

    preprocess: Any = _Whole()

    def __init__(self, codec: Codec, name: str, effort: int = 1) -> None:
        _, found = decoding_half(codec.layers, name)
        if needs_no_analysis(codec.layers):
            found = BackboneSpec(f"{CARRIED}{codec.fingerprint[:12]}", codec.fingerprint, 0, {}, placed(name))
        if found is None:
            raise UsageError("the codec of a store can only decode: name the file it was made from (--codec FILE)")
        self.codec, self.spec, self.searches = codec, found, codec.searches(effort)
        self.unsearched = reasons(goals_of(codec.layers, codec.provenance)) if effort > 1 else []
        self._large = Lock()

    def __call__(self, pictures: Sequence[Pixels]) -> Any:
        """Pictures (H, W, 3) uint8 -> (m, layers) items, as a store takes them."""
        found: npt.NDArray[Any] = np.empty((len(pictures), len(self.codec.layers)), object)
        for row, pixels in enumerate(pictures):
            large = bool(self.searches) or pixels.shape[0] * pixels.shape[1] > LARGE_PIXELS
            with self._large if large else nullcontext():
                found[row] = self.codec.pictures.items(pixels, self.searches)
        return found


def coder_of(own: Codec, named: Codec | None, name: str, effort: int = 1) -> PictureCoder:
    """What goes on coding as a store's own codec does: its layers, and the analyses that it was made with.

    They are those of the codec that is named, or of the file that is recorded.

    Raises BackboneError where that is not there any more, MismatchError where it is another codec.
    """
    if needs_no_analysis(own.layers):
        if named is not None and named.fingerprint != own.fingerprint:
            raise MismatchError(f"{name}: not the codec that the store was made with: leave it out")
        return PictureCoder(own, name, effort)
    spec = own.backbone
    if named is None:
        if spec is None:
            raise UsageError(f"the codec of this store has no analyses: {NAME_IT}")
        name, named = spec.loadable, load_codec(Path(recorded_file(spec)))
    found = PictureCoder(named, name, effort) if named.of_pictures else None
    if found is None or (spec is not None and found.spec.weights_sha256 != spec.weights_sha256):
        raise MismatchError(f"{name}: not the codec that the store was made with: {NAME_IT}")
    return PictureCoder(replace(own, layers=with_analyses(own.layers, found.codec.layers)), name, effort)
