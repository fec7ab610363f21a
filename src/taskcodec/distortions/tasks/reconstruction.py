"""The picture itself, for people: squared error, or structural similarity at several scales.

Wang, Simoncelli, Bovik, "Multiscale structural similarity for image quality assessment", 2003: windows of 11 pixels
with a Gaussian of 1.5, five scales. Small pictures have fewer scales, whose exponents are scaled to sum to one, and
those below 11 pixels smaller windows. The contrast term of pictures unlike each other may be negative, where its power
is none and has no gradient: below 0.05 the power goes on as an exponential that meets it there.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, conv2d

from taskcodec.distortions.tasks.task import Task, Truth

WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
_WINDOW, _SIGMA = 11, 1.5
_LUMINANCE, _CONTRAST = 0.01**2, 0.03**2
_LEAST = 0.05


class _Reconstruction(Task):
    """A task whose predictor is who looks at the picture."""

    def __init__(self) -> None:
        super().__init__(nn.Identity())

    def predict(self, pictures: Tensor) -> Tensor:
        """(n, 3, H, W) in [0, 1]."""
        return pictures.clamp(0, 1)


class SquaredError(_Reconstruction):
    """Mean squared error of pictures in [0, 1]; measured as PSNR."""

    name, metric = "reconstruction", "psnr"

    def loss(self, pictures: Tensor, truth: Truth) -> Tensor:
        """(n,) mean over pixels and colours."""
        return (pictures - truth.pictures).square().flatten(1).mean(dim=1)


class StructuralSimilarity(_Reconstruction):
    """1 - MS-SSIM."""

    name, metric = "reconstruction", "ms_ssim"

    def loss(self, pictures: Tensor, truth: Truth) -> Tensor:
        """(n,) 0 for equal pictures."""
        return 1 - ms_ssim(pictures, truth.pictures)


def ms_ssim(first: Tensor, second: Tensor) -> Tensor:
    """(n, C, H, W) and the like, in [0, 1] -> (n,) similarity, 1 for equal pictures."""
    side = min(first.shape[2:])
    scales = max(1, sum(side >> scale >= _WINDOW for scale in range(len(WEIGHTS))))
    result = torch.ones(len(first), dtype=first.dtype, device=first.device)
    for scale in range(scales):
        luminance, contrast = _similarity(first, second)
        term = (luminance * contrast if scale == scales - 1 else contrast).flatten(1).mean(dim=1)
        result = result * _power(term, WEIGHTS[scale] / sum(WEIGHTS[:scales]))
        if scale < scales - 1:
            first, second = avg_pool2d(first, 2), avg_pool2d(second, 2)
    return result


def _power(term: Tensor, exponent: float) -> Tensor:
    """term ** exponent, and above 0 with a gradient whatever the term."""
    excess = (term - _LEAST) / _LEAST
    return term.clamp(min=_LEAST) ** exponent * torch.exp(exponent * excess.clamp(max=0))


def _similarity(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """(n, C, h, w) of luminance, and of contrast and structure, in each window that lies within the picture."""
    mean, other = _blurred(first), _blurred(second)
    variance, spread = _blurred(first * first) - mean * mean, _blurred(second * second) - other * other
    shared = _blurred(first * second) - mean * other
    luminance = (2 * mean * other + _LUMINANCE) / (mean * mean + other * other + _LUMINANCE)
    return luminance, (2 * shared + _CONTRAST) / (variance + spread + _CONTRAST)


def _blurred(pictures: Tensor) -> Tensor:
    """Means under a Gaussian, rows first, in windows of 11 pixels or as many as there are (an odd number)."""
    channels = pictures.shape[1]
    for axis in (2, 3):
        side = min(_WINDOW, (pictures.shape[axis] + 1) // 2 * 2 - 1)
        place = torch.arange(side, dtype=pictures.dtype, device=pictures.device) - side // 2
        weights = torch.exp(-(place**2) / (2 * _SIGMA**2))
        kernel = (weights / weights.sum()).reshape([1, 1, side, 1] if axis == 2 else [1, 1, 1, side])
        pictures = conv2d(pictures, kernel.expand(channels, -1, -1, -1), groups=channels)
    return pictures
