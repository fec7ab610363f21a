"""`StoreInfo`: what a store holds and takes, in numbers."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class LayerInfo:
    """What a layer takes.

    Attributes:
        bytes: of its chunks; of a layer beside the features also of its metadata.
        bits_per_sample: bytes * 8 / samples.
    """

    bytes: int
    bits_per_sample: float


@dataclass(frozen=True)
class StoreInfo:
    """Counts and sizes of a store, all from real files.

    Attributes:
        samples: coded samples.
        failures: source samples that could not be coded.
        dimension: features of a decoded sample.
        columns: symbols of a coded sample.
        code_bytes: the entropy-coded chunks as they lie on disk, checksums included.
        store_bytes: every byte of the store.
        source_bytes: the source files of the coded samples.
        bits_per_sample: code_bytes * 8 / samples.
        ratio: source_bytes / code_bytes.
        store_ratio: source_bytes / store_bytes.
        fingerprint: of the codec.
        state: "complete" or "writing".
        codec_bytes: the store's copy of its codec.
        fitted: whether that codec was fitted to what the store was made of.
        variance_kept: the share of the variance that a like fit kept of samples held back from it; None where the codec
            was not fitted here, where none were held back, or they do not vary.
        layers: what each takes, by name: the features, and what is kept beside them.
        cosine: between such samples and their decoded selves, in the mean; None likewise.
    """

    samples: int
    failures: int
    dimension: int
    columns: int
    code_bytes: int
    store_bytes: int
    source_bytes: int
    bits_per_sample: float
    ratio: float
    store_ratio: float
    fingerprint: str
    state: str
    codec_bytes: int
    fitted: bool
    variance_kept: float | None
    cosine: float | None
    layers: dict[str, LayerInfo] = field(default_factory=dict)
