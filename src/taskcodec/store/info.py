"""`StoreInfo`: what a store holds and takes, in numbers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from taskcodec.errors import CorruptFileError
from taskcodec.store.backend import Blobs
from taskcodec.store.catalogue import Catalogue
from taskcodec.store.file_layers.elsewhere import is_within, layer_at, missing_at, read_elsewhere
from taskcodec.store.file_layers.layout import ELSEWHERE, FEATURES, FOLDER, names_beside
from taskcodec.store.format.manifest import CODEC_KEY, Manifest


@dataclass(frozen=True)
class LayerInfo:
    """What a layer takes.

    Attributes:
        bytes: of its chunks; of a layer beside the features also of its metadata.
        bits_per_sample: bytes * 8 / samples.
        elsewhere: where it lies, None in the store; its bytes there count only where they may be looked at.
    """

    bytes: int
    bits_per_sample: float
    elsewhere: str | None = None


@dataclass(frozen=True)
class StoreInfo:
    """Counts and sizes of a store, all from real files.

    Attributes:
        samples: coded samples.
        failures: source samples that could not be coded.
        dimension: features of a decoded sample; 0 of pictures, which have none.
        columns: symbols of a coded sample; of pictures at each place.
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
        layers: what each takes, by name: the features, or each layer of pictures, and what is kept beside them.
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


def measure(
    blobs: Blobs,
    manifest: Manifest,
    catalogue: Catalogue,
    fitted: bool,
    provenance: Mapping[str, Any],
    elsewhere: Sequence[str] = (),
) -> StoreInfo:
    """Counts and sizes of a store. Raises CorruptFileError where a chunk or what is counted of them is missing.

    `elsewhere` are places at which layers may be looked at that lie outside the store.
    """
    sizes, samples, coded = blobs.sizes(), manifest.samples, dict[str, int]()
    for layer in manifest.layers:
        coded[layer.name] = 0
        for index in range(manifest.chunks):
            key = manifest.chunk_key(layer, index)
            if key not in sizes:
                raise CorruptFileError(f"{blobs.name}/{key}: missing")
            coded[layer.name] += sizes[key]
    code_bytes = sum(coded.values())
    store_bytes, source_bytes = sum(sizes.values()), catalogue.source_bytes()
    return StoreInfo(
        samples=samples,
        failures=manifest.failures,
        dimension=manifest.dimension,
        columns=manifest.columns,
        code_bytes=code_bytes,
        store_bytes=store_bytes,
        source_bytes=source_bytes,
        bits_per_sample=8 * code_bytes / max(samples, 1),
        ratio=source_bytes / max(code_bytes, 1),
        store_ratio=source_bytes / max(store_bytes, 1),
        fingerprint=manifest.fingerprint,
        state=manifest.state,
        codec_bytes=sizes.get(CODEC_KEY, 0),
        fitted=fitted,
        variance_kept=_number(provenance.get("variance_kept")),
        cosine=_number(provenance.get("cosine")),
        layers=_layers(blobs, sizes, manifest, coded if manifest.of_pictures else {FEATURES: code_bytes}, elsewhere),
    )


def _layers(
    blobs: Blobs, sizes: Mapping[str, int], manifest: Manifest, coded: Mapping[str, int], elsewhere: Sequence[str]
) -> dict[str, LayerInfo]:
    """What is coded, and the bytes of each layer beside it, those of its metadata too."""
    count = max(manifest.samples, 1)
    found = {name: LayerInfo(size, 8 * size / count) for name, size in coded.items()}
    for name in names_beside(sizes, [layer.name for layer in manifest.layers]):
        size = sum(size for key, size in sizes.items() if key.startswith(f"{FOLDER}/{name}/"))
        place = None
        if f"{FOLDER}/{name}/{ELSEWHERE}" in sizes and (told := read_elsewhere(blobs, name)) is not None:
            place = told.place
            if is_within(place, elsewhere):
                there, layer, _ = layer_at(blobs, name, elsewhere)
                if layer is None:
                    raise missing_at(blobs, told)
                size += sum(there.sizes().values())
        found[name] = LayerInfo(size, 8 * size / count, place)
    return found


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
