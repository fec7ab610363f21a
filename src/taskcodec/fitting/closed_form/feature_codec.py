"""`FeatureCodec`: a codec as a scikit-learn transformer."""

from typing import Any, Self

import numpy as np
import numpy.typing as npt

from taskcodec.errors import TaskcodecError, needing_packages
from taskcodec.fitting.closed_form.fit import Method
from taskcodec.fitting.closed_form.fit import fit as fit_codec
from taskcodec.samples import as_array

with needing_packages():
    from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
    from sklearn.utils.validation import check_array, check_is_fitted, validate_data


class FeatureCodec(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Fits a codec without labels; `transform` gives symbols, `inverse_transform` the features they stand for.

    The symbols are integers in the codec's latent space, so a linear predictor can also be trained on them directly.

    Parameters:
        bits: rate in bits per sample; None takes `default_bits`.
        method: "bottleneck" or "dimensionwise", see `taskcodec.fit`.

    Attributes:
        codec_: the fitted `Codec`: save it, or encode a store with it.
        n_features_in_: d.

    >>> import numpy as np
    >>> from taskcodec.fitting.closed_form.feature_codec import FeatureCodec
    >>> x = np.random.default_rng(0).normal(size=(200, 16))
    >>> coder = FeatureCodec(bits=64).fit(x)
    >>> coder.inverse_transform(coder.transform(x)).shape
    (200, 16)
    """

    def __init__(self, bits: float | None = None, method: Method = "bottleneck") -> None:
        self.bits = bits
        self.method = method

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = []  # symbols are integers whatever comes in
        return tags

    def fit(self, X: npt.ArrayLike, y: object = None) -> Self:
        """Fit to (n, d) features; `y` is ignored."""
        x = validate_data(self, as_array(X), dtype=np.float32, ensure_min_samples=2)
        try:
            self.codec_ = fit_codec(x, bits=self.bits, method=self.method)
        except TaskcodecError as error:
            raise ValueError(str(error)) from error
        self._n_features_out = self.codec_.columns
        return self

    def transform(self, X: npt.ArrayLike) -> npt.NDArray[np.int32]:
        """(n, d) features -> (n, k) symbols."""
        check_is_fitted(self)
        return self.codec_.encode(validate_data(self, as_array(X), dtype=np.float32, reset=False))

    def inverse_transform(self, X: npt.ArrayLike) -> npt.NDArray[np.float32]:
        """(n, k) symbols -> (n, d) features."""
        check_is_fitted(self)
        symbols: Any = check_array(X, dtype=np.int32)
        return np.asarray(self.codec_.decode(symbols))
