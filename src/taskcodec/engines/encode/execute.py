"""Doing what was decided: the codec, the symbols chunk by chunk, and the store in its place."""

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from taskcodec.codec import Codec
from taskcodec.data.sources import FeatureSource, ImageSource, Source
from taskcodec.engines.coded import Coded, code, one_blas_thread
from taskcodec.engines.encode.decide import Decision, EncodeOptions, decide
from taskcodec.engines.encode.learned import in_steps_for
from taskcodec.engines.encode.ledger import Names, names_for
from taskcodec.engines.encode.local import BATCH, Batch, Batches, Progress, sample_features
from taskcodec.engines.encode.notes import far_off, left_out, noted_in
from taskcodec.engines.encode.places import is_zipped, put_in_place, remove_store, stored_at
from taskcodec.engines.encode.records import BackboneLike
from taskcodec.engines.encode.sources import missed, one_rate, unmatched
from taskcodec.engines.kept_fit import KeptFit
from taskcodec.engines.layers.plan import LayerPlan, plan_going_on, plan_new
from taskcodec.engines.layers.run import LayersInStep, fill
from taskcodec.engines.picture_coder import PictureCoder
from taskcodec.engines.shift import Shift, ShiftWatch
from taskcodec.errors import SourceError, StorageError
from taskcodec.fitting import adapt, at_bits
from taskcodec.fitting.closed_form.default import fit_usual
from taskcodec.fitting.effort import with_effort
from taskcodec.store import OK, SampleRecord, Store, StoreWriter, pack_zip
from taskcodec.store.backend import open_blobs, writer_lock
from taskcodec.store.file_layers.writer import remove_remains
from taskcodec.words import counted

FIT_BATCHES = 128
"""A codec is fitted, or refitted, to at most this many batches of images, spread over the source ..."""
FIT_FEATURE_BATCHES = 16
"""... or of feature vectors, which cost nothing to compute."""
LITTLE_KEPT = 0.1
"""A fit that keeps less than this share of the variance of samples like its own has learned its own by heart."""


@dataclass(frozen=True, eq=False)
class Encoded:
    """What was written.

    Attributes:
        store: the whole one.
        notes: what its user should know, a line each.
        watched: how far its samples are from those that its codec was fitted to.
        places: outside the store, which its user named for layers: these may be looked at.
    """

    store: Store
    notes: tuple[str, ...]
    watched: ShiftWatch
    places: tuple[str, ...]

    @cached_property
    def shift(self) -> Shift | None:
        """How far its samples are from those that its codec was fitted to; None where none was coded."""
        return self.watched.measure()


class Tally:
    """Takes note of what is coded, in the order of the source, and names it.

    `next_index` is the `source_index` of the first sample that is to be coded; earlier ones were committed before.
    """

    def __init__(
        self,
        codec: Codec,
        names: Names | None,
        next_index: int,
        watch: ShiftWatch,
        layers: LayersInStep | None = None,
    ) -> None:
        self.codec, self.names, self.next_index, self.watch, self.layers = codec, names, next_index, watch, layers
        self.clipped, self.stretched = list[str](), 0

    def take(self, coded: Coded) -> list[SampleRecord]:
        """The records of the next batch, as the store is to have them."""
        records, names = coded.records, self.names
        if names is not None:
            records = [replace(record, id=names.give(record.id)) for record in records]
        if coded.clipped:
            ids = [record.id for record in records if record.status == OK]
            self.clipped += [ids[row] for row in coded.clipped]
        self.stretched += coded.stretched
        if self.layers is not None:
            self.layers.take(records)
        return records


class Engine(Protocol):
    """Who computes: the processors of this process, or others."""

    def batches(self, source: Source, backbone: BackboneLike | None, first_index: int) -> Batches:
        """The batches of a source, see `Batches`."""

    def write(self, batches: Batches, writer: StoreWriter, tally: Tally, progress: Progress | None) -> None:
        """Encode what the writer lacks, and hand it over, but do not finish the store."""


class Local:
    """This process alone."""

    def batches(self, source: Source, backbone: BackboneLike | None, first_index: int) -> Batches:
        return Batches(source, backbone, first_index=first_index)

    def write(self, batches: Batches, writer: StoreWriter, tally: Tally, progress: Progress | None) -> None:
        with one_blas_thread():
            for batch in batches.run(range(batches.number_of(tally.next_index), len(batches))):
                if len(batch.features) and not (tally.codec.of_pictures or tally.codec.lossless):
                    tally.watch(tally.codec, batch.features)
                coded = code(batch.records, batch.features, tally.codec, tally.next_index)
                writer.append(coded.symbols, tally.take(coded))
                if progress is not None:
                    progress(batches.end_of(batch.number), len(batches.source))


def encode_job(
    given: str | Path | Source,
    store: Any,
    options: EncodeOptions | None = None,
    progress: Progress | None = None,
) -> Encoded:
    """Encode a source into a store, as `taskcodec encode` does; go on where an earlier run of the same job stopped.

    Args:
        given: the source: opened, or by name.
        store: folder, .zip, URL or Zarr store object.
        options: as those of the command.
        progress: called with (samples done, samples in all).

    Raises:
        UsageError: options that do not go together.
        MismatchError: codec, features or store do not fit.
        SourceError: nothing in the source could be read.
        StorageError: writing failed (the same job resumes), or something else lies there.
        BackboneError: no such backbone.
    """
    return execute(decide(given, store, options or EncodeOptions()), progress)


def execute(decision: Decision, progress: Progress | None = None, engine: Engine | None = None) -> Encoded:
    """Do what was decided; see `encode_job`. Raises StorageError where the store has changed since then."""
    place, store = decision.place, decision.request.store
    notes, watch = list[str](), ShiftWatch()
    try:
        written = _written(decision, engine or Local(), notes, watch, progress)
    except SourceError:
        _remove_empty(place)
        raise
    except StorageError:
        if place != store and os.path.isdir(place):
            _remove_bare(place)
        raise
    notes += _doubts(decision, written)
    if place != store and is_zipped(store):
        pack_zip(place, store)
        remove_store(place)
    elif place != store:
        put_in_place(place, store)
    options = decision.request.options
    named = tuple(each.place for each in options.wanted if each.place is not None)
    encoded = Encoded(written if place == store else Store(store), tuple(notes), watch, named)
    if options.fits_here or encoded.shift is None or encoded.shift.warning is None:
        return encoded
    return replace(encoded, notes=(*notes, f"warning: {encoded.shift.warning}"))


def _written(
    decision: Decision, engine: Engine, notes: list[str], watch: ShiftWatch, progress: Progress | None
) -> Store:
    """The store, whole but perhaps not in its place yet; lines for the user are added to `notes`."""
    source, options = decision.request.source, decision.request.options
    place, found, first = decision.place, decision.found, decision.first_index
    kept = _kept_fit(decision)
    if found is not None and decision.action == "nothing":
        kept.discard()
        added = _add_layers(plan_going_on(found, open_blobs(place), options.wanted, None, first), decision, progress)
        done = f"added to it: {', '.join(added)}" if added else "nothing was done"
        notes.append(f"{source.name}: in {place} already; {done}")
        return Store(place) if added else found
    if found is not None and Store(place).manifest != found.manifest:
        raise StorageError(f"{place}: another process has written to this store; run the same command again")
    # Other processes do not read what this one is given: their layers are added once their samples are there.
    layers = LayersInStep(source) if isinstance(source, ImageSource) and isinstance(engine, Local) else None
    batches = engine.batches(source if layers is None else layers.tapped, decision.backbone, first)
    names = names_for(source, first, found)
    if isinstance(source, ImageSource):
        _take_kept(kept, batches, source)
    if found is None:
        codec = _codec_of_new(decision, batches, kept, notes, progress).for_store(options.analysis_name)
        if decision.stale:
            remove_store(place)
        writer = StoreWriter.create(place, codec, chunk_rows=options.rows_of(codec), source=decision.record)
    else:
        codec, writer = found.codec, StoreWriter.open(place, source=decision.record)
    if note := left_out(source):
        notes.append(note)
    tally = Tally(codec, names, max(writer.resume_point + 1, first), watch, layers)
    with writer:
        if found is None:
            own = [layer.name for layer in codec.layers]
            planned = plan_new(writer.blobs, own, source, options.wanted, in_step=layers is not None)
        else:
            next_index = None if layers is None else tally.next_index
            planned = plan_going_on(found, writer.blobs, options.wanted, next_index, first)
        if layers is not None:
            layers.start(planned.in_step, first)
            writer.before_commit = layers.commit
        engine.write(batches, writer, tally, progress)
        finished = writer.finish()
        kept.discard()
        if finished.samples == 0:
            failures = Store(place).failures["status"].to_pylist()
            reason = f" (the first: {failures[0]})" if failures else ""
            raise SourceError(f"{source.name}: none of its {counted(len(source), 'sample')} could be coded{reason}")
    if tally.clipped:
        lie, were = ("sample lies", "was") if len(tally.clipped) == 1 else ("samples lie", "were")
        notes.append(
            f"warning: {source.name}: {len(tally.clipped):,} {lie} beyond what can be coded and {were} clipped, "
            f"such as {tally.clipped[0]}: look at what made them"
        )
    if tally.stretched:
        notes.append(
            f"warning: {source.name}: {counted(tally.stretched, 'sample is', 'samples are')} not of norm 1, as "
            "those were that the codec was fitted to: it gives all back with norm 1; encode these into a store of "
            "their own"
        )
    if names is not None and names.changed:
        notes.append(
            f"{source.name}: {counted(names.changed, 'of its names was', 'of its names were')} in use; such samples "
            "are NAME#2, NAME#3, ... now"
        )
    _add_layers(planned, decision, progress)
    written = Store(place)
    if note := noted_in(written, source.name, first):
        notes.append(note)
    return written


def _add_layers(planned: LayerPlan, decision: Decision, progress: Progress | None) -> list[str]:
    """Add to the whole store the layers that were not written in step with its samples; their names."""
    source, added = decision.request.source, list[str]()
    if planned.later and isinstance(source, ImageSource):
        blobs = open_blobs(decision.place)
        with writer_lock(blobs):
            added = [each.name for each in planned.later if fill(blobs, each, source, decision.first_index, progress)]
            remove_remains(blobs)
    return added


def _kept_fit(decision: Decision) -> KeptFit:
    """What runs that were stopped computed of images; vectors cost nothing to read again, what is appended no fit."""
    source, backbone = decision.request.source, decision.backbone
    fits = isinstance(source, ImageSource) and decision.action != "append"
    return KeptFit(
        decision.place if fits else None,
        {
            "version": 1,
            "source": source.descriptor() if fits else None,
            "backbone": None if backbone is None else backbone.spec.content(),
            "device": str(getattr(backbone, "device", "")),
            "batch": BATCH,
        },
    )


def _take_kept(kept: KeptFit, batches: Batches, source: ImageSource) -> None:
    """Have what is kept in `batches`, so that it is not computed again."""
    for number, samples, features in kept.batches():
        first = number * batches.size
        found = enumerate(zip(source.items[first : first + batches.size], samples, strict=True), first)
        records = [SampleRecord(item.id, index, label=item.label, **sample) for index, (item, sample) in found]
        batches.keep(Batch(number, records, features))


def _codec_of_new(
    decision: Decision, batches: Batches, kept: KeptFit, notes: list[str], progress: Progress | None
) -> Codec:
    """The codec of a new store, fitted or refitted to batches spread over the source where it should be."""
    source, options, codec = decision.request.source, decision.request.options, decision.codec
    if codec is not None and isinstance(source, ImageSource) and codec.of_pictures:
        if decision.bits is not None:
            codec = in_steps_for(decision.bits, codec, source)
            coder: Any = PictureCoder(codec, options.analysis_name)
            batches.backbone = coder
        return codec
    if codec is not None and codec.lossless:
        return codec
    bits = one_rate(decision.bits)
    if codec is not None and not options.refit:
        return codec if bits is None else at_bits(codec, bits)
    count = FIT_BATCHES if isinstance(source, ImageSource) else FIT_FEATURE_BATCHES
    features = sample_features(batches, count * batches.size, progress, kept.add)
    if note := _far_off(source, batches):
        notes.append(note)
    if codec is not None:
        if not len(features):
            return codec
        # With an effort the search meets it, not the uniform step.
        asked = one_rate(options.bits) if options.effort > 1 else None
        adapted = adapt(codec, features, bits if asked is None else None)
        return with_effort(adapted, features, options.effort, asked)
    if not len(features):
        kept.discard()
        raise SourceError(
            f"{source.name}: none of its {counted(len(source), 'sample')} could be coded{batches.fault()}"
        )
    made_by = None if decision.backbone is None else decision.backbone.spec
    spec = source.backbone if isinstance(source, FeatureSource) else made_by
    quality: Any = options.quality or "usual"
    fitted = fit_usual(features, len(source), bits=bits, quality=quality, backbone=spec)
    return with_effort(fitted, features, options.effort, bits)


def _far_off(source: Source, batches: Batches) -> str | None:
    """A line on samples of the batches at hand that a fit leaves out; None without any."""
    found = [batch for batch in batches.kept.values() if len(batch.features)]
    ids = [record.id for batch in found for record in batch.records if record.status == OK]
    return far_off(source.name, ids, np.concatenate([batch.features for batch in found])) if found else None


def _doubts(decision: Decision, written: Store) -> list[str]:
    """What to say of a store that was written: of its rate, what it keeps, where it lies, and its labels."""
    asked, options, notes = decision.request, decision.request.options, list[str | None]()
    # A store that was finished before holds what other runs encoded, perhaps other sources that were appended since.
    finished_before = decision.action == "nothing" and decision.place == asked.store
    if not options.append and not finished_before:
        info = written.info()
        if isinstance(decision.bits, Mapping):
            for name, rate in decision.bits.items():
                if (reached := info.layers[name].bits_per_sample) is not None:  # which only layers of files may lack
                    notes.append(missed(rate, reached, layer=name))
        elif decision.bits is not None and (options.bits is not None or options.effort == 1):
            notes.append(missed(decision.bits, info.bits_per_sample, asked=options.bits is not None))
        if info.variance_kept is not None and info.variance_kept < LITTLE_KEPT:
            notes.append(
                "warning: of samples like these that it was not fitted to the codec keeps "
                f"{max(info.variance_kept, 0):.0%} of the variance: leave --bits out, or give more samples"
            )
    if isinstance(decision.backbone, PictureCoder):
        notes += [f"--effort: {each}" for each in decision.backbone.unsearched]
    if isinstance(asked.store, str) and asked.store.startswith("memory://"):
        notes.append(
            f"warning: {asked.store} lies in the memory of this command, and is gone when it ends; name a folder "
            "to keep it"
        )
    if options.labels is not None:
        failed = set(written.failures["id"].to_pylist())
        notes.append(unmatched(options.labels, asked.table, asked.source, failed))
        if not options.append and _labels_differ(written, asked.source):
            notes.append(
                f"{decision.place}: the labels in it are others, and were not changed; encode with --overwrite to "
                "change them"
            )
    return [note for note in notes if note is not None]


def _labels_differ(store: Store, source: Source) -> bool:
    """Whether a store was written with other labels than the source has now."""
    own = [item.label for item in source.items] if isinstance(source, ImageSource) else source.labels
    labels = pa.array(own or [], pa.string())
    for indices, stored in store.tables("source_index", "label", failures=True):
        known = pc.less(indices, len(labels))
        then, now = stored.filter(known), labels.take(indices.filter(known).combine_chunks())
        same = pc.or_(pc.fill_null(pc.equal(then, now), False), pc.and_(pc.is_null(then), pc.is_null(now)))
        if not pc.all(same, min_count=0).as_py():
            return True
    return False


def _remove_empty(place: Any) -> None:
    """Take away what a run left that coded nothing, so that it does not block the place."""
    left = stored_at(place)
    if left is not None and left.manifest.state == "complete" and not len(left):
        remove_store(place)


def _remove_bare(place: Any) -> None:
    """Remove a folder beside the store in which no file lies: a disk that was full from the start."""
    for folder, _, _ in os.walk(place, topdown=False):
        with suppress(OSError):  # one that is not empty stays
            os.rmdir(folder)
