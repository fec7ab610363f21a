"""`StoreInfo`: what a store holds and takes, in numbers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from taskcodec.errors import CorruptFileError, FutureVersionError
from taskcodec.store.backend import Blobs
from taskcodec.store.catalogue import Catalogue
from taskcodec.store.file_layers.elsewhere import is_within, layer_at, missing_at, read_elsewhere
from taskcodec.store.file_layers.layout import CHECK_BYTES, FEATURES, FOLDER, BesideLayer, names_beside
from taskcodec.store.format.manifest import CODEC_KEY, Manifest
from taskcodec.store.format.records import coded

DAMAGED, LATER = "damaged: run taskcodec verify", "written by a later taskcodec: upgrade this one"


@dataclass(frozen=True)
class LayerInfo:
    """What a layer takes.

    Attributes:
        bytes: of its chunks; of a layer beside the features also of its metadata. None where it lies elsewhere, and
            that may not be looked at, and where it has a fault.
        bits_per_sample: bytes * 8 / samples; None likewise, and where it covers none.
        samples: coded samples that it covers, fewer than the store's where it was not made of all; None as `bytes` is.
            Of some of them it may have nothing: that stands in its chunks, which are not read.
        elsewhere: where it lies, None in the store.
        fault: why nothing is known of a layer of files, in words: its metadata are damaged or of a later version, or a
            chunk is missing. None where none shows without its chunks being read.
    """

    bytes: int | None
    bits_per_sample: float | None
    samples: int | None
    elsewhere: str | None = None
    fault: str | None = None


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
    sizes, samples, chunks = blobs.sizes(), manifest.samples, dict[str, int]()
    for layer in manifest.layers:
        chunks[layer.name] = 0
        for index in range(manifest.chunks):
            key = manifest.chunk_key(layer, index)
            if key not in sizes:
                raise CorruptFileError(f"{blobs.name}/{key}: missing")
            chunks[layer.name] += sizes[key]
    code_bytes = sum(chunks.values())
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
        layers={
            **{
                name: LayerInfo(size, 8 * size / max(samples, 1), samples)
                for name, size in (chunks if manifest.of_pictures else {FEATURES: code_bytes}).items()
            },
            **{
                name: _of_files(blobs, sizes, name, manifest, catalogue, elsewhere)
                for name in names_beside(sizes, list(chunks))
            },
        },
    )


def _of_files(
    blobs: Blobs,
    sizes: Mapping[str, int],
    name: str,
    manifest: Manifest,
    catalogue: Catalogue,
    elsewhere: Sequence[str],
) -> LayerInfo:
    """Of a layer of files, by its metadata and the sizes of what lies there; `sizes` are the store's.

    Raises SourceError, NetworkError or MismatchError where one of the places `elsewhere` does not have the layer.
    """
    place = None
    try:
        told = read_elsewhere(blobs, name)
        if told is not None and not is_within(place := told.place, elsewhere):
            return LayerInfo(None, None, None, place)
        there, layer, _ = layer_at(blobs, name, elsewhere)
    except CorruptFileError:
        return LayerInfo(None, None, None, place, DAMAGED)
    except FutureVersionError:
        return LayerInfo(None, None, None, place, LATER)
    own = {key: size for key, size in sizes.items() if key.startswith(f"{FOLDER}/{name}/")}
    size = sum(own.values())
    if told is not None:
        if layer is None:
            raise missing_at(blobs, told)
        own = there.sizes()
        size += sum(own.values())
    # No chunk is as short as its CRC-32C: of one that is, a power cut left the name alone.
    if layer is None or any(own.get(layer.chunk_key(at), 0) <= CHECK_BYTES for at in range(layer.chunks)):
        return LayerInfo(None, None, None, place, DAMAGED)
    samples = _covered(layer, manifest, catalogue)
    return LayerInfo(size, 8 * size / samples if samples else None, samples, place)


def _covered(layer: BesideLayer, manifest: Manifest, catalogue: Catalogue) -> int:
    """Coded samples that a layer covers: it counts those of the source, with such as could not be coded."""
    if layer.items >= manifest.samples + manifest.failures:
        return manifest.samples
    if not manifest.failures:
        return layer.items
    tables = catalogue.tables(["source_index", "status"])
    return sum(int((table["source_index"].filter(coded(table)).to_numpy() < layer.items).sum()) for table in tables)


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
