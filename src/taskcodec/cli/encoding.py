"""What `encode` does: settle the place, the codec and the backbone, then let the engine encode."""

import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from taskcodec.cli.jobs import (
    FIT_SAMPLES,
    NO_BACKBONE,
    backbone_for,
    check_bits,
    check_device,
    check_no_backbone,
    labelled,
    missed,
    unmatched,
)
from taskcodec.cli.places import place_of_the_new, put_in_place, remove_store, stored_at
from taskcodec.codec import Codec, load_codec
from taskcodec.data import FeatureSource, ImageSource, Source, open_source
from taskcodec.engines.learned import PREFIX, through
from taskcodec.engines.ledger import check_fits, is_same, own_codec, plan, request_of
from taskcodec.engines.local import Batches, Progress, Watch, encode_source, sample_features
from taskcodec.errors import MismatchError, SourceError, StorageError, TaskcodecError, UsageError
from taskcodec.fitting import default_bits
from taskcodec.fitting import fit as fit_codec
from taskcodec.store import Store, pack_zip
from taskcodec.transforms.spec import DEFAULT as DEFAULT_BACKBONE
from taskcodec.transforms.spec import check_name


@dataclass(frozen=True)
class EncodeOptions:
    """The options of `taskcodec encode`."""

    codec: str | None = None
    backbone: str | None = None
    bits: float | None = None
    labels: str | None = None
    refit: bool = True
    append: bool = False
    overwrite: bool = False
    chunk_rows: int = 1024
    device: str | None = None
    truncated: str = "keep"


def encode_job(
    source_name: str, store: str, options: EncodeOptions, progress: Progress, watch: Watch, say: Callable[[str], None]
) -> Store:
    """See `taskcodec encode`."""
    zipped = store.endswith(".zip")
    _check(store, zipped, options)
    source, table = labelled(open_source(source_name, options.truncated), options.labels)
    check_no_backbone(source, options.backbone)
    named = None if options.codec is None else load_codec(options.codec)
    source = through(source, named)
    packed = zipped and not options.overwrite and os.path.lexists(store)
    if packed and not _is_packed(store, source, named, options):
        raise StorageError(f"{store}: exists; replace it (--overwrite) or name another place")
    place = f"{store}.partial" if zipped and not packed else store
    if options.overwrite:
        place = place_of_the_new(store, lambda found: _is_begun(found, source, named, options))
    found, stale, bits = stored_at(place), False, options.bits
    finished = found is not None and found.manifest.state == "complete" and place == store
    if found is not None and options.overwrite:
        stale = finished or not _is_begun(found, source, named, options)
    if found is not None and not stale:
        codec, backbone = named, _recorded_backbone(found, place, source, named, options)
        bits = _rate(found.manifest.dimension, named, options)
    elif options.append:
        raise StorageError(f"{store}: no store to append to")
    else:
        codec, backbone = _codec_and_backbone(source, named, options, progress)
        bits = _rate(codec.dimension, named, options)
    try:
        opened = encode_source(
            source,
            codec,
            place,
            Codec.from_bytes,
            backbone=backbone,
            bits=bits,
            refit=options.refit,
            append=options.append,
            named=named is not None,
            codec_name=f"{PREFIX}{options.codec}",
            remove=(lambda: remove_store(place)) if stale else None,
            chunk_rows=options.chunk_rows,
            progress=progress,
            watch=watch,
            say=say,
        )
    except SourceError:
        _remove_empty(place)
        raise
    except StorageError:
        if place != store and os.path.isdir(place):
            _remove_bare(place)
        raise
    # A store that was finished before holds what other runs encoded, perhaps other sources that were appended since.
    by_this_run = (stale or not finished) and not options.append
    asked = options.bits is not None
    if bits is not None and by_this_run and (note := missed(bits, opened.info().bits_per_sample, asked)):
        say(note)
    if store.startswith("memory://"):
        say(f"warning: {store} lies in the memory of this command, and is gone when it ends; name a folder to keep it")
    if options.labels is not None:
        failed = set(opened.failures["id"].to_pylist())
        if note := unmatched(options.labels, table, source, failed):
            say(note)
    if options.labels is not None and not options.append and _labels_differ(opened, source):
        say(f"{place}: the labels in it are others, and were not changed; encode with --overwrite to change them")
    if place == store:
        return opened
    if zipped:
        pack_zip(place, store)
        remove_store(place)
    else:
        put_in_place(place, store)
    return Store(store, Codec.from_bytes)


def fitted_here(options: EncodeOptions, used: Codec | None) -> bool:
    """Whether such a run fits its own codec to what it encodes: told to fit one, its user could do no better."""
    if options.codec is not None or options.append or used is None:
        return False
    return used.backbone is None or used.backbone.name != DEFAULT_BACKBONE


def _remove_empty(place: str) -> None:
    """Take away what a run left that coded nothing, so that it does not block the place."""
    left = stored_at(place)
    if left is not None and left.manifest.state == "complete" and not len(left):
        remove_store(place)


def _remove_bare(place: str) -> None:
    """Remove a folder beside the store in which no file lies: a disk that was full from the start."""
    for folder, _, _ in os.walk(place, topdown=False):
        with suppress(OSError):  # one that is not empty stays
            os.rmdir(folder)


def _labels_differ(store: Store, source: Source) -> bool:
    """Whether a store was written with other labels than the source has now."""
    found = store.records.select(["source_index", "label"]).to_pylist()
    own = [item.label for item in source.items] if isinstance(source, ImageSource) else source.labels
    own = own or []
    return any(row["label"] != own[row["source_index"]] for row in found if row["source_index"] < len(own))


def _check(store: str, zipped: bool, options: EncodeOptions) -> None:
    check_bits(options.bits)
    check_device(options.device)
    if options.backbone not in (None, NO_BACKBONE):
        check_name(options.backbone)
    if options.append and options.overwrite:
        raise UsageError("--append adds to a store and --overwrite replaces it: give one of them")
    if options.append and options.bits is not None:
        raise UsageError(f"--bits goes with a new store: what is appended is coded at the step that {store} has")
    if options.append and zipped:
        raise UsageError(f"{store}: a zip file is not appended to; append to a folder, then pack it")
    if zipped and os.path.isdir(store):
        raise StorageError(f"{store}: a folder, where a zip file is to be written")


def _rate(dimension: int, named: Codec | None, options: EncodeOptions) -> float | None:
    """The rate asked for; without any, and without a codec that was made for one, the usual one."""
    return default_bits(dimension) if named is None and options.bits is None else options.bits


def _request(found: Store, source: Source, named: Codec | None, options: EncodeOptions) -> dict[str, Any]:
    bits = _rate(found.manifest.dimension, named, options)
    fingerprint = None if named is None else named.fingerprint
    return request_of(source, fingerprint, named is not None, bits, options.refit, options.chunk_rows)


def _is_begun(found: Store, source: Source, named: Codec | None, options: EncodeOptions) -> bool:
    """Whether a store was begun with this very command."""
    if not is_same(found.manifest, _request(found, source, named, options)):
        return False
    if named is not None or isinstance(source, FeatureSource):
        return True
    spec = own_codec(found).backbone
    return spec is not None and spec.name == (options.backbone or DEFAULT_BACKBONE)


def _is_packed(store: str, source: Source, named: Codec | None, options: EncodeOptions) -> bool:
    """Whether a zip file is the finished store of this very command."""
    try:
        found = stored_at(store)
        return found is not None and _is_begun(found, source, named, options)
    except TaskcodecError:  # whatever else it is, it is not that
        return False


def _recorded_backbone(found: Store, place: str, source: Source, named: Codec | None, options: EncodeOptions) -> Any:
    """The backbone of a store that is resumed or added to; None where there is nothing to compute.

    Raises StorageError or MismatchError where this command has no business with the store.
    """
    if options.append:
        check_fits(found, place, source, named, options.codec or "")
    request = _request(found, source, named, options)
    todo = plan(found, place, source, request, options.append)
    if not options.append and not _is_begun(found, source, named, options):
        raise StorageError(f"{place}: begun with another backbone; replace it (--overwrite) or name another place")
    if not isinstance(source, ImageSource):
        return None
    spec = own_codec(found).backbone
    if spec is None:
        raise MismatchError(f"{place}: its codec has no backbone; it takes features (.npy, .parquet), not images")
    if options.backbone not in (None, spec.name):
        raise MismatchError(f"{place}: encoded with the backbone {spec.name}, not with {options.backbone}")
    if todo.action == "nothing":
        return None
    from taskcodec.transforms.backbones import load_backbone_for

    return load_backbone_for(spec, options.device)


def _codec_and_backbone(
    source: Source, named: Codec | None, options: EncodeOptions, progress: Progress
) -> tuple[Codec, Any]:
    """The codec of a new store: the one named, the bundled one, or one fitted now."""
    if named is not None:
        if isinstance(source, FeatureSource):
            return named, None
        if named.g_a is not None:
            from taskcodec.transforms.backbones import load_backbone

            return named, load_backbone(f"{PREFIX}{options.codec}", options.device)
        if named.backbone is None:
            raise UsageError(f"{options.codec}: a codec without a backbone takes features (.npy, .parquet), not images")
        if options.backbone not in (None, named.backbone.name):
            raise UsageError(f"{options.codec}: fitted on {named.backbone.name}, not on {options.backbone}")
        from taskcodec.transforms.backbones import load_backbone_for

        return named, load_backbone_for(named.backbone, options.device)
    backbone = backbone_for(source, options.backbone, options.device)
    if backbone is not None and backbone.spec.name == DEFAULT_BACKBONE:
        return load_codec(DEFAULT_BACKBONE), backbone
    batches = Batches(source, backbone)
    features = sample_features(batches, FIT_SAMPLES, progress)
    if len(features) < 2:
        raise SourceError(
            f"{source.name}: no codec was named, and a fit of one needs at least 2 samples that can be read, "
            f"found {len(features)}{batches.fault()}"
        )
    spec = None if backbone is None else backbone.spec
    return fit_codec(features, bits=options.bits, backbone=spec), backbone
