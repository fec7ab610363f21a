"""What an `encode` comes to: new, resumed, appended, replaced or nothing, settled before anything is written."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from taskcodec.codec import Codec
from taskcodec.data import FeatureSource, ImageSource, Source, open_source
from taskcodec.engines.encode.learned import through, through_analysis_of
from taskcodec.engines.encode.ledger import Action, check_fits, is_same, plan, with_appended
from taskcodec.engines.encode.places import is_zipped, place_of_the_new, settled, stored_at
from taskcodec.engines.encode.records import BackboneLike
from taskcodec.engines.encode.sources import (
    NO_BACKBONE,
    Rates,
    backbone_for,
    check_bits,
    check_device,
    check_layer_rates,
    check_no_backbone,
    labelled,
    one_rate,
)
from taskcodec.engines.layers.plan import check_layers, check_places
from taskcodec.engines.layers.wanted import Wanted, wanted_layers, without_learned
from taskcodec.engines.picture_coder import PictureCoder, coder_of
from taskcodec.engines.value_coder import value_coder
from taskcodec.errors import MismatchError, StorageError, TaskcodecError, UsageError, check_kind
from taskcodec.fitting import default_bits
from taskcodec.fitting.closed_form.default import QUALITIES
from taskcodec.fitting.effort import check_plain
from taskcodec.loading import BUNDLED, load_codec
from taskcodec.store import CHUNK_ROWS, Store
from taskcodec.symbol_choice.efforts import check_effort
from taskcodec.transforms.spec import CARRIED, BackboneSpec, check_name, placed
from taskcodec.transforms.spec import DEFAULT as DEFAULT_BACKBONE

PICTURE_CHUNK_ROWS = 64
"""Pictures in a chunk: each takes as many bytes as the features of hundreds of samples, and long to code anew."""


@dataclass(frozen=True)
class EncodeOptions:
    """The options of `taskcodec encode`; what each means is told by `taskcodec.encode`.

    Codec and backbone are named, or given themselves; `labels` is FILE.csv or FILE.csv:COLUMN.
    """

    codec: str | Codec | None = None
    backbone: str | BackboneLike | None = None
    bits: Rates | None = None
    labels: str | None = None
    quality: str | None = None
    fit: bool = True
    refit: bool = True
    append: bool = False
    overwrite: bool = False
    chunk_rows: int | None = None
    device: str | None = None
    truncated: str = "keep"
    layers: str | Sequence[str] | None = None
    effort: int = 1

    @cached_property
    def wanted(self) -> tuple[Wanted, ...]:
        """The layers beside the features. Raises UsageError where they are named wrongly."""
        return wanted_layers(self.layers)

    @property
    def fits(self) -> bool:
        """Whether a new store's codec is fitted to what it holds."""
        return self.codec is None and self.fit

    @property
    def fits_here(self) -> bool:
        """Whether such a run fits its own codec to what it encodes: told to fit one, its user could do no better."""
        return self.fits and not self.append

    def rows_of(self, codec: Codec | None) -> int:
        """Samples in a chunk of a store of this codec."""
        usual = PICTURE_CHUNK_ROWS if codec is not None and codec.of_pictures else CHUNK_ROWS
        return usual if self.chunk_rows is None else self.chunk_rows

    @property
    def own_backbone(self) -> BackboneLike | None:
        """The backbone, where it was given itself."""
        return None if isinstance(self.backbone, str) else self.backbone

    @property
    def backbone_name(self) -> str | None:
        """Of the backbone that is asked for, however it was given; None where any will do."""
        return self.backbone if self.backbone is None or isinstance(self.backbone, str) else self.backbone.spec.name

    @property
    def codec_words(self) -> str:
        """The codec that is asked for, in messages."""
        return self.codec if isinstance(self.codec, str) else "the codec given"

    @property
    def analysis_name(self) -> str:
        """What a store records of where the analysis network of a learned codec is to be found again."""
        return f"{CARRIED}{self.codec}" if isinstance(self.codec, str) else "codec"


@dataclass(frozen=True, eq=False)
class Request:
    """What is asked for, opened.

    Attributes:
        store: where the store is to be in the end.
        source: what to encode, with its labels, and through the analysis of a learned codec where vectors take one.
        table: labels by id, as `options.labels` has them.
        codec: that was named.
        options: as they were given.
    """

    store: Any
    source: Source
    table: dict[str, str]
    codec: Codec | None
    options: EncodeOptions

    def entry(self, dimension: int) -> dict[str, Any]:
        """The request as the manifest keeps it; `named` says whether the user asked for that codec.

        Its rate is the one asked for, or else that of a codec that ships, or None for what is fitted or named.
        """
        options, codec = self.options, self.options.codec
        ships = not options.fit or (isinstance(codec, str) and codec in BUNDLED and not os.path.exists(codec))
        rates = dict(options.bits) if isinstance(options.bits, Mapping) else options.bits
        request = {
            **self.source.descriptor(),
            "codec": None if self.codec is None else self.codec.fingerprint,
            "named": self.codec is not None,
            "bits": default_bits(dimension) if ships and rates is None else rates,
            "refit": options.refit,
            "chunk_rows": options.rows_of(self.codec),
        }
        if options.effort > 1:
            request["effort"] = options.effort
        if not options.fits:
            return request
        quality = {} if options.bits is not None else {"quality": options.quality or "usual"}
        return {**request, "fit": True, **quality}

    def entry_in(self, found: Store) -> dict[str, Any]:
        """The same in a store that is there: its chunks are as long as they are, unless others are asked for."""
        entry = self.entry(found.manifest.dimension)
        return entry if self.options.chunk_rows else {**entry, "chunk_rows": found.manifest.source.get("chunk_rows")}

    def began(self, found: Store) -> bool:
        """Whether a store was begun with this very command."""
        if not is_same(found.manifest, self.entry_in(found)):
            return False
        if self.codec is not None or isinstance(self.source, FeatureSource):
            return True
        spec = found.codec.backbone
        return spec is not None and spec.answers_to(self.options.backbone_name or DEFAULT_BACKBONE)


@dataclass(frozen=True, eq=False)
class Decision:
    """All that an encode will do; nothing was written so far.

    Attributes:
        request: what was asked for.
        action: "new"; "resume" where a stopped run stopped; "append" as a new source; "nothing", where all is there.
        place: where to write; elsewhere than `request.store`, it is put there once it is whole.
        bits: the rate to meet, or rates by layer; None for the codec's own, or one that follows from how many samples
            there are.
        backbone: what makes features of images; None where there are none, or nothing to do.
        found: the store at `place` that goes on, with its own codec; None for a new one.
        stale: whether what lies at `place` is removed, when the first chunk could be written.
        codec: of a new store, before any refit; None: one is fitted to the source.
        first_index: `source_index` of the source's first sample.
        record: what the manifest is to say of its sources; None: what it says already.
    """

    request: Request
    action: Action
    place: Any
    bits: Rates | None
    backbone: BackboneLike | None
    found: Store | None = None
    stale: bool = False
    codec: Codec | None = None
    first_index: int = 0
    record: dict[str, Any] | None = None


def decide(given: str | Path | Source, store: Any, options: EncodeOptions) -> Decision:
    """Settle what encoding a source, by name or opened, into a store comes to; raises what `encode_job` does."""
    store = settled(store)
    named = load_codec(options.codec) if isinstance(options.codec, str) else options.codec
    if options.layers is not None and (learned := _learned_layers(store, named, options)):
        options = replace(options, layers=without_learned(options.layers, learned))
    _check(store, options)
    opened = open_source(given, options.truncated) if isinstance(given, str | Path) else given
    source, table = labelled(opened, options.labels)
    check_no_backbone(source, options.backbone)
    added = options.append and named is None
    source = through_analysis_of(stored_at(store), source) if added else through(source, named)
    asked = Request(store, source, table, named, options)
    place, stale = _place(asked), False
    found = stored_at(place)
    if found is not None and options.overwrite:
        finished = found.manifest.state == "complete" and place == store
        stale = finished or not asked.began(found)
    return _new(asked, place, stale) if found is None or stale else _going_on(asked, place, found)


def _learned_layers(store: Any, named: Codec | None, options: EncodeOptions) -> list[str]:
    """The layers of the codec that is named, or of the store that goes on; none of a codec of features."""
    if named is not None:
        return [layer.name for layer in named.layers] if named.of_pictures or named.lossless else []
    found = None if options.overwrite else stored_at(store)
    if found is None or not (found.manifest.of_pictures or found.manifest.of_values):
        return []
    return [layer.name for layer in found.manifest.layers]


def _place(asked: Request) -> Any:
    """Where to write. Raises StorageError where what lies in the way is not to be replaced."""
    store = asked.store
    if asked.options.overwrite:
        return place_of_the_new(store, asked.began)
    if not is_zipped(store):
        return store
    if not os.path.lexists(store):
        return f"{store}.partial"
    try:
        found = stored_at(store)
        if found is not None and asked.began(found):
            return store
    except TaskcodecError:  # whatever else it is, it is not the finished store of this very command
        pass
    raise StorageError(f"{store}: exists; replace it (--overwrite) or name another place")


def _new(asked: Request, place: Any, stale: bool) -> Decision:
    options, source = asked.options, asked.source
    if options.append:
        raise StorageError(f"{place}: no store to append to")
    check_layers(None, source, options.wanted, 0)
    codec, backbone = _codec_and_backbone(asked)
    if codec is not None and options.effort > 1 and not codec.of_pictures:
        check_plain(codec)
    if codec is not None and isinstance(source, FeatureSource) and source.dimension != codec.dimension:
        raise MismatchError(f"{source.name}: features of {source.dimension} numbers, a codec for {codec.dimension}")
    record = asked.entry(0 if codec is None or codec.of_pictures else codec.dimension)
    if codec is not None:
        record["codec"] = codec.fingerprint
    return Decision(asked, "new", place, record["bits"], backbone, stale=stale, codec=codec, record=record)


def _codec_and_backbone(asked: Request) -> tuple[Codec | None, Any]:
    """The codec of a new store, None where it is to be fitted, and the backbone."""
    named, options, vectors = asked.codec, asked.options, isinstance(asked.source, FeatureSource)
    if named is not None and named.of_pictures:
        _check_pictures(asked, named)
        return named, PictureCoder(named, options.analysis_name, options.effort)
    if named is not None and named.lossless:
        _check_pictures(asked, named)
        return named, value_coder(named)
    one_rate(options.bits)
    if named is not None:
        if vectors:
            return named, None
        if named.networks is not None and named.g_a is not None:
            from taskcodec.transforms.backbones.load import analysis_of

            return named, analysis_of(named.networks, named.backbone, options.analysis_name, options.device)
        if named.backbone is None and options.own_backbone is None:
            raise UsageError(
                f"{options.codec_words}: a codec without a backbone takes features (.npy, .parquet), not images"
            )
        if named.backbone is not None and _is_other(named.backbone, options):
            words = f"fitted on {named.backbone.loadable}, not on {options.backbone_name}"
            raise UsageError(f"{options.codec_words}: {words}")
        return named, _backbone_of(named.backbone, asked)
    backbone_name = options.backbone_name or DEFAULT_BACKBONE
    if not options.fit and (vectors or backbone_name != DEFAULT_BACKBONE):
        what = "vectors" if vectors else f"the backbone {backbone_name}"
        raise UsageError(f"--no-fit: no codec ships for {what}; leave it out, or name a codec (--codec)")
    codec = None if options.fit else load_codec(DEFAULT_BACKBONE)
    return codec, backbone_for(asked.source, options.backbone, options.device)


def _going_on(asked: Request, place: Any, found: Store) -> Decision:
    """Raises StorageError or MismatchError where this command has no business with the store."""
    options, source = asked.options, asked.source
    if options.append:
        check_fits(found, place, source, asked.codec, options.codec_words)
        if options.effort > 1 and not found.codec.of_pictures:
            raise UsageError("--effort goes with a new store: what is appended is coded as the store's codec says")
    entry = asked.entry_in(found)
    action, first_index = plan(found, place, source, entry, options.append)
    if not options.append and not asked.began(found):
        raise StorageError(f"{place}: begun with another backbone; replace it (--overwrite) or name another place")
    check_layers(found, source, options.wanted, first_index, whole=action == "nothing")
    backbone: Any = None
    if found.codec.of_pictures:
        _check_pictures(asked, found.codec)
        if action != "nothing":
            backbone = coder_of(found.codec, asked.codec, options.analysis_name, options.effort)
    elif found.codec.lossless:
        _check_pictures(asked, found.codec)
        backbone = None if action == "nothing" else value_coder(found.codec)
    elif isinstance(source, ImageSource):
        spec = found.codec.backbone
        if spec is None and options.own_backbone is None:
            raise MismatchError(f"{place}: its codec has no backbone; it takes features (.npy, .parquet), not images")
        if spec is not None and _is_other(spec, options):
            raise MismatchError(f"{place}: encoded with the backbone {spec.loadable}, not with {options.backbone_name}")
        backbone = None if action == "nothing" else _backbone_of(spec, asked)
    record = with_appended(found.manifest, source, first_index) if action == "append" else None
    return Decision(asked, action, place, entry["bits"], backbone, found, first_index=first_index, record=record)


def _check_pictures(asked: Request, codec: Codec) -> None:
    """Raise unless what is asked for can be done with a codec of pictures, or a lossless one."""
    options, source = asked.options, asked.source
    what = "a codec of pictures"
    if codec.lossless:
        what = "a lossless codec"
        if options.effort > 1:
            raise UsageError("--effort: a lossless codec has nothing to choose; leave it out")
    for clash in {each.name for each in options.wanted} & {layer.name for layer in codec.layers}:
        raise UsageError(f"--layers {clash}: the codec has a layer of that name, which is kept; leave this one out")
    if isinstance(source, FeatureSource):
        raise MismatchError(f"{source.name}: vectors, where {what} takes images")
    if options.backbone is not None:
        raise UsageError(f"--backbone: {what} codes pixels, and takes none; leave it out")
    if options.bits is not None and codec.lossless:
        raise UsageError(f"--bits: {what} has the rate that its samples take; leave it out")
    check_layer_rates(options.bits, [layer.name for layer in codec.layers])
    if options.device is not None and str(options.device) != "cpu":
        raise UsageError(
            f"--device {options.device}: pictures are coded on the processors of this machine; leave it out"
        )


def _is_other(spec: BackboneSpec, options: EncodeOptions) -> bool:
    """Whether another backbone is asked for than the one of this record."""
    return options.backbone_name is not None and not spec.answers_to(options.backbone_name)


def _backbone_of(spec: BackboneSpec | None, asked: Request) -> BackboneLike:
    """The backbone of this record, as it was given itself or loaded. Raises BackboneError where it is another."""
    options, named = asked.options, asked.codec
    if (own := options.own_backbone) is not None:
        if spec is not None:
            spec.check(own.spec)
        return own
    assert spec is not None
    from taskcodec.transforms.backbones import load_backbone_for

    # Its file may have been moved since.
    if isinstance(options.backbone, str):
        spec = replace(spec, found_at=placed(options.backbone) or spec.found_at)
    elif named is not None and named.g_a is not None and named.g_a.sha256 == spec.weights_sha256:
        spec = replace(spec, found_at=placed(options.analysis_name) or spec.found_at)
    return load_backbone_for(spec, options.device)


def _check(store: Any, options: EncodeOptions) -> None:
    zipped = is_zipped(store)
    check_bits(options.bits)
    check_effort(options.effort)
    check_device(options.device)
    check_places(store, options.wanted)
    if isinstance(options.backbone, str) and options.backbone != NO_BACKBONE:
        check_name(options.backbone)
    check_kind("--quality", options.quality, (str, type(None)), f"one of {', '.join(QUALITIES)}")
    check_kind("--codec", options.codec, (str, Codec, type(None)), "a file, a store, or a codec")
    if options.quality not in (None, *QUALITIES):
        raise UsageError(f"--quality must be one of {', '.join(QUALITIES)}, found {options.quality}")
    if options.quality is not None and (options.bits is not None or not options.fits_here):
        raise UsageError("--quality is of a codec fitted here: it goes without --bits, --codec, --no-fit and --append")
    if options.codec is not None and not options.fit:
        raise UsageError("--no-fit takes the codec that ships with the backbone, --codec another: give one of them")
    if not options.refit and options.fits_here:
        raise UsageError("--no-refit is of a codec that is named or ships: give --codec or --no-fit, or leave it out")
    if options.effort > 1 and not options.refit:
        raise UsageError("--effort fits a quantizer to what is encoded: it goes without --no-refit")
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
