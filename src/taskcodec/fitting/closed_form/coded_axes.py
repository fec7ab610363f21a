"""A fitted codec's linear map as coded integers, which take a tenth of two matrices in 16 bits."""

import numpy as np
import numpy.typing as npt

from taskcodec.codec import Codec
from taskcodec.entropy_models.empirical import freeze, sketch
from taskcodec.fitting.closed_form.rate import search_step, uniform_of
from taskcodec.layer import Layer
from taskcodec.transforms.affine import AffineTransform
from taskcodec.transforms.axes import MAX_NUMBERS, round_axes
from taskcodec.transforms.companding import compand

AXES_ERROR = 0.02
"""Axes are rounded so that this adds such a share to the squared error: 3 to 4 bits a number."""
MOST_OF_USUAL = 30.0
"""That error counts as so many times what the axes have in the median, at most: one axis in a far larger unit than the
rest has nearly all of it, and says nothing of how fine the others must be."""
CENTRE_ERROR = 0.001
"""Share of the squared error up to which a centre is kept in 16 bits."""


def with_coded_axes(codec: Codec, x: npt.NDArray[np.float32], bits: float | None) -> Codec:
    """The codec with its orthonormal axes rounded, and step and tables fitted to what (n, d) features then give.

    `bits` is the rate to meet; None keeps the step.
    """
    transform, quantizer = codec.base.transform.affine, uniform_of(codec)
    companding = transform.companding
    if transform.synthesis_matrix is None or transform.synthesis_matrix.size > MAX_NUMBERS:
        return codec
    axes = transform.synthesis_matrix.T.astype(np.float64)
    companded = compand(x, companding)
    decoded = compand(codec.decode(codec.encode(x)), companding)
    error = float(np.square(companded - decoded, dtype=np.float64).sum() / len(x))
    variances, errors = (np.square(u @ axes).mean(axis=0) for u in (companded - transform.centre, companded - decoded))
    error = min(error, MOST_OF_USUAL * len(errors) * float(np.median(errors)))
    rounded = round_axes(axes, variances, AXES_ERROR * max(error, float(np.finfo(np.float32).tiny)))
    with np.errstate(over="ignore"):
        centre = transform.centre.astype(np.float16).astype(np.float32)
    if not float(np.square(centre - transform.centre, dtype=np.float64).sum()) < CENTRE_ERROR * error:
        centre = transform.centre
    transform = AffineTransform(companding, centre, transform.scale, axes=rounded, unit_norm=transform.unit_norm)
    latent = transform.analyse(x)
    if bits is None:
        frozen = freeze(latent, quantizer.step, quantizer.rounding)
    else:
        frozen = search_step(latent, bits, quantizer.step, quantizer.rounding)[1]
    density = sketch(latent, len(codec.base.sketch))
    return codec.with_base(Layer(codec.base.name, transform, frozen.quantizer, frozen.model, density))
