"""What the verbs do, put together from the floors below."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from taskcodec.codec import Codec, load_codec
from taskcodec.data import FeatureSource, ImageSource, Source, open_source, read_labels
from taskcodec.engines.local import Batches, Progress, Watch, encode_source, sample_features, write_features
from taskcodec.engines.views import view_features
from taskcodec.errors import SourceError, StorageError, UsageError
from taskcodec.fitting import default_bits
from taskcodec.fitting import fit as fit_codec
from taskcodec.store import SampleRecord, Store, pack_zip
from taskcodec.store.backend import FolderBlobs, open_blobs
from taskcodec.store.manifest import GROUP_KEY, read_manifest

FIT_SAMPLES = 20_000
METHODS = ("bottleneck", "dimensionwise")


def encode_job(
    source_name: str,
    store: str,
    codec_name: str | None,
    backbone_name: str | None,
    bits: float | None,
    labels: str | None,
    refit: bool,
    append: bool,
    overwrite: bool,
    chunk_rows: int,
    device: str | None,
    progress: Progress,
    watch: Watch,
) -> Store:
    """See `taskcodec encode`."""
    _check_bits(bits)
    source = _labelled(open_source(source_name), labels)
    place = store
    if store.endswith(".zip"):
        if append:
            raise UsageError(f"{store}: a zip file is not appended to; append to a folder, then pack it")
        if Path(store).exists() and not overwrite:
            raise StorageError(f"{store}: exists; replace it (--overwrite) or name another place")
        place = f"{store}.partial"
    if overwrite:
        _remove(store)
    codec, backbone = _codec_and_backbone(source, place, codec_name, backbone_name, bits, device, progress)
    if codec_name is None and bits is None:
        bits = default_bits(codec.dimension)
    opened = encode_source(
        source,
        codec,
        place,
        Codec.from_bytes,
        backbone=backbone,
        bits=bits,
        refit=refit,
        append=append,
        chunk_rows=chunk_rows,
        progress=progress,
        watch=watch,
    )
    if place != store:
        pack_zip(place, store)
        shutil.rmtree(place)
        return Store(store, Codec.from_bytes)
    return opened


def fit_job(
    source_name: str,
    backbone_name: str | None,
    bits: float | None,
    step: float | None,
    tolerance: float | None,
    labels: str | None,
    method: str,
    device: str | None,
    progress: Progress,
) -> Codec:
    """See `taskcodec fit`."""
    _check_bits(bits)
    if sum(value is not None for value in (bits, step, tolerance)) > 1:
        raise UsageError("give one of --bits, --step and --tolerance")
    if step is not None and not step > 0:
        raise UsageError(f"--step must be positive, found {step:g}")
    if method not in METHODS:
        raise UsageError(f"--method {method} is neither of {', '.join(METHODS)}")
    source = _labelled(open_source(source_name), labels)
    backbone = _backbone(source, backbone_name or "lite0", device)
    batches = Batches(source, backbone)
    features = sample_features(batches, FIT_SAMPLES, progress)
    if len(features) < 2:
        raise SourceError(f"{source_name}: a fit needs at least 2 samples that can be read, found {len(features)}")
    options: dict[str, Any] = {"method": method, "backbone": None if backbone is None else backbone.spec}
    if method == "bottleneck" and isinstance(source, ImageSource) and backbone is not None:
        options["views"] = view_features(source, backbone, backbone.preprocess.crop, progress)
    if tolerance is None:
        return fit_codec(features, bits=bits, step=step, **options)
    from taskcodec.evaluation.holdout import LABELLED_SOURCE
    from taskcodec.evaluation.tolerance import cheapest_within, one_fit

    records = [record for number in sorted(batches.kept) for record in batches.kept[number].records]
    targets = np.array([record.label for record in records if record.status == "ok"], dtype=object)
    known = np.array([target is not None for target in targets])
    if not known.any():
        raise UsageError("--tolerance needs labels: folders named by class, or --labels FILE.csv")
    at = one_fit(features, lambda rate: fit_codec(features, bits=rate, **options))
    chosen = cheapest_within(features[known], targets[known], tolerance, at).codec
    return replace(chosen, provenance={**chosen.provenance, LABELLED_SOURCE: source.descriptor()["sha256"]})


def features_job(
    source_name: str, output: Path, backbone_name: str | None, device: str | None, progress: Progress
) -> tuple[int, list[SampleRecord]]:
    """See `taskcodec features`."""
    source = open_source(source_name)
    return write_features(source, output, _backbone(source, backbone_name or "lite0", device), progress)


def _codec_and_backbone(
    source: Source,
    place: str,
    codec_name: str | None,
    backbone_name: str | None,
    bits: float | None,
    device: str | None,
    progress: Progress,
) -> tuple[Codec, Any]:
    """The codec to encode with: the one named, the store's own when it is there, the bundled one, or one fitted now."""
    if codec_name is not None:
        codec = load_codec(codec_name)
        if isinstance(source, FeatureSource):
            return codec, None
        if codec.backbone is None:
            raise UsageError(f"{codec_name}: a codec without a backbone takes features (.npy, .parquet), not images")
        if backbone_name not in (None, codec.backbone.name):
            raise UsageError(f"{codec_name}: fitted on {codec.backbone.name}, not on {backbone_name}")
        from taskcodec.transforms.backbones import load_backbone_for

        return codec, load_backbone_for(codec.backbone, device)
    backbone = _backbone(source, backbone_name or "lite0", device)
    if backbone is not None and backbone.spec.name == "lite0":
        return load_codec("lite0"), backbone
    features = sample_features(Batches(source, backbone), FIT_SAMPLES, progress)
    if len(features) < 2:
        raise SourceError(f"{source.name}: no codec was named, and too few samples to fit one ({len(features)})")
    spec = None if backbone is None else backbone.spec
    return fit_codec(features, bits=bits, backbone=spec), backbone


def _backbone(source: Source, name: str, device: str | None) -> Any:
    if isinstance(source, FeatureSource):
        return None
    from taskcodec.transforms.backbones import load_backbone

    return load_backbone(name, device)


def _labelled(source: Source, labels: str | None) -> Source:
    if labels is None:
        return source
    table = read_labels(labels)
    found = source.with_labels(table)
    matched = (
        any(item.label is not None for item in found.items)
        if isinstance(found, ImageSource)
        else any(label is not None for label in found.labels or ())
    )
    if not matched:
        raise UsageError(f"{labels}: none of its {len(table)} ids is in {source.name}")
    return found


def _check_bits(bits: float | None) -> None:
    if bits is not None and not (np.isfinite(bits) and bits > 0):
        raise UsageError(f"--bits must be positive, found {bits:g}")


def _remove(store: str) -> None:
    """Remove a store, and only a store: a folder of anything else is refused."""
    path = Path(store)
    if path.is_file():
        path.unlink()
        return
    blobs = open_blobs(store)
    if blobs.get(GROUP_KEY) is None:
        return
    read_manifest(blobs)
    if isinstance(blobs, FolderBlobs):
        shutil.rmtree(path)
    else:
        for key in blobs.sizes():
            blobs.delete(key)
