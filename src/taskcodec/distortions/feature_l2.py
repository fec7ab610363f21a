"""Squared error of features: the distortion of frozen features for which a uniform step is optimal at high rate.

Beside `feature_l1`, which "Lossy Compression for Lossless Prediction" (Dubois et al., NeurIPS 2021) trains with.
"""

from taskcodec.distortions.objective import Reconstruction


class FeatureL2(Reconstruction):
    """The squared error of the features."""
