"""Fits that return a `Codec`: closed form, in seconds."""

from taskcodec.fitting.closed_form.fit import DEFAULT_BITS, default_bits, fit
from taskcodec.fitting.closed_form.rate import MIN_ADAPT_SAMPLES, adapt, at_bits, at_step
from taskcodec.fitting.closed_form.within import within_covariance

__all__ = [
    "DEFAULT_BITS",
    "MIN_ADAPT_SAMPLES",
    "adapt",
    "at_bits",
    "at_step",
    "default_bits",
    "fit",
    "within_covariance",
]
