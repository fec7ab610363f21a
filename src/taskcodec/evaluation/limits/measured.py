"""Codecs and peers on the samples held out: real bytes, and errors."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec

from taskcodec.codec import Codec
from taskcodec.coding.symbol_model import Symbols
from taskcodec.errors import UsageError
from taskcodec.evaluation.limits.parts import Parts
from taskcodec.evaluation.peers.faiss import CENTROIDS, Faiss
from taskcodec.evaluation.peers.protocol import Peer, Returned, alone
from taskcodec.evaluation.peers.scalar import Zstandard
from taskcodec.evaluation.peers.step import UniformStep
from taskcodec.layer import given_of
from taskcodec.quantization.uniform import UniformQuantizer
from taskcodec.store import CHUNK_ROWS
from taskcodec.store.format.packets import encode_packets
from taskcodec.store.format.zarr_codec import encode_rows
from taskcodec.theory.limits.granular import granular_bits
from taskcodec.theory.limits.laws import Floats

CENTROID_BITS = 8
"""Of a faiss codebook."""


@dataclass(frozen=True, eq=False)
class Measured:
    """A codec on the samples held out.

    Attributes:
        codec: "fitted", "store", or the name of a peer.
        asked: the rate that it was fitted to, where there is one.
        bits: of a sample, in real bytes.
        errors: (n,) squared errors.
        costs: (n,) ideal bits of each sample; None where only the whole is known.
        granular: bits of a sample that are granular loss; None where they are not reckoned.
    """

    codec: str
    asked: float | None
    bits: float
    errors: Floats
    costs: Floats | None
    granular: float | None


def measured(codec: Codec, parts: Parts, kind: str, asked: float | None) -> Measured:
    """A codec of one layer or several: the bits of all of them, the errors of the highest.

    What cubic cells cost is reckoned of a single layer: one on top of another cuts that one's cells anew.
    """
    symbols = codec.encode_features(parts.held)
    costs = codec.costs(symbols)
    cubes = len(codec.layers) == 1 and isinstance(codec.base.quantizer, UniformQuantizer)
    granular = float(granular_bits(costs.mean(axis=0)).sum()) if cubes else None
    errors = parts.errors(codec.decode(symbols))
    return Measured(kind, asked, real_bits(codec, symbols), errors, costs.sum(axis=1), granular)


def real_bits(codec: Codec, symbols: Symbols) -> float:
    """What symbols (n, columns) of all layers take, bits a sample in the bytes of a store's chunks."""
    chunks = (symbols[start : start + CHUNK_ROWS] for start in range(0, len(symbols), CHUNK_ROWS))
    return 8 * sum(_bytes_of(codec, chunk) for chunk in chunks) / len(symbols)


def _bytes_of(codec: Codec, symbols: Symbols) -> int:
    """Of a chunk: what each layer takes, as stores write it."""
    own, size = codec.by_layer(symbols), 0
    for layer in codec.layers:
        if layer.model.given_columns:
            size += len(encode_packets(own[layer.name], layer.model, given_of(layer, own)))
        else:
            size += len(encode_rows(own[layer.name], layer.model))
    return size


def peers_of(parts: Parts, rates: Sequence[float]) -> list[Peer]:
    """Peers that are drawn: scalar quantization with an entropy coder, transform coding, product quantization, zstd.

    Those of any rate have the rates of our codecs, and see square roots where errors are those of square roots. PQ is
    there where faiss is, with samples enough for its codebooks and features that they divide.
    """
    n, d = parts.fitted.shape
    roots, found = parts.companding == "sqrt", list[Peer]()
    for klt, name in ((False, "step"), (True, "KLT")):
        found += [UniformStep(name, rate, klt=klt, companded=roots) for rate in rates]
    if find_spec("faiss") is not None and n >= CENTROIDS:
        counts = dict.fromkeys(round(rate / CENTROID_BITS) for rate in rates)
        found += [Faiss("PQ", f"PQ{m}x8", companded=roots) for m in counts if 0 < m <= d and d % m == 0]
    return [*found, Zstandard("int8")]


def measured_peer(peer: Peer, parts: Parts) -> Measured:
    """A peer that is fitted to what our codecs are fitted to. Raises UsageError where it cannot be."""
    decoded, bits = returned_by(peer, parts)
    return Measured(peer.name, asked_of(peer), bits, parts.errors(decoded), None, None)


def returned_by(peer: Peer, parts: Parts) -> Returned:
    """What comes back of the samples held out, and the bits. Raises UsageError where the peer cannot be fitted."""
    try:
        return peer.fit(alone(parts.fitted)).encode_decode(parts.held)
    except UsageError as error:
        raise UsageError(f"{peer.name} {peer.setting}: {error}") from error


def asked_of(peer: Peer) -> float | None:
    """The rate that a peer is fitted to, where it takes one."""
    return peer.bits if isinstance(peer, UniformStep) else None
