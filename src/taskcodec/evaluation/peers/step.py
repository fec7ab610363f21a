"""One uniform step for all dimensions as a peer, with or without a rotation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from taskcodec.coding import decode_block, encode_block
from taskcodec.evaluation.peers.protocol import FitSet, Fitted, Float32s, Returned, in_blocks
from taskcodec.fitting.closed_form.rate import search_step
from taskcodec.quantization.uniform import quantize
from taskcodec.transforms.companding import compand, expand

PRIOR_ROWS = 512
ROUNDING = 0.5  # to the nearest


@dataclass(frozen=True)
class UniformStep:
    """One uniform step for all dimensions, a frozen table for each, entropy coded (LCLP's bottleneck, fitted).

    bits: the rate that the step is searched for.
    klt: rotate to the principal axes first.
    refit: centre, step and tables are fitted anew to the features about to be coded, as taskcodec's encoder may do;
        without it they stay as the fit set made them.
    """

    name: str
    bits: float
    klt: bool = False
    companded: bool = False
    refit: bool = False

    @property
    def setting(self) -> str:
        return f"{self.bits:g}"

    def fit(self, fit_set: FitSet) -> Fitted:
        own = self._source(fit_set.own)
        basis = np.linalg.eigh(_covariance(own))[1].astype(np.float32) if self.klt else None
        part = own[:: max(1, len(own) // 2000)]
        fitted_mean = own.mean(axis=0)
        prior = _rotate(part - fitted_mean, basis)
        fitted_step, fitted = search_step(prior, self.bits, float(prior.std()), ROUNDING)

        def encode_decode(features: Float32s) -> Returned:
            source = self._source(features)
            mean, step, tables = fitted_mean, fitted_step, fitted.tables
            if self.refit:
                mean = source.mean(axis=0)
                latent = _rotate(source - mean, basis)
                step, frozen = search_step(latent, self.bits, step, ROUNDING, prior[:PRIOR_ROWS])
                tables = frozen.tables

            def code(block: Float32s) -> tuple[Float32s, int]:
                data = encode_block(quantize(_rotate(block - mean, basis), step, ROUNDING), tables)
                symbols = decode_block(data, len(block), tables).astype(np.float32)
                return _rotate(symbols * np.float32(step), None if basis is None else basis.T) + mean, len(data)

            decoded, bits = in_blocks(source, code)
            return expand(decoded, "sqrt") if self.companded else decoded, bits

        return Fitted(encode_decode)

    def _source(self, features: Float32s) -> Float32s:
        return compand(features, "sqrt") if self.companded else features


def _rotate(rows: Float32s, basis: Float32s | None) -> Float32s:
    return rows if basis is None else rows @ basis


def _covariance(rows: Float32s) -> npt.NDArray[np.float64]:
    centred = rows.astype(np.float64) - rows.mean(axis=0, dtype=np.float64)
    return np.asarray(centred.T @ centred / len(rows))
