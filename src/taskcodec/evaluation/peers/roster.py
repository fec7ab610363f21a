"""The peers that the benchmark runs, each in the variant that predicts best here."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec

from taskcodec.evaluation.peers.faiss import Faiss, few_iterations, short_residual, short_rotation
from taskcodec.evaluation.peers.learned import LearnedBottleneck
from taskcodec.evaluation.peers.pca import PcaTruncation
from taskcodec.evaluation.peers.protocol import Peer
from taskcodec.evaluation.peers.scalar import Cast, Int8, Sign, Zstandard
from taskcodec.evaluation.peers.step import UniformStep

CODEBOOKS = (16, 32, 64, 128)  # of 256 entries: 128, 256, 512 and 1024 bits
LSQ_CODEBOOKS = (32, 64, 128)  # of 16 entries: 128, 256 and 512 bits
STEP_BITS = (128.0, 192.0, 256.0, 384.0, 512.0, 768.0, 1024.0, 1536.0)
PCA_KEPT = {"float16": (8, 16, 32, 64), "int8": (16, 32, 64, 128)}  # both 128, 256, 512 and 1024 bits
SHARES = (0.3, 0.5, 1.0, 2.0, 3.5, 6.0)  # about 1,550 to 200 bits on lite0 features


def unfitted_peers() -> list[Peer]:
    """Those that have nothing to fit."""
    return [Cast("float32"), Cast("float16"), Zstandard("float16")]


def fitted_peers(step_bits: Sequence[float] = STEP_BITS) -> list[Peer]:
    """Those fitted in seconds or minutes, without faiss's where it is missing. step_bits: rates of those with any.

    Tuned once on six sets (EfficientNet-Lite0 features, 1,000 photographs as background, three splits):
    - Square-root companding lowers PQ, RQ and the plain step by 0.5 to 1 point and lifts SQ4 and the KLT.
    - Without a background, training on views as well lifts PQ by 0.6 and RQ by 9 points.
    - OPQ reducing to 256 dimensions beats rotating all (+2 points at 256 bits); 20 rotations add nothing to 10.
    - Fitted to a set, its own images alone are better than a background beside them: for PQ by 0.1 to 0.9, OPQ 0.5 to
      1.3, PCA 0.3 to 1.9, the KLT up to 0.3 below 900 bits; RQ and LSQ lose 0.4 to 3.9 without one.
    - RQ after a PCA to 256 dimensions beats RQ on all (+0.5) in a sixth of the time; a beam of 5 adds nothing, and
      faiss's progressive training of the dimensions costs 1 point at 1024 bits.
    - LSQ with codebooks of 256 entries fits as many free vectors as a small fit set has samples (its error on unseen
      samples is then worse than PQ's) and takes hours, since its codebooks are solved for together; codebooks of 16
      entries after a PCA to 256 dimensions take seconds to minutes.
    """
    indexes = [Faiss(name, name, companded=True, pooled=True) for name in ("SQ8", "SQ4")]
    indexes += [Faiss("PQ", f"PQ{m}x8") for m in CODEBOOKS]
    indexes += [Faiss("OPQ", f"OPQ{m}_256,PQ{m}x8", most=5000, adjust=short_rotation) for m in CODEBOOKS]
    indexes += [Faiss("RQ", f"PCA256,RQ{m}x8", pooled=True, most=9000, adjust=short_residual) for m in CODEBOOKS]
    searched = [Faiss("LSQ", f"PCA256,LSQ{m}x4", pooled=True, most=9000, adjust=few_iterations) for m in LSQ_CODEBOOKS]
    if find_spec("faiss") is None:
        indexes = searched = []
    return [
        Int8(),
        Sign(),
        *indexes,
        *(UniformStep("KLT", bits, klt=True, companded=True, refit=True) for bits in step_bits),
        *(UniformStep("step", bits, refit=True) for bits in step_bits),
        *(UniformStep("step, tables as shipped", bits) for bits in step_bits),
        *(PcaTruncation(kept, "float16") for kept in PCA_KEPT["float16"]),
        *(PcaTruncation(kept, "int8") for kept in PCA_KEPT["int8"]),
        *searched,
        Zstandard("int8"),
    ]


def trained_peers() -> list[Peer]:
    """Those trained by gradients, a minute each; none where torch is missing."""
    if find_spec("torch") is None:
        return []
    return [LearnedBottleneck(share, refit) for refit in (False, True) for share in SHARES]
