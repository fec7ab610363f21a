"""Learned transforms of pictures of any size: networks whose latent has places.

    x (1, 3, H, W) in [0, 1] --g_a--> y (1, c, h, w)                h = ceil(H / stride), w = ceil(W / stride)
    x_hat (1, 3, H, W)       <--g_s-- y_hat (1, c, h, w), and what layers below dequantize to, where g_s looks at it

Pixels beyond the right and the lower edge repeat the last ones, up to h * stride and w * stride and no further; what
g_s makes of them is cut off again.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from taskcodec.errors import CorruptFileError, MismatchError, needing_packages
from taskcodec.transforms.networks.carried import Network, Networks
from taskcodec.transforms.without_features import WithoutFeatures

Floats = npt.NDArray[np.float32]
Run = Callable[..., Floats]
MAX_STRIDE = 2**8


@dataclass(frozen=True, eq=False)
class PictureTransform(WithoutFeatures):
    """See the module. In the copy that a store keeps g_a is missing.

    Attributes:
        networks: g_a and g_s; means from outside the entropy coder, if they come from there; g_p, where g_s is for a
            task and people are to see what a layer alone keeps; g_r or grain, where what is decoded may be made to look
            real.
        columns: c, channels of the latent.
        stride: pixels between two places, a power of two.
    """

    networks: Networks
    columns: int
    stride: int

    def __post_init__(self) -> None:
        if self.networks.g_s is None:
            raise CorruptFileError("a transform of pictures without a synthesis network")
        if not 1 <= self.stride <= MAX_STRIDE or self.stride & (self.stride - 1) or self.columns < 1:
            raise CorruptFileError(f"a latent of {self.columns} channels every {self.stride} pixels is none of ours")
        given, outputs = self.g_s.sizes.get("given", []), self.g_s.sizes.get("outputs", 3)
        if not isinstance(given, list | tuple) or any(type(each) is not int or each < 1 for each in (*given, outputs)):
            raise CorruptFileError("a synthesis network that looks at, or gives, no number of channels")
        if self.networks.g_r is not None and self.networks.grain is not None:
            raise CorruptFileError("a second synthesis, and grain beside it: what looks real is one of them")
        if (real := self.real) is not None:
            seen = real.sizes.get("given", [])
            if not seen or list(seen[:-1]) != list(given) or type(seen[-1]) is not int or seen[-1] < 1:
                raise CorruptFileError("a second synthesis that does not see what g_s sees, and noise after it")

    def __getstate__(self) -> dict[str, Any]:
        # Running networks are not pickled; a copy makes its own.
        return {name: value for name, value in vars(self).items() if not name.startswith("_run_")}

    @property
    def g_s(self) -> Network:
        """The synthesis network, which is always there."""
        assert self.networks.g_s is not None
        return self.networks.g_s

    @property
    def given_columns(self) -> int:
        """Channels of the layers below that g_s looks at; 0 where it looks at none."""
        return sum(self.g_s.sizes.get("given", ()))

    @property
    def noise_columns(self) -> int:
        """Channels of noise that g_r or grain reads; 0 where there is none."""
        return 0 if self.real is None else int(self.real.sizes["given"][-1])

    @property
    def real(self) -> Network | None:
        """What makes decoded pictures look real: g_r, or grain; None where there is neither."""
        return self.networks.grain if self.networks.g_r is None else self.networks.g_r

    def means_fit(self, given_columns: int) -> bool:
        """Whether means from outside the coder, if there are any, are of this latent and of what its model looks at."""
        if self.networks.means is None:
            return True
        groups, given = (self.networks.means.sizes.get(key) for key in ("groups", "given"))
        if not isinstance(groups, list | tuple) or not isinstance(given, list | tuple):
            return False
        whole = all(type(each) is int for each in (*groups, *given))
        return whole and sum(groups) == self.columns and sum(given) in (0, given_columns) and min(groups, default=0) > 0

    @property
    def outputs(self) -> int:
        """Channels of what g_s gives: 3 for a picture; others are for what a task reads."""
        return int(self.g_s.sizes.get("outputs", 3))

    @property
    def is_seen(self) -> bool:
        """Whether people can look at what a layer of it decodes to."""
        return self.networks.g_p is not None or self.outputs == 3

    def places(self, size: tuple[int, int]) -> tuple[int, int]:
        """(H, W) of a picture -> (h, w) of its latent."""
        height, width = size
        return -(-height // self.stride), -(-width // self.stride)

    def analyse(self, pixels: npt.ArrayLike, below: Floats | None = None) -> Floats:
        """(1, 3, H, W) in [0, 1] -> (1, c, h, w). Raises MismatchError where there is no g_a. Needs torch."""
        if self.networks.g_a is None:
            raise MismatchError("this codec is a store's copy and can only decode: name the codec's own file")
        x = np.asarray(pixels, dtype=np.float32)
        h, w = self.places((x.shape[2], x.shape[3]))
        beyond = (h * self.stride - x.shape[2], w * self.stride - x.shape[3])
        padded = np.pad(x, ((0, 0), (0, 0), (0, beyond[0]), (0, beyond[1])), mode="edge")
        return _checked(self._run_g_a(padded), (1, self.columns, h, w), "g_a")

    def synthesise(self, latent: Floats, below: Floats | None = None) -> Floats:
        """(1, c, h, w), and (1, c', h, w) of the layers below side by side -> (1, outputs, h * stride, w * stride).

        Needs torch.
        """
        shape = (1, self.outputs, latent.shape[2] * self.stride, latent.shape[3] * self.stride)
        return _checked(self._run_g_s(latent, *([below] if self.given_columns else [])), shape, "g_s")

    def preview(self, latent: Floats) -> Floats:
        """(1, c, h, w) -> (1, 3, h * stride, w * stride) that g_p makes of it. Needs torch, and g_p."""
        shape = (1, 3, latent.shape[2] * self.stride, latent.shape[3] * self.stride)
        return _checked(self._run_g_p(latent), shape, "g_p")

    def realise(self, latent: Floats, below: Floats | None, noise: Floats) -> Floats:
        """(1, c, h, w), what lies below as of `synthesise`, (1, noise_columns, h, w) -> (1, 3, h * stride, w * stride).

        Needs torch, and g_r or grain.
        """
        shape = (1, 3, latent.shape[2] * self.stride, latent.shape[3] * self.stride)
        seen = [noise] if below is None else [below, noise]
        found = _checked(self._run_real(latent, *seen), shape, "what looks real")
        return found if self.networks.grain is None else found + self.synthesise(latent, below)

    def manifest(self) -> dict[str, Any]:
        """Plain JSON for the codec's manifest."""
        return {
            "kind": "picture",
            "networks": self.networks.manifest(),
            "columns": self.columns,
            "stride": self.stride,
        }

    @classmethod
    def read(cls, described: Mapping[str, Any], tensors: Mapping[str, npt.NDArray[Any]]) -> "PictureTransform":
        """Invert `manifest`, and `Networks.tensors`. Raises KeyError, TypeError or CorruptFileError on others."""
        columns, stride = described["columns"], described["stride"]
        if type(columns) is not int or type(stride) is not int:
            raise TypeError("the channels and the stride of a latent, which should be whole numbers")
        return cls(Networks.read(described["networks"], tensors, pictures=True), columns, stride)

    # Imported where it is needed, so that opening a store, and reading its symbols, never imports torch.
    @cached_property
    def _run_g_a(self) -> Run:
        with needing_packages():
            from taskcodec.transforms.networks.run import Steps, on_places

        assert self.networks.g_a is not None
        return on_places(self.networks.g_a, Steps(1, self.stride))

    @cached_property
    def _run_g_s(self) -> Run:
        with needing_packages():
            from taskcodec.transforms.networks.run import Steps, on_places

        return on_places(self.g_s, Steps(self.stride, 1))

    @cached_property
    def _run_g_p(self) -> Run:
        with needing_packages():
            from taskcodec.transforms.networks.run import Steps, on_places

        assert self.networks.g_p is not None
        return on_places(self.networks.g_p, Steps(self.stride, 1))

    @cached_property
    def _run_real(self) -> Run:
        with needing_packages():
            from taskcodec.transforms.networks.run import Steps, on_places

        assert self.real is not None
        return on_places(self.real, Steps(self.stride, 1))


def _checked(found: Floats, shape: tuple[int, ...], what: str) -> Floats:
    if found.shape != shape:
        raise CorruptFileError(f"{what} gives {found.shape} where {shape} is expected: its sizes are not its codec's")
    return found
