"""A transform that each picture brings itself: its bytes hold the weights of its synthesis, and there is no analysis.

    x (1, 3, H, W) --search, at encoding--> symbols (1, 1, symbols, 1): weights and latents
    x_hat          <--synthesis of those weights-- latents

What its symbols are is told by `taskcodec.coding.models.overfitted.plan`.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from taskcodec.coding.models.overfitted.context import WEIGHT_BITS
from taskcodec.coding.models.overfitted.model import Told
from taskcodec.coding.models.overfitted.plan import Plan, Size
from taskcodec.errors import MismatchError, needing_packages
from taskcodec.transforms.networks.carried import Networks
from taskcodec.transforms.without_features import WithoutFeatures

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class OverfittedTransform(WithoutFeatures):
    """See the module; what a codec asks of a `PictureTransform` it answers, too.

    Attributes:
        plan: sizes of the network.
    """

    plan: Plan

    networks: ClassVar[Networks] = Networks()
    columns: ClassVar[int] = 1
    given_columns: ClassVar[int] = 0
    noise_columns: ClassVar[int] = 0

    @property
    def outputs(self) -> int:
        """Channels of what the synthesis gives."""
        return self.plan.outputs

    @property
    def is_seen(self) -> bool:
        """Whether people can look at it."""
        return self.outputs == 3

    def places(self, size: Size) -> Size:
        """(H, W) of a picture -> (symbols, 1)."""
        return self.plan.symbols(size), 1

    def analyse(self, pixels: npt.ArrayLike, below: Floats | None = None) -> Floats:
        """No analysis. Raises MismatchError."""
        raise MismatchError("an overfitted layer has no analysis: its symbols are searched for, by codec.compress")

    def synthesise(self, latent: Floats, below: Floats | None = None) -> Floats:
        """No synthesis of its own. Raises MismatchError."""
        raise MismatchError("the synthesis of an overfitted layer is in the bytes of each picture")

    def rebuilt(self, told: Told, size: Size) -> Floats:
        """What the symbols of a picture of (H, W) say -> (outputs, H, W). Needs torch."""
        with needing_packages():
            import torch

            from taskcodec.transforms.overfitted.synthesis import synthesised
        unit = np.float64(2.0**-WEIGHT_BITS)
        with torch.inference_mode(), torch.autocast("cpu", enabled=False):
            weights = {name: torch.from_numpy((own * unit).astype(np.float32)) for name, own in told.weights.items()}
            latents = [torch.from_numpy(latent.astype(np.float32))[None, None] for latent in told.latents]
            found = synthesised(latents, weights, size)
            return np.ascontiguousarray(found[0].numpy(), dtype=np.float32)

    def manifest(self) -> dict[str, Any]:
        """Plain JSON for the codec's manifest."""
        return {"kind": "overfitted", **asdict(self.plan)}

    @classmethod
    def read(cls, described: Mapping[str, Any]) -> "OverfittedTransform":
        """Invert `manifest`. Raises KeyError or CorruptFileError on others."""
        return cls(Plan(**{field.name: described[field.name] for field in fields(Plan)}))
