"""What `encode` does: settle the place, the codec and the backbone, then let the engine encode."""

import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from taskcodec.codec import Codec
from taskcodec.data import FeatureSource, ImageSource, Source, open_source
from taskcodec.engines.encode.learned import through, through_analysis_of
from taskcodec.engines.encode.ledger import as_fitted, check_fits, is_same, plan, request_of
from taskcodec.engines.encode.local import Features, Fit, Progress, Watch, encode_source
from taskcodec.engines.encode.places import is_zipped, place_of_the_new, put_in_place, remove_store, settled, stored_at
from taskcodec.engines.encode.sources import (
    NO_BACKBONE,
    backbone_for,
    check_bits,
    check_device,
    check_no_backbone,
    labelled,
    missed,
    unmatched,
)
from taskcodec.errors import MismatchError, SourceError, StorageError, TaskcodecError, UsageError
from taskcodec.fitting import default_bits
from taskcodec.fitting.closed_form.usual import QUALITIES, fit_usual
from taskcodec.loading import BUNDLED, load_codec
from taskcodec.store import Store, pack_zip
from taskcodec.transforms.spec import CARRIED, check_name
from taskcodec.transforms.spec import DEFAULT as DEFAULT_BACKBONE

LITTLE_KEPT = 0.1
"""A fit that keeps less than this share of the variance of samples like its own has learned its own by heart."""


@dataclass(frozen=True)
class EncodeOptions:
    """The options of `taskcodec encode`.

    Attributes:
        codec: file, store or name of a bundled codec; None: one is fitted to the source.
        backbone: what makes features of images.
        bits: the rate to meet, in bits a sample.
        labels: `FILE.csv` or `FILE.csv:COLUMN`.
        quality: "small", "usual" or "safe", instead of a rate.
        fit: False: the codec that ships with the backbone.
        refit: whether a codec that is named, or ships, is refitted to the source.
        append, overwrite: add to a finished store, or replace what lies there.
        chunk_rows: samples in a chunk.
        device: where the backbone runs.
    """

    codec: str | None = None
    backbone: str | None = None
    bits: float | None = None
    labels: str | None = None
    quality: str | None = None
    fit: bool = True
    refit: bool = True
    append: bool = False
    overwrite: bool = False
    chunk_rows: int = 1024
    device: str | None = None
    truncated: str = "keep"


def encode_job(
    given: str | Source,
    store: str,
    options: EncodeOptions,
    progress: Progress,
    watch: Watch,
    say: Callable[[str], None],
) -> Store:
    """See `taskcodec encode`."""
    store = settled(store)
    zipped = is_zipped(store)
    _check(store, zipped, options)
    opened_source = open_source(given, options.truncated) if isinstance(given, str) else given
    source, table = labelled(opened_source, options.labels)
    check_no_backbone(source, options.backbone)
    named = None if options.codec is None else load_codec(options.codec)
    add = options.append and named is None
    source = through_analysis_of(stored_at(store), source) if add else through(source, named)
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
        bits = _rate(found.manifest.dimension, options)
    elif options.append:
        raise StorageError(f"{store}: no store to append to")
    else:
        codec, backbone = _codec_and_backbone(source, named, options)
        bits = options.bits if codec is None else _rate(codec.dimension, options)
    try:
        opened = encode_source(
            source,
            codec,
            place,
            backbone=backbone,
            bits=bits,
            refit=options.refit,
            make=_fit(source, backbone, options) if _fits(options) else None,
            quality=_quality(options),
            append=options.append,
            named=named is not None,
            codec_name=f"{CARRIED}{options.codec}",
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
    kept = opened.info().variance_kept if by_this_run else None
    if kept is not None and kept < LITTLE_KEPT:
        say(
            f"warning: of samples like these that it was not fitted to the codec keeps {max(kept, 0):.0%} of the "
            "variance: leave --bits out, or give more samples"
        )
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
    return Store(store)


def fitted_here(options: EncodeOptions) -> bool:
    """Whether such a run fits its own codec to what it encodes: told to fit one, its user could do no better."""
    return _fits(options) and not options.append


def _fits(options: EncodeOptions) -> bool:
    return options.codec is None and options.fit


def _quality(options: EncodeOptions) -> str | None:
    """What a store that is fitted records of the rate, where none is given in bits."""
    return (options.quality or "usual") if _fits(options) and options.bits is None else None


def _fit(source: Source, backbone: Any, options: EncodeOptions) -> Fit:
    """What fits the codec of a new store to features spread over its source."""
    spec = None if backbone is None else backbone.spec

    def fitted(features: Features) -> Codec:
        quality: Any = options.quality or "usual"
        return fit_usual(features, len(source), bits=options.bits, quality=quality, backbone=spec)

    return fitted


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
    if options.quality not in (None, *QUALITIES):
        raise UsageError(f"--quality {options.quality} is none of {', '.join(QUALITIES)}")
    if options.quality is not None and (options.bits is not None or not _fits(options) or options.append):
        raise UsageError("--quality is of a codec fitted here: it goes without --bits, --codec, --no-fit and --append")
    if options.codec is not None and not options.fit:
        raise UsageError("--no-fit takes the codec that ships with the backbone, --codec another: give one of them")
    if not options.refit and fitted_here(options):
        raise UsageError("--no-refit is of a codec that is named or ships: give --codec or --no-fit, or leave it out")
    if options.append and options.overwrite:
        raise UsageError("--append adds to a store and --overwrite replaces it: give one of them")
    if options.append and not (options.fit and options.refit):
        raise UsageError("--no-fit and --no-refit go with a new store: what is appended is coded by the store's codec")
    if options.append and options.bits is not None:
        raise UsageError(f"--bits goes with a new store: what is appended is coded at the step that {store} has")
    if options.append and zipped:
        raise UsageError(f"{store}: a zip file is not appended to; append to a folder, then pack it")
    if zipped and os.path.isdir(store):
        raise StorageError(f"{store}: a folder, where a zip file is to be written")


def _rate(dimension: int, options: EncodeOptions) -> float | None:
    """The rate asked for; without any, that of the codec that ships, or None for what is fitted or named."""
    ships = options.codec in BUNDLED and not os.path.exists(options.codec) if options.codec else not options.fit
    return default_bits(dimension) if ships and options.bits is None else options.bits


def _request(found: Store, source: Source, named: Codec | None, options: EncodeOptions) -> dict[str, Any]:
    bits = _rate(found.manifest.dimension, options)
    fingerprint = None if named is None else named.fingerprint
    request = request_of(source, fingerprint, named is not None, bits, options.refit, options.chunk_rows)
    return as_fitted(request, _quality(options)) if _fits(options) else request


def _is_begun(found: Store, source: Source, named: Codec | None, options: EncodeOptions) -> bool:
    """Whether a store was begun with this very command."""
    if not is_same(found.manifest, _request(found, source, named, options)):
        return False
    if named is not None or isinstance(source, FeatureSource):
        return True
    spec = found.codec.backbone
    return spec is not None and spec.answers_to(options.backbone or DEFAULT_BACKBONE)


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
    spec = found.codec.backbone
    if spec is None:
        raise MismatchError(f"{place}: its codec has no backbone; it takes features (.npy, .parquet), not images")
    if options.backbone is not None and not spec.answers_to(options.backbone):
        raise MismatchError(f"{place}: encoded with the backbone {spec.name}, not with {options.backbone}")
    if todo.action == "nothing":
        return None
    from taskcodec.transforms.backbones import load_backbone_for

    return load_backbone_for(spec, options.device)


def _codec_and_backbone(source: Source, named: Codec | None, options: EncodeOptions) -> tuple[Codec | None, Any]:
    """The codec of a new store, None where it is to be fitted, and the backbone."""
    if named is not None:
        if isinstance(source, FeatureSource):
            return named, None
        if named.g_a is not None:
            from taskcodec.transforms.backbones import load_backbone

            return named, load_backbone(f"{CARRIED}{options.codec}", options.device)
        if named.backbone is None:
            raise UsageError(f"{options.codec}: a codec without a backbone takes features (.npy, .parquet), not images")
        if options.backbone is not None and not named.backbone.answers_to(options.backbone):
            raise UsageError(f"{options.codec}: fitted on {named.backbone.name}, not on {options.backbone}")
        from taskcodec.transforms.backbones import load_backbone_for

        return named, load_backbone_for(named.backbone, options.device)
    backbone_name = options.backbone or DEFAULT_BACKBONE
    if not options.fit and (isinstance(source, FeatureSource) or backbone_name != DEFAULT_BACKBONE):
        what = "vectors" if isinstance(source, FeatureSource) else f"the backbone {backbone_name}"
        raise UsageError(f"--no-fit: no codec ships for {what}; leave it out, or name a codec (--codec)")
    codec = None if options.fit else load_codec(DEFAULT_BACKBONE)
    return codec, backbone_for(source, options.backbone, options.device)
