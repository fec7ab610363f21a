"""Views for training, batched, on whatever device the batch is: named sets of kornia's augmentations.

A set says what does not matter. A user's own is any function of a batch that draws from torch's global generator.
"""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from taskcodec.errors import UsageError, check_one_of

Views = Callable[[Tensor], Tensor]


def rotations(points: Tensor) -> Tensor:
    """(n, 2) points, each turned about the origin by a random angle of its own."""
    angle = torch.rand(len(points), device=points.device) * (2 * torch.pi)
    cosine, sine = angle.cos(), angle.sin()
    return torch.stack([cosine * points[:, 0] - sine * points[:, 1], sine * points[:, 0] + cosine * points[:, 1]], 1)


def _mnist(side: int, channels: int) -> Any:
    """LCLP's set for digits: rotation 45 degrees, translation 0.25, shear 25 degrees, scale 0.6 to 1.4."""
    import kornia.augmentation as K

    return K.RandomAffine(degrees=45.0, translate=(0.25, 0.25), scale=(0.6, 1.4), shear=25.0, p=1.0)


def _crops(side: int, channels: int) -> nn.Module:
    """Random crops of 20 to 100 % of the area, and mirroring."""
    import kornia.augmentation as K

    return nn.Sequential(K.RandomResizedCrop((side, side), scale=(0.2, 1.0)), K.RandomHorizontalFlip())


def _simclr(side: int, channels: int) -> nn.Module:
    """SimCLR's (Chen et al., 2020) without blur: crops of 20 to 100 % of the area, mirroring, colours."""
    # The paper's crops go down to 8 %.
    import kornia.augmentation as K

    colours: list[nn.Module] = [K.ColorJitter(0.4, 0.4, 0.4, 0.1, p=0.8)]
    if channels == 3:
        colours.append(K.RandomGrayscale(p=0.2))
    else:
        colours = [K.RandomBrightness((0.6, 1.4), p=0.8), K.RandomContrast((0.6, 1.4), p=0.8)]
    return nn.Sequential(_crops(side, channels), *colours)


IMAGE_SETS: Mapping[str, Callable[[int, int], Any]] = {"mnist": _mnist, "crops": _crops, "simclr": _simclr}
VECTOR_SETS: Mapping[str, Views] = {"rotations": rotations}
NAMES = ("none", *IMAGE_SETS, *VECTOR_SETS)


def views(name: str, samples: Tensor) -> Views | None:
    """The set of that name for samples like these; None for "none".

    Args:
        name: one of NAMES.
        samples: (n, d) vectors or (n, C, H, W) images.

    Raises:
        UsageError: no such set, or none for such samples.
    """
    check_one_of("augmentations", name, NAMES)
    if name == "none":
        return None
    if (name in VECTOR_SETS) == (samples.ndim == 4):
        kind = "vectors" if name in VECTOR_SETS else "images"
        raise UsageError(f"augmentations {name!r} are for {kind}, the data are {tuple(samples.shape[1:])} a sample")
    if name in VECTOR_SETS:
        if samples.shape[1] != 2:
            raise UsageError(f"augmentations {name!r} are for points of the plane, not of {samples.shape[1]} numbers")
        return VECTOR_SETS[name]
    made = IMAGE_SETS[name](samples.shape[-1], samples.shape[1])

    def of(images: Tensor) -> Tensor:
        # Views carry no gradient; kornia draws its parameters on the processor, from the same generator.
        with torch.no_grad():
            return torch.as_tensor(made(images)).clamp(0, 1)

    return of


def jittered(views: Views | None, spread: float) -> Views:
    """Views with Gaussian noise of this spread on every number: what is finer does not matter either.

    Without it BINCE has no use for distances: its optimum is cells of equal probability, whatever their width (see
    docs/train.md). With it, cells much narrower than the noise tell nothing of the other view, wherever they lie.
    """

    def of(samples: Tensor) -> Tensor:
        seen = samples if views is None else views(samples)
        return seen + spread * torch.randn_like(seen)

    return of


def radius(points: Tensor) -> Tensor:
    """(n, d) points -> (n, 1) their distance from the origin: all that rotations leave alone."""
    distance: Tensor = points.norm(dim=1, keepdim=True)
    return distance


TARGETS: Mapping[str, Views | None] = {"sample": None, "radius": radius}
"""What VIC may be asked to reconstruct: the sample itself, or what names its orbit."""
